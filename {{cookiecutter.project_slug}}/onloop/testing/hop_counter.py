"""A fixture that records hops: calls that leave the event loop for a thread."""

import threading
from typing import Any

import pytest
from asgiref.sync import SyncToAsync


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the functions run through `sync_to_async()`, and of the threads started."""
    hops: list[str] = []
    call, start = SyncToAsync.__call__, threading.Thread.start

    async def counted_call(self: SyncToAsync[..., Any], *args: Any, **kwargs: Any) -> Any:
        hops.append(f"sync_to_async({self.func!r})")
        return await call(self, *args, **kwargs)

    def counted_start(self: threading.Thread) -> None:
        hops.append(f"start of the thread {self.name}")
        start(self)

    monkeypatch.setattr(SyncToAsync, "__call__", counted_call)
    monkeypatch.setattr(threading.Thread, "start", counted_start)
    return hops
