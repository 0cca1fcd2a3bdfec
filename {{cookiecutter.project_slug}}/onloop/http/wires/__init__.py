"""Wires: what carries the calls. `settings.HTTP_TRANSPORT` selects one."""

from collections.abc import Mapping
from typing import Final

from django.utils.module_loading import import_string

from onloop.conf import settings
from onloop.http.wires.wire import Wire

__all__ = ["WIRES", "Wire", "open_wire"]

# By path, so that only the library that is selected is imported.
WIRES: Final[Mapping[str, str]] = {
    "aiohttp": "onloop.http.wires.aiohttp.AiohttpWire",
    "pyreqwest": "onloop.http.wires.pyreqwest.PyreqwestWire",
}


def open_wire() -> Wire:
    """Return a new wire for the running event loop."""
    wire: Wire = import_string(WIRES[settings.HTTP_TRANSPORT])()
    return wire
