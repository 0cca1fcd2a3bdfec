"""The names of httpx that this package uses. No other module imports httpx.

httpx is the interface of calls, not what carries them: `onloop.http.wires` does.
"""

from onloop.imports import not_installed

# httpx imports its command line if it can, with click, rich and pygments.
with not_installed("httpx._main"):
    from httpx import (
        URL,
        AsyncBaseTransport,
        AsyncByteStream,
        AsyncClient,
        Auth,
        ByteStream,
        ConnectError,
        Cookies,
        DecodingError,
        Headers,
        HTTPError,
        HTTPStatusError,
        InvalidURL,
        LocalProtocolError,
        PoolTimeout,
        ProxyError,
        ReadError,
        ReadTimeout,
        RemoteProtocolError,
        Request,
        RequestError,
        Response,
        Timeout,
        TimeoutException,
        TransportError,
        UnsupportedProtocol,
        create_ssl_context,
        get,
    )

__all__ = [
    "URL",
    "AsyncBaseTransport",
    "AsyncByteStream",
    "AsyncClient",
    "Auth",
    "ByteStream",
    "ConnectError",
    "Cookies",
    "DecodingError",
    "HTTPError",
    "HTTPStatusError",
    "Headers",
    "InvalidURL",
    "LocalProtocolError",
    "PoolTimeout",
    "ProxyError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "Request",
    "RequestError",
    "Response",
    "Timeout",
    "TimeoutException",
    "TransportError",
    "UnsupportedProtocol",
    "create_ssl_context",
    "get",
]
