"""The stop of the server, as the clients of its WebSockets see it."""

import asyncio
import signal

from onloop.testing import serve_process, serve_upstream

from tests.acceptance.clients import talk
from tests.acceptance.upstreams import Hanging


async def test_stop_of_the_server_closes_every_connection() -> None:
    patient = ("--timeout-graceful-shutdown", "50")
    hanging = Hanging(5)
    async with serve_upstream(hanging) as upstream:
        environment = {"AGGREGATOR_UPSTREAM_URL": upstream.url, "LOG_LEVEL": "warning"}
        with serve_process(*patient, **environment) as (server, url):
            async with talk(url) as running, talk(url) as idle, talk(url) as following:
                run = await running.start(5)
                await following.say(type="follow", run=run)
                await hanging.all_in.wait()
                await following.hear()
                server.terminate()
                codes = {await client.close_code() for client in (running, idle, following)}
            await upstream.all_closed.wait()
            _, log = await asyncio.to_thread(server.communicate)

    assert codes <= {1001, 1012}
    assert log == ""
    assert server.returncode == -signal.SIGTERM
