from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.test import override_settings

from config.asgi import application
from tests.servers import serve_app


@pytest.fixture(scope="session", params=["aiohttp", "httpx"])
def live_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the project, served by one real uvicorn for each HTTP transport."""
    with ExitStack() as server:
        with override_settings(HTTP_TRANSPORT=request.param):
            url = server.enter_context(serve_app(application))
        yield url
