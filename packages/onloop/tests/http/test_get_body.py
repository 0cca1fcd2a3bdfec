"""The bodies of a fan-out: the short way does what all transports do."""

from itertools import chain, repeat

import httpx
import pytest

from onloop.http import (
    BodyQuota,
    BodyTooLarge,
    CircuitOpenError,
    QuotaExceeded,
    Upstream,
    shared_http_client,
)
from onloop.testing import Call, serve_upstream
from tests.http.calls import broken, declare, hello


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("way", ["short", "whole"])
class TestBodies:
    """`get_body()` is the same on its short way and through all transports."""

    def declare(self, url: str, way: str) -> Upstream:
        return declare(url, retries=0, coalesce=way == "whole")

    async def test_body(self, way: str) -> None:
        async with serve_upstream(hello) as server:
            prices = self.declare(server.url, way)
            assert await prices.get_body(server.url, timeout=30, max_bytes=7) == b'"hello"'
            async with shared_http_client():
                assert await prices.get_body(server.url, timeout=30, max_bytes=7) == b'"hello"'

    async def test_headers_are_sent(self, way: str) -> None:
        async with serve_upstream(hello) as server:
            headers = {"Authorization": "Bearer hunter2"}
            prices = declare(server.url, headers=headers, coalesce=way == "whole")
            await prices.get_body(server.url, timeout=30, max_bytes=100)
        assert server.calls[0].headers["authorization"] == "Bearer hunter2"

    async def test_failing_status(self, way: str) -> None:
        async with serve_upstream(broken) as server:
            prices = self.declare(server.url, way)
            for _ in range(20):
                with pytest.raises(httpx.HTTPStatusError, match=r"^The server .* status 500\.$"):
                    await prices.get_body(server.url, timeout=30, max_bytes=100)
            with pytest.raises(CircuitOpenError):
                await prices.get_body(server.url, timeout=30, max_bytes=100)
        assert len(server.calls) == 20

    async def test_transient_failure_is_repeated_and_slow_calls_are_hedged(
        self, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        monkeypatch.setattr("onloop.http.retry.sleep", sleep)

        async def busy(call: Call) -> None:
            await call.reply(b"", "503 Service Unavailable", "Retry-After: 7")

        async def answer(call: Call) -> None:
            await next(answers)(call)

        answers = chain([busy], repeat(hello))
        async with serve_upstream(answer) as server:
            prices = declare(server.url, retries=1, hedge=True, coalesce=way == "whole")
            assert await prices.get_body(server.url, timeout=30, max_bytes=7) == b'"hello"'
        assert len(server.calls) == 2
        assert [int(pause) for pause in pauses] == [7]

    async def test_too_large_a_body(self, way: str) -> None:
        async with serve_upstream(hello) as server:
            prices = self.declare(server.url, way)
            with pytest.raises(BodyTooLarge, match=r"^The server's answer is larger than 6 bytes"):
                await prices.get_body(server.url, timeout=30, max_bytes=6)

    async def test_quota(self, way: str) -> None:
        quota = BodyQuota(10)
        async with serve_upstream(hello) as server:
            prices = self.declare(server.url, way)
            await prices.get_body(server.url, timeout=30, max_bytes=100, quota=quota)
            with pytest.raises(QuotaExceeded):
                await prices.get_body(server.url, timeout=30, max_bytes=100, quota=quota)

    async def test_timeout(self, way: str) -> None:
        async with serve_upstream(Call.closed) as server:
            prices = self.declare(server.url, way)
            with pytest.raises(httpx.ReadTimeout, match=r"^The server did not answer within 0\.1"):
                await prices.get_body(server.url, timeout=0.1, max_bytes=100)
