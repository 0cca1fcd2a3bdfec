"""The names of structlog that this package uses. No other module imports structlog.

structlog imports rich, for tracebacks that no line here shows. Tools for development bring rich,
and it would take a tenth of the start of every process there.
"""

from onloop.imports import not_installed

with not_installed("rich"):
    import structlog
    from structlog.contextvars import bind_contextvars, clear_contextvars
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = [
    "EventDict",
    "Processor",
    "WrappedLogger",
    "bind_contextvars",
    "clear_contextvars",
    "structlog",
]
