"""One log format for the records of Django, of uvicorn and of the project.

https://www.structlog.org/en/stable/standard-library.html
"""

import json
import logging
import sys
from typing import Any

from onloop.observe._structlog import EventDict, Processor, WrappedLogger, structlog


def formatter(renderer: str) -> "Formatter":
    """Return the formatter for `settings.LOGGING`, and make structlog's own loggers use it.

    `renderer` is `json`, one object per line, or `console`, for people.
    """
    # These appear in no line, and looking them up takes half the time of logging one:
    # https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.StackInfoRenderer(),
            _hand_on,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return Formatter(
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso"),
        *_RENDERERS[renderer](),
    )


class Formatter(logging.Formatter):
    """Formats each record as a line; its message is a text or a dictionary of fields.

    structlog's `ProcessorFormatter` takes nearly twice as long, for every request.
    """

    def __init__(self, *processors: Processor) -> None:
        super().__init__()
        self._processors = processors

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's fields as the last processor renders them."""
        message: Any = record.msg
        event: Any = {**message} if isinstance(message, dict) else {"event": record.getMessage()}
        level = record.levelname.lower()
        event |= {"logger": record.name, "level": level}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        if record.stack_info:
            event["stack"] = record.stack_info
        for processor in self._processors:
            event = processor(None, level, event)
        return str(event)


def _hand_on(
    logger: WrappedLogger, name: str, event: EventDict
) -> tuple[tuple[EventDict], dict[str, Any]]:
    return (event,), {}


class WithoutWebSockets(logging.Filter):
    """Drops uvicorn's line for each WebSocket, which has its query; see `access_log` instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        return record.levelno > logging.INFO or '"WebSocket %s"' not in str(record.msg)


def _json() -> list[Processor]:
    # One encoder for all lines: json.dumps() would create one for each.
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


_RENDERERS = {"console": _console, "json": _json}
