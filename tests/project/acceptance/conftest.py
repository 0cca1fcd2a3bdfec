import pytest
from pytest_django import Settings

pytest_plugins = [
    "tests.acceptance.services.fixtures",
    "tests.acceptance.services.own_redis",
]


@pytest.fixture(params=["aiohttp", "pyreqwest"])
def transport(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Run the test on each HTTP transport."""
    settings.HTTP_TRANSPORT = request.param
    return str(request.param)
