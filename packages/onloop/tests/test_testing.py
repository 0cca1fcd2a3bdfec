"""The database in tests: views and the test see each other's rows, and no row is left behind."""

import asyncio

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import connection, connections
from django.test import AsyncClient, Client, TestCase
from pytest_django import Settings

from onloop.asgi.thread_pool import SyncThreads
from onloop.asgi.threads import OwnThread
from onloop.testing import TLS

User = get_user_model()

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("_nothing_left_by_others"),
]


@pytest.fixture
def _nothing_left_by_others(db: None, settings: Settings) -> None:
    assert not User.objects.exists()
    settings.ROOT_URLCONF = "tests.writing_views"


@pytest.fixture
def ada(db: None) -> AbstractUser:
    return User.objects.create(username="ada")


@pytest.mark.parametrize("view", ["async", "sync"])
async def test_async_test_and_view_see_what_the_other_wrote(
    async_client: AsyncClient, ada: AbstractUser, view: str
) -> None:
    await User.objects.acreate(username="grace")

    response = await async_client.post(f"/{view}/")

    assert response.json() == {"users": ["ada", "grace", "new"]}
    assert await User.objects.acount() == 3


@pytest.mark.parametrize("view", ["async", "sync"])
def test_sync_test_and_view_see_what_the_other_wrote(
    client: Client, ada: AbstractUser, view: str
) -> None:
    assert client.post(f"/{view}/").json() == {"users": ["ada", "new"]}
    assert User.objects.count() == 2


async def test_concurrent_requests_of_one_test_write(async_client: AsyncClient) -> None:
    await asyncio.gather(*(async_client.post(f"/async/?name={n}") for n in range(10)))

    assert await User.objects.acount() == 10


async def test_threads_use_the_connection_of_the_test(ada: AbstractUser) -> None:
    assert await asyncio.to_thread(User.objects.count) == 1
    async with OwnThread(SyncThreads(1)):
        assert await User.objects.acount() == 1
        await User.objects.acreate(username="grace")

    assert await User.objects.acount() == 2


@pytest.mark.django_db(True)
async def test_test_that_commits_has_a_connection_for_each_thread() -> None:
    other = await sync_to_async(lambda: connections["default"])()

    assert other is not connections["default"]


def test_served_request_and_test_see_what_the_other_committed(
    server: str, ada: AbstractUser
) -> None:
    assert httpx.post(f"{server}/sync/", verify=TLS).json() == {"users": ["ada", "new"]}
    assert not connection.in_atomic_block


async def test_async_test_of_the_server_commits_too(server: str, ada: AbstractUser) -> None:
    async with httpx.AsyncClient(verify=TLS) as client:
        response = await client.post(f"{server}/async/")

    assert response.json() == {"users": ["ada", "new"]}


class TestOfDjango(TestCase):
    """Django's own idiom."""

    async def test_async_method(self) -> None:
        await User.objects.acreate(username="ada")
        with self.settings(ROOT_URLCONF="tests.writing_views"):
            response = await self.async_client.post("/async/")
        self.assertEqual(response.json(), {"users": ["ada", "new"]})
