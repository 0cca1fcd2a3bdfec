"""Answers for the upstream of a test."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from onloop.testing import Call


def task_id(call: Call) -> int:
    """Return the task id in the call's query string."""
    return int(parse_qs(urlsplit(call.target).query)["task_id"][-1])


async def echo(call: Call) -> None:
    """Answer with the task id."""
    await call.reply(b'{"task_id": %d}' % task_id(call))


def echoes(count: int) -> list[dict[str, int]]:
    """Return the responses of `echo` to `count` calls."""
    return [{"task_id": number} for number in range(count)]


class Hanging:
    """Answers no call; sets `all_in` once `count` calls have arrived."""

    def __init__(self, count: int) -> None:
        self.missing = count
        self.all_in = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        self.missing -= 1
        if not self.missing:
            self.all_in.set()
        await call.closed()


class HeldBack:
    """Answers a call once its task id is released."""

    def __init__(self, count: int) -> None:
        self.release = [asyncio.Event() for _ in range(count)]

    async def __call__(self, call: Call) -> None:
        await self.release[task_id(call)].wait()
        await echo(call)
