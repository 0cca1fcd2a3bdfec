"""Resources of the process: opened before the first request, closed after the last.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

import asyncio
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from types import FrameType

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from onloop.asgi.types import Receive, Scope, Send
from onloop.per_loop import PerLoop

type Resource = Callable[[], AbstractAsyncContextManager[object]]

_added: list[Resource] = []
_stopping = PerLoop(asyncio.Event)


class Lifespan:
    """The ASGI application of the lifespan protocol.

    `resources`, followed by those that apps have added, are entered in order at startup and left
    in reverse order at shutdown. If one cannot be entered, startup fails: the server prints the
    reason and exits. A shutdown that takes longer than `shutdown_timeout` seconds is cancelled and
    reported as failed.
    """

    def __init__(self, *resources: Resource, shutdown_timeout: float = 10.0) -> None:
        self.resources = resources
        self.shutdown_timeout = shutdown_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the resources, wait until the server stops, close the resources."""
        await receive()
        _stopping.set(asyncio.Event())
        async with AsyncExitStack() as stack:
            try:
                for resource in (*self.resources, *_added):
                    await stack.enter_async_context(resource())
                stack.enter_context(_stop_announced())
            except (CommandError, ImproperlyConfigured) as error:  # Their texts are for people.
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            except Exception:
                await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            try:
                async with asyncio.timeout(self.shutdown_timeout):
                    await stack.aclose()
            except Exception:
                await send({"type": "lifespan.shutdown.failed", "message": traceback.format_exc()})
            else:
                await send({"type": "lifespan.shutdown.complete"})


def add_resource(resource: Resource) -> None:
    """Make every lifespan open `resource` as well.

    Call it in an app's `ready()`, so that the app can be dropped without a change elsewhere.
    """
    _added.append(resource)


def stopping() -> asyncio.Event:
    """Return the running loop's event that is set as soon as the server is told to stop."""
    return _stopping.get()


@contextmanager
def _stop_announced() -> Iterator[None]:
    """Set `stopping()` when SIGINT or SIGTERM arrives, then let the server's own handler act.

    A server ends the lifespan only after its last response, so an open stream has to learn of the
    stop from the signal itself. Only the main thread receives signals (see Python's `signal`).
    """
    loop, event = asyncio.get_running_loop(), stopping()
    main = threading.current_thread() is threading.main_thread()
    handlers = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if main and callable(handler := signal.getsignal(number))
    }

    def announce(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(event.set)
        handlers[signal.Signals(number)](number, frame)

    for number in handlers:
        signal.signal(number, announce)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        event.set()
