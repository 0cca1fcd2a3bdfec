import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import trustme

from onloop.http import ConnectError
from onloop.http.environment import proxy_for
from onloop.testing import Answer, Call, Upstream, serve_upstream
from tests.http.calls import closed_port, get, hello

pytestmark = pytest.mark.usefixtures("transport")


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


async def test_http_through_a_proxy_with_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
        assert await get("http://nowhere.invalid/path?q=1") == b'"from the proxy"'
    (call,) = proxy.calls
    assert call.target == "http://nowhere.invalid/path?q=1"
    assert call.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context whose authority ``SSL_CERT_FILE`` names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "upstream.test").configure_cert(context)
    return context


async def test_https_through_a_proxy(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    async with serve_upstream(hello, tls) as upstream, serve_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert await get(upstream.url.replace("localhost", "upstream.test")) == b'"hello"'
    assert proxy.calls[0].head.startswith("CONNECT upstream.test:")
    assert len(upstream.calls) == 1


async def test_proxy_that_refuses_the_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(call: Call) -> None:
        await call.reply(b"", "403 Forbidden")

    async with serve_proxy(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ConnectError):
            await get("https://upstream.test/")


async def test_proxy_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(ConnectError):
        await get("http://upstream.test/")


async def test_proxy_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(ConnectError, match=r"neither http:// nor https://\.$"):
        await get("http://upstream.test/")


async def test_loopback_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    async with serve_upstream(hello) as upstream:
        assert await get(upstream.url) == b'"hello"'
        assert await get(upstream.url.replace("127.0.0.1", "LOCALHOST")) == b'"hello"'


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


# TLS and HTTP/2


async def test_certificate_of_an_authority_the_environment_names(tls: ssl.SSLContext) -> None:
    async with serve_upstream(hello, tls) as upstream:
        assert await get(upstream.url) == b'"hello"'


async def test_certificate_of_an_unknown_authority(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with serve_upstream(hello, tls) as upstream:
        with pytest.raises(ConnectError):
            await get(upstream.url)
    assert not upstream.calls


async def speak_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    while data := await reader.read(65_536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.stream_id
                connection.send_headers(event.stream_id, [(":status", "200")])
                connection.send_data(event.stream_id, b'"over HTTP/2"', end_stream=True)
        writer.write(connection.data_to_send())
    writer.close()


async def test_http2_where_transport_and_server_speak_it(
    transport: str, tls: ssl.SSLContext
) -> None:
    tls.set_alpn_protocols(["h2", "http/1.1"])
    speak_http1 = Upstream(hello)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await (speak_http2 if protocol == "h2" else speak_http1)(reader, writer)

    server = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=tls)
    async with server:
        body = await get(f"https://localhost:{server.sockets[0].getsockname()[1]}/")
    assert body == (b'"over HTTP/2"' if transport == "httpx" else b'"hello"')
