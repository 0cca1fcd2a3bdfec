"""Imports of libraries without the optional ones that they would import as well."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def not_installed(*names: str) -> Iterator[None]:
    """Import as if these modules were not installed; those that are imported already stay.

    A library that can do without them then does, and the process starts sooner. For the top of a
    module: in the meantime no other thread can import them either.
    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
