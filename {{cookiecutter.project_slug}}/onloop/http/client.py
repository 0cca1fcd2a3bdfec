"""Single HTTP calls to other servers.

An app uses the client of the running event loop. It has one method and a few errors, the same for
every transport::

    async with http_client() as client:
        body = await client.get(url, timeout=10.0, max_bytes=1_048_576)

Redirects are not followed, cookies are not kept, and compression is not requested, so a body that
is small on the wire is small in memory too. The id and the trace of the current request are sent
with each call (`onloop.observe.correlation`). A call is made once, except that aiohttp repeats it
once, immediately, if the connection ends before the response starts. Calls that must survive more
than that use `onloop.http.origins`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from onloop.conf import settings
from onloop.http.errors import CallTimeoutError, DNSError
from onloop.http.limits import BodyQuota, Connections
from onloop.http.transports import TRANSPORTS, Transport
from onloop.per_loop import SharedClient


class Client:
    """The HTTP client of one event loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._connections = Connections()

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109
        max_bytes: int,
        quota: BodyQuota | None = None,
    ) -> bytes:
        """Return the body of a 2xx response to `GET url`.

        `timeout` is in seconds and covers everything from connecting to the last byte. Before that,
        a call may wait equally long for one of the client's connections. Reading stops as soon as
        the body is known to be larger than `max_bytes` or than the rest of the `quota`.

        Raises:
            DNSError, ConnectError, CallTimeoutError, PoolTimeoutError, QuotaExceededError,
                BadResponseError: the call has failed.
        """
        if self._connections.locked():
            await self._connections.acquire_within(timeout)
        else:
            await self._connections.acquire()
        try:
            async with asyncio.timeout(timeout):
                return await self._transport.get(url, max_bytes, quota)
        except TimeoutError as error:
            raise CallTimeoutError(f"The server did not answer within {timeout:g} s.") from error
        except UnicodeError as error:  # The host is not a valid DNS name (IDNA).
            raise DNSError from error
        finally:
            self._connections.release()


@asynccontextmanager
async def _open_client() -> AsyncIterator[Client]:
    transport = TRANSPORTS[settings.HTTP_TRANSPORT]()
    try:
        yield Client(transport)
    finally:
        await transport.aclose()


_clients = SharedClient(_open_client)


def shared_http_client() -> AbstractAsyncContextManager[None]:
    """Keep one client open on the running event loop. A resource of the ASGI lifespan."""
    return _clients.kept_open()


def http_client() -> AbstractAsyncContextManager[Client]:
    """Return a block with the running event loop's client; without a lifespan it opens its own."""
    return _clients.client()
