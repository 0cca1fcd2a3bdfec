"""A pytest plugin with fixtures for the tests of a project, built on real servers.

Put `pytest_plugins = ["onloop.testing"]` into the `conftest.py` next to `manage.py` or at the top
of the tests. The plugin needs pytest, pytest-asyncio and pytest-django. Its fixtures are:

* `upstream`: a server on a free port whose responses the test writes (`Upstream`, `Call`);
* `server`: the URL of the project, served by a real uvicorn for all tests;
* `hops`: the calls that left the event loop for a thread, so that a test can `assert not hops`.

A test with `django_db` shares one connection with the views that it calls, and is rolled back. If
it also uses `server`, it commits, and the tables are emptied after it.

Each test starts with closed circuits, an empty cache of upstreams and unused rate limits, and
without the shell's proxies.
"""

from onloop.testing.database import _one_connection, pytest_itemcollected
from onloop.testing.hop_counter import hops
from onloop.testing.isolation import (
    _no_proxy,
    _nothing_cached_of_any_upstream,
    _nothing_counted_of_any_client,
    _nothing_known_of_any_upstream,
)
from onloop.testing.servers import TLS, fetch, serve_app, serve_process, server
from onloop.testing.upstreams import Answer, Call, Upstream, barrier, serve_upstream, upstream

__all__ = [
    "TLS",
    "Answer",
    "Call",
    "Upstream",
    "_no_proxy",
    "_nothing_cached_of_any_upstream",
    "_nothing_counted_of_any_client",
    "_nothing_known_of_any_upstream",
    "_one_connection",
    "barrier",
    "fetch",
    "hops",
    "pytest_itemcollected",
    "serve_app",
    "serve_process",
    "serve_upstream",
    "server",
    "upstream",
]
