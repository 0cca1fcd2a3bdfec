"""Isolation of tests from each other's state in this process, and from the shell's proxies."""

import pytest

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _nothing_known_of_any_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with closed circuits, and forget the upstreams that a test declares."""
    from onloop.http import upstreams  # Not before coverage measures it.

    known = upstreams()
    monkeypatch.setattr("onloop.http.upstream._upstreams", {one.name: one for one in known})
    for upstream in known:
        upstream.forget()


@pytest.fixture(autouse=True)
def _nothing_counted_of_any_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the requests that rate limits have counted."""
    monkeypatch.setattr("onloop.rate_limit._full", {})
    monkeypatch.setattr("onloop.shared_rates._redis_down_until", 0.0)


@pytest.fixture(autouse=True)
def _nothing_cached_of_any_upstream() -> None:
    """Forget the answers that are cached in memory."""
    from onloop.http.cache.memory import forget_everything

    forget_everything()
