"""Single-flight: identical requests that are in flight at the same time are one call."""

import asyncio
from operator import itemgetter

from onloop.http._httpx import AsyncBaseTransport, ByteStream, HTTPError, Request, Response
from onloop.http.deadline import call_in_time
from onloop.observe.correlation import identified_context
from onloop.per_loop import PerLoop

IGNORED_HEADERS = {
    b"user-agent",
    b"x-request-id",
    b"x-correlation-id",
    b"x-amzn-trace-id",
    b"x-cloud-trace-context",
    b"traceparent",
    b"tracestate",
    b"b3",
    b"x-b3-traceid",
    b"x-b3-spanid",
    b"x-b3-parentspanid",
    b"x-b3-sampled",
    b"x-b3-flags",
}
"""Headers that name the caller or its trace, which no answer depends on."""

type Key = tuple[object, ...]


class SingleFlightTransport(AsyncBaseTransport):
    """Makes one call of the identical requests that are in flight on one event loop.

    Requests are identical if they have the same method, GET or HEAD, URL, timeouts and headers,
    except `IGNORED_HEADERS`; so credentials are never shared. The call is made in a task of its
    own. It goes on as long as a caller waits for it, also if the first has been cancelled, and is
    cancelled with the last one. It has the request and trace ids of the first caller, and no
    deadline: a caller's deadline ends the wait of that caller. Each caller gets an answer or an
    error of its own.

    Requests with a body or with the extension `stream` are made as they are. If an answer turns out
    to be streamed, the first caller gets it, and the others make calls of their own.
    """

    def __init__(self, next_: AsyncBaseTransport) -> None:
        self.joined = 0
        """The number of requests that have joined a call in flight."""
        self._next = next_
        self._flights: PerLoop[dict[Key, _Flight]] = PerLoop(dict)

    async def handle_async_request(self, request: Request) -> Response:
        """Make the call, or join an identical one.

        Raises:
            DeadlineExceeded: the caller's deadline has passed.
        """
        if not _may_be_shared(request):
            return await self._next.handle_async_request(request)
        return await call_in_time(self._fly, request)

    async def _fly(self, request: Request) -> Response:
        flights = self._flights.get()
        key = _key(request)
        flight = flights.get(key)
        if flight is None:
            flight = flights[key] = _Flight(flights, key, self._next, request)
        else:
            self.joined += 1
            flight.joined = True
        return await flight.answer(request)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._next.aclose()


class _Flight:
    """A call, and those who wait for it."""

    def __init__(
        self, flights: "dict[Key, _Flight]", key: Key, next_: AsyncBaseTransport, request: Request
    ) -> None:
        self.joined = False
        self._flights = flights
        self._key = key
        self._next = next_
        self._waiting: set[asyncio.Future[None]] = set()
        self._taken = False
        self._task = asyncio.get_running_loop().create_task(
            next_.handle_async_request(request), context=identified_context()
        )
        self._task.add_done_callback(self._land)

    async def answer(self, request: Request) -> Response:
        """Return the answer to this request when the call has ended."""
        landed = asyncio.get_running_loop().create_future()
        self._waiting.add(landed)
        try:
            await landed
        except asyncio.CancelledError:
            if len(self._waiting) == 1:
                await self._end()
            raise
        finally:
            self._waiting.discard(landed)
        if not self.joined:
            return self._task.result()
        error = self._task.exception()
        if isinstance(error, HTTPError):
            raise _error_for(request, error)
        response = self._task.result()
        if isinstance(response.stream, ByteStream):
            return _response_for(request, response)
        if self._taken:
            return await self._next.handle_async_request(request)
        self._taken = True
        return response

    def _land(self, _: object) -> None:
        self._close()
        for landed in self._waiting:
            if not landed.done():
                landed.set_result(None)

    async def _end(self) -> None:
        """End a call that nobody waits for any more."""
        self._close()
        self._task.cancel()
        await asyncio.wait([self._task])
        if not (self._taken or self._task.cancelled() or self._task.exception()):
            await self._task.result().aclose()

    def _close(self) -> None:
        """Let no more requests join."""
        if self._flights.get(self._key) is self:
            del self._flights[self._key]


def _may_be_shared(request: Request) -> bool:
    return (
        request.method in {"GET", "HEAD"}
        and not request.extensions.get("stream")
        and isinstance(request.stream, ByteStream)
        and not request.read()
    )


def _key(request: Request) -> Key:
    headers = [
        (name, value)
        for name, value in ((name.lower(), value) for name, value in request.headers.raw)
        if name not in IGNORED_HEADERS
    ]
    # The order counts only among lines of the same name (RFC 9110, section 5.3).
    headers.sort(key=itemgetter(0))
    timeouts = request.extensions.get("timeout", {}).values()
    return request.method, str(request.url), *timeouts, *headers


def _response_for(request: Request, shared: Response) -> Response:
    """Return a response with the same content, but no state in common."""
    response = Response(
        shared.status_code,
        headers=shared.headers,
        stream=shared.stream,
        extensions=shared.extensions,
        request=request,
    )
    if shared.is_stream_consumed:  # Its content is there, and so is that of the copy.
        response.read()
    return response


def _error_for(request: Request, shared: HTTPError) -> HTTPError:
    """Return an equal error: one that is raised by many would collect all their tracebacks."""
    # Not copy.copy(), which calls __init__, whose arguments the class may have changed.
    error = type(shared).__new__(type(shared), *shared.args)
    vars(error).update(vars(shared))
    error.request = request
    error.__cause__, error.__context__ = shared.__cause__, shared.__context__
    error.__suppress_context__ = shared.__suppress_context__
    return error.with_traceback(shared.__traceback__)
