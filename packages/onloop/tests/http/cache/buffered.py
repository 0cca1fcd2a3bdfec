"""A wire that reads bodies completely, as the transports below a cache do."""

import httpx


class BufferedTransport(httpx.AsyncBaseTransport):
    """httpx's own transport; a body that the caller does not stream is read."""

    def __init__(self) -> None:
        self._wire = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._wire.handle_async_request(request)
        if request.extensions.get("stream"):
            return response
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = b"".join([chunk async for chunk in response.stream])
        await response.aclose()
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=httpx.ByteStream(body),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._wire.aclose()
