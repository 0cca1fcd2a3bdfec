"""Proxies and certificates of the environment, and HTTP/2."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from onloop.http.wires import Wire
from onloop.http.wires.environment import proxy_for
from onloop.testing import Answer, Call, Upstream, serve_upstream
from tests.http.wires.calls import closed_port, get, hello, send

# Proxies


@asynccontextmanager
async def serve_proxy(answer: Answer | None = None) -> AsyncIterator[Upstream]:
    """A proxy that answers plain requests itself; its tunnels lead to this machine."""

    async def tunnel(call: Call) -> None:
        if not call.head.startswith("CONNECT "):
            await call.reply(b'"from the proxy"')
            return
        port = int(call.target.split(":")[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await call.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(call.reader, writer), pump(reader, call.writer))

    async with serve_upstream(answer or tunnel) as proxy:
        yield proxy


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_http_through_a_proxy_with_credentials(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://nowhere.invalid/path?q=1"
    async with serve_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
        assert await get(wire, url) == b'"from the proxy"'
        assert (await send(wire, "POST", url, json={})).content == b'"from the proxy"'
        await wire.aclose()
    for call in proxy.calls:
        assert call.target == url
        assert call.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
        assert call.headers["host"] == "nowhere.invalid"


async def test_https_through_a_proxy(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext
) -> None:
    async with serve_upstream(hello, server_tls) as upstream, serve_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
        url = upstream.url.replace("localhost", "upstream.test")
        assert await get(wire, url) == b'"hello"'
        assert (await send(wire, "POST", url, json={})).content == b'"hello"'
        await wire.aclose()
    assert proxy.calls[0].head.startswith("CONNECT upstream.test:")
    assert proxy.calls[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert not any("proxy-authorization" in call.headers for call in upstream.calls)
    assert len(upstream.calls) == 2


async def test_proxy_that_refuses_the_tunnel(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(call: Call) -> None:
        await call.reply(b"", "403 Forbidden")

    async with serve_proxy(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(httpx.ConnectError, match=r"^No connection to the server could be made"):
            await get(wire, "https://upstream.test/")
        with pytest.raises(httpx.ConnectError):
            await send(wire, "GET", "https://upstream.test/")


async def test_proxy_that_is_down(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(httpx.ConnectError):
        await get(wire, "http://upstream.test/")


async def test_proxy_of_another_kind(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(httpx.ConnectError, match=r"neither http:// nor https://\.$"):
        await get(wire, "http://upstream.test/")


async def test_loopback_is_called_directly(
    wire: Wire, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert await get(wire, upstream.url) == b"{}"
    assert await get(wire, upstream.url.replace("127.0.0.1", "LOCALHOST")) == b"{}"


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://example.com/", "http://plain.test:3128"),
        ("https://example.com/", "http://secure.test"),
        ("http://10.0.0.1/", "http://plain.test:3128"),
        ("http://internal.test/", None),
        ("http://api.internal.test/", None),
        ("http://[::1]:8000/", None),
        ("http://127.1.2.3/", None),
    ],
)
def test_which_proxy_the_environment_names(
    url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "plain.test:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://secure.test")
    monkeypatch.setenv("NO_PROXY", "internal.test")
    assert proxy_for(url) == proxy


# TLS


async def test_certificate_of_an_authority_the_environment_names(
    wire: Wire, server_tls: ssl.SSLContext
) -> None:
    async with serve_upstream(hello, server_tls) as upstream:
        for _ in range(2):
            assert await get(wire, upstream.url) == b'"hello"'
            assert (await send(wire, "POST", upstream.url)).content == b'"hello"'
        await wire.aclose()
    assert upstream.connections == 1


async def test_certificate_of_an_unknown_authority(
    wire: Wire, tmp_path: Path, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    wire = type(wire)()
    async with serve_upstream(hello, server_tls) as upstream:
        with pytest.raises(httpx.ConnectError, match="No connection to the server"):
            await get(wire, upstream.url)
        with pytest.raises(httpx.ConnectError):
            await send(wire, "GET", upstream.url)
        await wire.aclose()
    assert not upstream.calls


# HTTP/2


async def speak_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request with a status 200 and a body; https://www.rfc-editor.org/rfc/rfc9113"""

    def send_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        writer.write(struct.pack(">I", len(payload))[1:] + bytes((kind, flags)))
        writer.write(struct.pack(">I", stream) + payload)

    data, headers, settings = 0, 1, 4
    end_stream, ack, end_headers = 1, 1, 4
    await reader.readexactly(len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    send_frame(settings, 0, 0)
    while start := await reader.read(9):
        kind, flags = start[3], start[4]
        (stream,) = struct.unpack(">I", start[5:])
        await reader.readexactly(int.from_bytes(start[:3]))
        if kind == settings and not flags & ack:
            send_frame(settings, ack, 0)
        if kind in {headers, data} and flags & end_stream:
            send_frame(headers, end_headers, stream, b"\x88")  # The status 200 of HPACK's table.
            send_frame(data, end_stream, stream, b'"over HTTP/2"')
    writer.close()


async def test_http2_where_wire_and_server_speak_it(
    wire: Wire, transport: str, server_tls: ssl.SSLContext
) -> None:
    server_tls.set_alpn_protocols(["h2", "http/1.1"])
    speak_http1 = Upstream(hello)
    connections = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await (speak_http2 if protocol == "h2" else speak_http1)(reader, writer)

    server = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=server_tls)
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
        body = await get(wire, url)
        response = await send(wire, "POST", url, json={})
        assert await asyncio.gather(*(get(wire, url) for _ in range(5))) == [body] * 5
        await wire.aclose()
    assert response.content == body
    if transport == "pyreqwest":
        assert (body, response.http_version, connections) == (b'"over HTTP/2"', "HTTP/2", 1)
    else:
        assert (body, response.http_version) == (b'"hello"', "HTTP/1.1")
