"""The log of this process, in memory."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from onloop.observe.log_format import formatter


@contextmanager
def written(lines: io.StringIO, renderer: str, level: str) -> Iterator[None]:
    """Write what all loggers log at this level to `lines` as well, in this format."""
    root = logging.getLogger()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(formatter(renderer))
    handler.setLevel(level)
    level_before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield
    finally:
        root.setLevel(level_before)
        root.removeHandler(handler)
