"""Upstreams against real servers: how they are declared and called."""

import base64
import json
from itertools import chain, repeat

import httpx
import pytest

from onloop.http import (
    CircuitOpenError,
    DeadlineExceeded,
    ForeignURLError,
    Upstream,
    deadline,
    shared_http_client,
    upstreams,
)
from onloop.testing import Call, serve_upstream
from tests.http.calls import broken, closed_port, declare, hello


class TestDeclaration:
    @pytest.mark.parametrize("name", ["", "Prices", "9prices", "a b", "a/b", "x" * 64])
    def test_name_must_be_plain(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"^The name of an upstream is .*, but it must be "):
            declare("http://prices.example/", name)

    @pytest.mark.parametrize(
        "url", ["", "prices", "/v1", "ftp://a.example/", "http://", "http://\x00"]
    )
    def test_base_url_must_be_absolute(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"^base_url=.* of prices, but it must be an absolute"):
            declare(url)

    def test_name_is_taken_once(self) -> None:
        declare("http://prices.example/")
        with pytest.raises(ValueError, match=r"^There are two upstreams with the name 'prices'"):
            declare("http://other.example/")

    def test_all_are_known(self) -> None:
        prices, stock = (declare("http://a.example/", name) for name in ("prices", "stock"))
        assert [*upstreams()][-2:] == [prices, stock]

    def test_secrets_are_in_no_repr(self) -> None:
        prices = declare(
            "https://ada:hunter2@prices.example/",
            headers={"Authorization": "Bearer hunter2"},
            auth=("ada", "hunter2"),
        )
        assert repr(prices) == "<Upstream prices>"
        assert "hunter2" not in repr([prices, prices.transport, prices.stack, prices.figures()])


