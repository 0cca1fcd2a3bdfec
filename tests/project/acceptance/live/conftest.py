import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _upstream_of_the_test(settings: Settings) -> None:
    """Make the tests independent of the project's own settings."""
    settings.AGGREGATOR_FAN_OUT = 10
    settings.AGGREGATOR_UPSTREAM_URL = ""
    settings.AGGREGATOR_RATE_LIMIT = None
