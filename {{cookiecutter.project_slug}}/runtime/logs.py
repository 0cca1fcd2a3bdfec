"""One format for every line: the records of Django, of uvicorn and of the project.

https://www.structlog.org/en/stable/standard-library.html
"""

import json
import logging
import sys
from collections.abc import Sequence

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import Processor

COMMON: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
)


def formatter(renderer: str) -> ProcessorFormatter:
    """Return the formatter of `settings.LOGGING`, and make structlog's own loggers use it.

    `renderer` is `json`, one object for each line, or `console`, for people.
    """
    # No line shows these, and looking them up takes half the time of a line:
    # https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *COMMON,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return ProcessorFormatter(
        foreign_pre_chain=COMMON,
        processors=[ProcessorFormatter.remove_processors_meta, *RENDERERS[renderer]()],
    )


class WithoutWebSockets(logging.Filter):
    """What uvicorn says of each WebSocket is not logged: it has the query; see `runtime.access`."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or '"WebSocket %s"' not in str(record.msg)


def _json() -> list[Processor]:
    # An encoder of its own: json.dumps() would make one for each line.
    encode = json.JSONEncoder(default=repr).encode
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(lambda event, **_: encode(event)),
    ]


def _console() -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


RENDERERS = {"console": _console, "json": _json}