@pytest.mark.usefixtures("wire")
class TestCalls:
    async def test_post_with_token_and_json(self) -> None:
        async with serve_upstream(echoed_body) as server:
            prices = declare(server.url, headers={"Authorization": "Bearer hunter2"})
            response = await prices.post("/quote", json={"sku": 7}, params={"currency": "EUR"})
        assert response.json() == {"sku": 7}
        (call,) = server.calls
        assert call.head.startswith("POST /quote?currency=EUR HTTP/1.1\r\n")
        assert call.headers["authorization"] == "Bearer hunter2"
        assert call.headers["content-type"] == "application/json"

    async def test_base_url_may_be_found_late_and_have_a_path(self) -> None:
        async with serve_upstream(hello) as server:
            prices = Upstream("prices", base_url=lambda: f"{server.url}v1")
            await prices.get("items/3")
            await prices.get("/items/4")
        assert [call.target for call in server.calls] == ["/v1/items/3", "/v1/items/4"]

    async def test_credentials_of_the_url_are_sent_and_in_no_error(self) -> None:
        async with serve_upstream(broken) as server:
            prices = declare(server.url.replace("//", "//ada:hunter%402@"), retries=0)
            response = await prices.get("/")
            with pytest.raises(httpx.HTTPStatusError) as caught:
                response.raise_for_status()
        assert "hunter" not in f"{caught.value!r} {response.request!r} {response.url}"
        (call,) = server.calls
        basic = base64.b64encode(b"ada:hunter@2").decode()
        assert call.headers["authorization"] == f"Basic {basic}"

    async def test_dead_one(self) -> None:
        dead = declare(f"http://127.0.0.1:{closed_port()}/", retries=0)
        with pytest.raises(httpx.ConnectError) as caught:
            await dead.get("/")
        assert caught.value.request.url.path == "/"

    async def test_another_server_gets_nothing(self) -> None:
        async with serve_upstream(hello) as server, serve_upstream(hello) as other:
            prices = declare(server.url, headers={"X-Api-Key": "secret"})
            with pytest.raises(ForeignURLError, match=r"is not the server of the upstream prices"):
                await prices.get(other.url)
        assert not other.calls

    async def test_redirect_to_another_server_is_not_followed(self) -> None:
        async def redirect(call: Call) -> None:
            await call.reply(b"", "307 Temporary Redirect", f"Location: {other.url}")

        async with serve_upstream(redirect) as server, serve_upstream(hello) as other:
            prices = declare(server.url, follow_redirects=True, headers={"X-Api-Key": "secret"})
            with pytest.raises(ForeignURLError):
                await prices.get("/")
        assert not other.calls

    async def test_redirects_are_followed_where_it_says_so(self) -> None:
        async def redirect(call: Call) -> None:
            if call.target == "/old":
                await call.reply(b"", "301 Moved Permanently", "Location: /new")
            else:
                await hello(call)

        async with serve_upstream(redirect) as server:
            assert (await declare(server.url).get("/old")).status_code == 301
            follower = declare(server.url, "follower", follow_redirects=True)
            assert (await follower.get("/old")).json() == "hello"

    async def test_cookies_are_not_kept(self) -> None:
        async def answer(call: Call) -> None:
            await call.reply(b"{}", "200 OK", "Set-Cookie: session=ada")

        async with serve_upstream(answer) as server:
            prices = declare(server.url)
            for _ in range(2):
                await prices.get("/")
        assert all("cookie" not in call.headers for call in server.calls)

    async def test_it_needs_no_block_and_outlives_one(self) -> None:
        async with serve_upstream(hello) as server:
            prices = declare(server.url)
            async with prices as same:
                assert same is prices
            await prices.aclose()
            assert (await prices.get("/")).json() == "hello"

    async def test_client_of_an_sdk_has_the_same_concerns(self) -> None:
        async with serve_upstream(broken) as server:
            prices = declare(server.url, retries=0)
            headers = {"Accept-Encoding": "br, zstd"}
            async with httpx.AsyncClient(transport=prices.transport, headers=headers) as sdk:
                for _ in range(20):
                    assert (await sdk.get(server.url)).status_code == 500
                with pytest.raises(CircuitOpenError):
                    await sdk.get(server.url)
        assert server.calls[0].headers["accept-encoding"] == "gzip, deflate"

    async def test_client_of_an_sdk_may_stream_events(self) -> None:
        async def answer(call: Call) -> None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            await call.send(head + b"data: 1\n\n")
            await call.closed()

        async with serve_upstream(answer) as server, shared_http_client():
            prices = declare(server.url)
            client = httpx.AsyncClient(transport=prices.transport)
            async with client, client.stream("GET", server.url) as response:
                lines = response.aiter_lines()
                assert await anext(lines) == "data: 1"
                assert prices.figures().in_flight == 1
            assert prices.figures().in_flight == 0
            await server.all_closed.wait()


async def echoed_body(call: Call) -> None:
    await call.reply(await call.reader.readexactly(int(call.headers["content-length"])))


class TestDeadline:
    async def test_each_attempt_tells_what_is_left(self) -> None:
        answers = chain([broken], repeat(hello))

        async def answer(call: Call) -> None:
            await next(answers)(call)

        async with serve_upstream(answer) as server:
            stock = declare(server.url, deadline_header="X-Deadline-Ms")
            with deadline(30):
                await stock.get("/")
        first, second = (int(call.headers["x-deadline-ms"]) for call in server.calls)
        assert 30_000 >= first > second > 0

    async def test_call_ends_with_it(self) -> None:
        async with serve_upstream(Call.closed) as server:
            with deadline(0.05), pytest.raises(DeadlineExceeded):
                await declare(server.url).get("/")


class TestMock:
    async def test_wire_is_replaced_and_nothing_else(self) -> None:
        prices = declare("https://prices.example/", retries=0)
        mock = httpx.MockTransport(lambda request: httpx.Response(503, json={}))
        with prices.mock(mock):
            for _ in range(20):
                assert (await prices.get("/")).status_code == 503
            with pytest.raises(CircuitOpenError):
                await prices.get("/")

    async def test_bodies_of_a_fan_out_come_from_it_too(self) -> None:
        prices = declare("https://prices.example/")
        mock = httpx.MockTransport(lambda request: httpx.Response(200, json=request.url.path))
        with prices.mock(mock):
            body = await prices.get_body("https://prices.example/1", timeout=1, max_bytes=100)
        assert json.loads(body) == "/1"
