import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _upstream_of_the_test(settings: Settings) -> None:
    """Let no setting of this project's own decide what the tests see."""
    settings.AGGREGATOR_FAN_OUT = 10
    settings.AGGREGATOR_UPSTREAM_URL = ""
    settings.AGGREGATOR_RATE_LIMIT = None
