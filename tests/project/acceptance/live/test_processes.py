"""Two processes that share a Redis: a run of one is followed through the other."""

import asyncio
import signal

import httpx
from onloop.testing import serve_process, serve_upstream

from tests.acceptance.clients import connected, parse
from tests.answers import HeldBack

COUNT = 4


async def test_run_of_one_process_reaches_the_clients_of_the_other(
    redis_url: str, postgres_url: str
) -> None:
    held_back = HeldBack(COUNT)
    options = ("--timeout-graceful-shutdown", "50")
    async with serve_upstream(held_back) as upstream, httpx.AsyncClient(timeout=60) as browser:
        shared = {
            "REDIS_URL": redis_url,
            "DATABASE_URL": postgres_url,
            "AGGREGATOR_UPSTREAM_URL": upstream.url,
            "LOG_LEVEL": "warning",
        }
        with (
            serve_process(*options, **shared) as (one, one_url),
            serve_process(*options, **shared) as (other, other_url),
        ):
            async with connected(one_url) as starter, connected(other_url) as follower:
                run = await starter.start(COUNT)
                await follower.send(type="follow", run=run)
                assert (await follower.receive())["count"] == COUNT

                # The stream of one process breaks off halfway; it continues in the other.
                held_back.release[0].set()
                held_back.release[1].set()
                followed = [await follower.receive(), await follower.receive()]
                url = f"/async/runs/{run}/"
                async with browser.stream("GET", one_url + url) as response:
                    text = ""
                    async for part in response.aiter_text():
                        text += part
                        if text.count("event: result") == 2:
                            break
                seen = parse(text)
                held_back.release[2].set()
                followed.append(await follower.receive())
                last_seen = {"Last-Event-ID": seen[-1]["id"]}
                async with browser.stream("GET", other_url + url, headers=last_seen) as response:
                    assert response.status_code == 200
                    held_back.release[3].set()
                    seen += parse("".join([part async for part in response.aiter_text()]))

                reports = await starter.receive_until("done")
                assert followed + await follower.receive_until("done") == reports
                assert [{"type": e["event"], "run": run} | e["data"] for e in seen[1:]] == reports

                response = await browser.get(other_url + url, headers={"Last-Event-ID": "done"})
                assert response.status_code == 204
            one.terminate()
            other.terminate()
            for server in (one, other):
                _, log = await asyncio.to_thread(server.communicate)
                assert log == ""
                assert server.returncode == -signal.SIGTERM
