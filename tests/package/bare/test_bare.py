"""What `onloop` promises, in a project without anything else from the template.

This folder is copied into a project made by `startproject`, and its tests run there.
"""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from contextlib import AsyncExitStack

import httpx
import pytest
from onloop.testing import TLS, fetch, serve_process

STREAMS = 50


async def test_hello_makes_no_hop(server: str, hops: list[str]) -> None:
    async with httpx.AsyncClient(base_url=server, timeout=60, verify=TLS) as client:
        responses = [await client.get("/hello/") for _ in range(3)]

    assert [response.text for response in responses] == ["hello"] * 3
    assert hops == []


async def test_stream_holds_no_thread(server: str, hops: list[str]) -> None:
    threads = threading.active_count()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=60, verify=TLS))
        for _ in range(STREAMS):
            stream = client.stream("GET", f"{server}/stream/")
            response = await stack.enter_async_context(stream)
            assert await anext(response.aiter_bytes()) == b"tick"

        assert threading.active_count() == threads
    assert hops == []


async def until(status: str, url: str) -> None:
    async with httpx.AsyncClient(timeout=60, verify=TLS) as client, asyncio.timeout(60):
        while (await client.get(url)).text != status:  # noqa: ASYNC110 - a database has no events
            await asyncio.sleep(0.05)


@pytest.fixture
def _migrated() -> None:
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True)


@pytest.mark.usefixtures("_migrated")
async def test_job_survives_kill_9() -> None:
    with serve_process() as (server, url):
        job = (await asyncio.to_thread(fetch, f"{url}/jobs/")).text
        await until("RUNNING", f"{url}/jobs/{job}/")
        server.kill()

    with serve_process() as (_, url):
        await asyncio.to_thread(fetch, f"{url}/hello/")
        await until("SUCCESSFUL", f"{url}/jobs/{job}/")


def test_runserver_serves_the_asgi_application() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    command = [sys.executable, "manage.py", "runserver", "--noreload", port]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        assert any("Uvicorn running" in line for line in server.stderr)
        text = fetch(f"http://127.0.0.1:{port}/hello/").text
        server.send_signal(signal.SIGINT)

    assert text == "hello"
