import pytest
from pytest_django import Settings

pytest_plugins = ["onloop.testing", "tests.services.fixtures", "tests.services.own_redis"]


@pytest.fixture(params=["aiohttp", "pyreqwest"])
def wire(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Run the test on each wire."""
    settings.HTTP_TRANSPORT = request.param
    return str(request.param)
