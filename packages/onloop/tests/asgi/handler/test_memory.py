"""What is left of a request when its client has left."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from django.http import HttpRequest, StreamingHttpResponse

from onloop.asgi.handler import EventLoopASGIHandler
from tests.asgi.handler.exchange import Exchange


@pytest.fixture
def _no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_collection")
async def test_response_is_gone_with_its_client(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    begun = asyncio.Event()
    responses: list[weakref.ref[StreamingHttpResponse]] = []

    async def stream() -> AsyncIterator[bytes]:
        yield b"begin"
        begun.set()
        await asyncio.Event().wait()

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        response = StreamingHttpResponse(stream())
        responses.append(weakref.ref(response))
        return response

    exchange = Exchange(serve(view), "/view/")
    await asyncio.wait_for(begun.wait(), 10)
    exchange.disconnect()
    await asyncio.wait_for(exchange.task, 10)

    assert [response() for response in responses] == [None]
