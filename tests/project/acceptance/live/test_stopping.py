"""SIGTERM on a busy server."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack

import httpx
from onloop.testing import Call, serve_process, serve_upstream
from websockets.asyncio.client import connect
from websockets.frames import CloseCode
from websockets.typing import Origin

STREAMS = 200
AGGREGATIONS = 20
IDLE_SOCKETS = 40
BUSY_SOCKETS = 10
GOODBYES = {CloseCode.GOING_AWAY, CloseCode.SERVICE_RESTART}
PATIENT = ("--timeout-graceful-shutdown", "50")
PATIENT_CALLS = {"AGGREGATOR_TIMEOUT": "50", "AGGREGATOR_DEADLINE": "50", "LOG_LEVEL": "warning"}
CUT_OFF = 'event: start\nid: 0\ndata: {"count": 2, "concurrency": 2}\n\nretry: 2000\n\n'


class Upstream:
    """Holds calls for task 0 until they are released, and calls for task 1 until they end.

    Aggregations call only task 0; runs that the stop should cut off call both.
    """

    def __init__(self, cut_off: int, finished: int) -> None:
        self.expected = 2 * cut_off + finished
        self.to_end = cut_off
        self.all_asked, self.all_ended, self.released = (asyncio.Event() for _ in range(3))

    async def __call__(self, call: Call) -> None:
        self.expected -= 1
        if self.expected == 0:
            self.all_asked.set()
        if call.target.endswith("task_id=0"):
            await self.released.wait()
            await call.reply(b'"late"')
            return
        await call.closed()
        self.to_end -= 1
        if self.to_end == 0:
            self.all_ended.set()


async def test_stop_finishes_responses_and_ends_streams_and_sockets() -> None:
    held = Upstream(cut_off=STREAMS + BUSY_SOCKETS, finished=AGGREGATIONS)
    limits = httpx.Limits(max_connections=None)
    async with (
        serve_upstream(held) as upstream,
        httpx.AsyncClient(limits=limits, timeout=60) as client,
        asyncio.TaskGroup() as asking,
        AsyncExitStack() as leaving,
    ):
        environment = PATIENT_CALLS | {"AGGREGATOR_UPSTREAM_URL": upstream.url}
        with serve_process(*PATIENT, **environment) as (server, url):

            def get(path: str) -> asyncio.Task[httpx.Response]:
                return asking.create_task(client.get(url + path))

            streams = [get("/async/api_stream/?fan_out=2") for _ in range(STREAMS)]
            answers = [get("/async/api_aggregated/?fan_out=1") for _ in range(AGGREGATIONS)]
            address = url.replace("http", "ws") + "/ws/aggregate/"
            sockets = [
                await leaving.enter_async_context(connect(address, origin=Origin(url)))
                for _ in range(IDLE_SOCKETS + BUSY_SOCKETS)
            ]
            for socket in sockets[:BUSY_SOCKETS]:
                await socket.send(json.dumps({"type": "start", "fan_out": 2}))
            await held.all_asked.wait()
            server.terminate()
            await asyncio.wait(streams)
            for socket in sockets:
                await socket.wait_closed()
            await held.all_ended.wait()
            assert not any(answer.done() for answer in answers)
            held.released.set()
            await asyncio.wait(answers)
            _, log = await asyncio.to_thread(server.communicate)

    assert [stream.result().text for stream in streams] == [CUT_OFF] * STREAMS
    assert {socket.close_code for socket in sockets} <= GOODBYES
    assert [answer.result().json()["responses"] for answer in answers] == [["late"]] * AGGREGATIONS
    assert log == ""
    assert server.returncode == -signal.SIGTERM
