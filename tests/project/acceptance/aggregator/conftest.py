from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from config.asgi import application
from django.test import override_settings
from onloop.testing import serve_app
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _fan_out_of_ten_to_ourselves(settings: Settings) -> None:
    """Make the tests independent of the project's own settings."""
    settings.AGGREGATOR_FAN_OUT = 10
    settings.AGGREGATOR_UPSTREAM_URL = ""
    settings.AGGREGATOR_RATE_LIMIT = None


@pytest.fixture(scope="session", params=["aiohttp", "pyreqwest"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the project, served by one real uvicorn for each HTTP transport."""
    with ExitStack() as server:
        with override_settings(HTTP_TRANSPORT=request.param):
            url = server.enter_context(serve_app(application))
        yield url
