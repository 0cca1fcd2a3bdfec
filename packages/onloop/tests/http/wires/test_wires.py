"""Which wire is opened, and how a process with calls in flight ends."""

import asyncio
import sys
from asyncio import subprocess

from onloop.http.wires import Wire
from onloop.testing import Call, Upstream
from tests.http.wires.calls import hello

SCRIPT = """
import asyncio, sys
from django.conf import settings
settings.configure(HTTP_TRANSPORT=sys.argv[1])
from onloop.http.wires import open_wire

async def wait_in_vain():
    wire = open_wire()
    calls = [asyncio.create_task(wire.get_body(sys.argv[2], {}, 100, None)) for _ in range(4)]
    await asyncio.to_thread(sys.stdin.readline)
    calls[0].cancel()
    calls[1].cancel()
    await wire.aclose()
    await asyncio.gather(*calls, return_exceptions=True)

async def call():
    wire = open_wire()
    print(await wire.get_body(sys.argv[2], {}, 100, None))
    await wire.aclose()

asyncio.run(wait_in_vain())
print("The loop is closed.", flush=True)
sys.stdin.readline()
print("pyreqwest" in sys.modules)
asyncio.run(call())
"""


def test_wire_is_that_of_the_setting(wire: Wire, transport: str) -> None:
    assert type(wire).__name__ == f"{transport.capitalize()}Wire"


async def test_process_ends_with_calls_in_flight(transport: str, upstream: Upstream) -> None:
    """The answers come when their event loop is closed. No thread may hold up the exit, or fail."""
    asked, ended = asyncio.Semaphore(0), asyncio.Event()

    async def answer(call: Call) -> None:
        asked.release()
        await ended.wait()
        await hello(call)

    upstream.answer = answer
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", SCRIPT, transport, upstream.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    for _ in range(4):
        await asked.acquire()
    process.stdin.write(b"\n")
    assert await process.stdout.readline() == b"The loop is closed.\n"
    ended.set()
    output, errors = await process.communicate(b"\n")
    assert output.decode().splitlines() == [str(transport == "pyreqwest"), "b'\"hello\"'"]
    assert errors == b""
    assert process.returncode == 0
