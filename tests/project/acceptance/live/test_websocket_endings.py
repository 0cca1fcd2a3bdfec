"""A server stop, as seen by WebSocket clients."""

import asyncio
import signal

from onloop.testing import serve_process, serve_upstream

from tests.acceptance.clients import connected
from tests.answers import Hanging


async def test_server_stop_closes_every_connection() -> None:
    patient = ("--timeout-graceful-shutdown", "50")
    hanging = Hanging(5)
    async with serve_upstream(hanging) as upstream:
        environment = {"AGGREGATOR_UPSTREAM_URL": upstream.url, "LOG_LEVEL": "warning"}
        with serve_process(*patient, **environment) as (server, url):
            async with (
                connected(url) as running,
                connected(url) as idle,
                connected(url) as following,
            ):
                run = await running.start(5)
                await following.send(type="follow", run=run)
                await hanging.all_in.wait()
                await following.receive()
                server.terminate()
                codes = {await client.close_code() for client in (running, idle, following)}
            await upstream.all_closed.wait()
            _, log = await asyncio.to_thread(server.communicate)

    assert codes <= {1001, 1012}
    assert log == ""
    assert server.returncode == -signal.SIGTERM
