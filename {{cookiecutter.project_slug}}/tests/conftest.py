import pytest
from pytest_django import Settings

from onloop.testing import Upstream
from tests.answers import echo


@pytest.fixture(autouse=True)
def _settings_of_the_tests(settings: Settings) -> None:
    """Make the tests independent of the project's own settings."""
    settings.AGGREGATOR_FAN_OUT = 10
    settings.AGGREGATOR_MAX_FAN_OUT = 1000
    settings.AGGREGATOR_UPSTREAM_URL = ""
    settings.AGGREGATOR_RATE_LIMIT = None


@pytest.fixture
def upstream(upstream: Upstream, settings: Settings) -> Upstream:
    """The server that aggregations call; its `answer` is `{"task_id": N}` at first."""
    upstream.answer = echo
    settings.AGGREGATOR_UPSTREAM_URL = upstream.url
    return upstream
