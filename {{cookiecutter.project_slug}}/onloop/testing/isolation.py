"""Isolation of tests from each other's state in this process, and from the shell's proxies."""

import pytest

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _nothing_known_of_any_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close all circuits, and forget the latencies that hedging is based on."""
    monkeypatch.setattr("onloop.http.origins._origins", {})


@pytest.fixture(autouse=True)
def _nothing_counted_of_any_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the requests that rate limits have counted."""
    monkeypatch.setattr("onloop.rate_limit._full", {})
    monkeypatch.setattr("onloop.shared_rates._redis_down_until", 0.0)
