"""The wire of the running event loop, at the end of every upstream's transports."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from onloop.http._httpx import AsyncBaseTransport, Request, Response
from onloop.http.cache import end_revalidations
from onloop.http.quota import BodyQuota
from onloop.http.streaming import close_with_stream
from onloop.http.wires import Wire, open_wire
from onloop.per_loop import SharedClient


@asynccontextmanager
async def _opened_wire() -> AsyncIterator[Wire]:
    wire = open_wire()
    try:
        yield wire
    finally:
        await wire.aclose()


_wires = SharedClient(_opened_wire)


@asynccontextmanager
async def shared_http_client() -> AsyncIterator[None]:
    """Keep one wire open on the running event loop. A resource of the ASGI lifespan."""
    async with _wires.kept_open():
        try:
            yield
        finally:
            await end_revalidations()


class LoopWire(AsyncBaseTransport):
    """Sends requests on the wire of the running event loop, or to what a test has put in its place.

    Without a lifespan that keeps a wire open (test client, WSGI, `async_to_sync`), each request
    opens its own.
    """

    def __init__(self) -> None:
        self.mocked: AsyncBaseTransport | None = None

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request; see `Wire`."""
        transport = self.mocked or _wires.kept()
        if transport is not None:
            return await transport.handle_async_request(request)
        async with AsyncExitStack() as resources:
            wire = await resources.enter_async_context(_opened_wire())
            response = await wire.handle_async_request(request)
            close_with_stream(response, resources.pop_all())
            return response

    async def get_body(
        self,
        url: str,
        headers: Mapping[str, str],
        max_bytes: int,
        quota: BodyQuota | None,
        seconds: float,
    ) -> bytes:
        """Return the body of a 2xx response to `GET url`; see `Wire.get_body()`."""
        wire = _wires.kept()
        if wire is not None:
            return await wire.get_body(url, headers, max_bytes, quota, seconds)
        async with _opened_wire() as wire:
            return await wire.get_body(url, headers, max_bytes, quota, seconds)
