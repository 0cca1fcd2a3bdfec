"""Answers for the upstream of a run."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from onloop.testing import Call


def task_id(call: Call) -> int:
    return int(parse_qs(urlsplit(call.target).query)["task_id"][-1])


async def echo(call: Call) -> None:
    await call.reply(b'{"task_id": %d}' % task_id(call))


class Hanging:
    """Answers no call, and reports when all calls have arrived."""

    def __init__(self, count: int) -> None:
        self.missing = count
        self.all_in = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        self.missing -= 1
        if not self.missing:
            self.all_in.set()
        await call.closed()


class HeldBack:
    """Answers each call once its task id is released."""

    def __init__(self, count: int) -> None:
        self.let_go = [asyncio.Event() for _ in range(count)]

    async def __call__(self, call: Call) -> None:
        await self.let_go[task_id(call)].wait()
        await echo(call)
