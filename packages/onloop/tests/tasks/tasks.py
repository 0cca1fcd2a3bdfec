"""Jobs that tests look into."""

import asyncio
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections
from django.tasks import TaskContext, task

User = get_user_model()

starts: Counter[str] = Counter()
running: set[int] = set()
most_running: list[int] = []
gate = asyncio.Event()
thread_gate = threading.Event()
used_connections: list[Any] = []
visitor: ContextVar[str] = ContextVar("visitor", default="nobody")


def forget() -> None:
    """Reset everything; a thread that a test has left behind goes on."""
    global gate, thread_gate
    thread_gate.set()
    gate, thread_gate = asyncio.Event(), threading.Event()
    for seen in (starts, running, most_running, used_connections):
        seen.clear()


@task
async def double(number: int) -> dict[str, object]:
    return {"double": 2 * number, "thread": threading.current_thread().name}


@task
def halve(number: int) -> dict[str, object]:
    return {"half": number / 2, "thread": threading.current_thread().name}


@task
async def wait_for_gate(number: int) -> int:
    """Run until the gate opens."""
    starts[str(number)] += 1
    running.add(number)
    most_running.append(len(running))
    try:
        await gate.wait()
    finally:
        running.discard(number)
    return number


@task
def block_until_gate() -> None:
    """Keep a thread until the gate opens."""
    starts["block"] += 1
    thread_gate.wait(30)


@task(takes_context=True)
async def fail_before(context: TaskContext[..., Any], attempt: int) -> int:
    """Fail in each attempt before that one."""
    if context.attempt < attempt:
        raise ValueError(f"not yet \0 {context.attempt}")
    return context.attempt


def end_itself() -> None:
    sys.exit(3)


def cancel_itself() -> None:
    raise asyncio.CancelledError


def cancel_its_task() -> None:
    task = asyncio.current_task()
    assert task
    task.cancel()


def return_no_json() -> object:
    return object()


def raise_surrogate() -> None:
    raise ValueError("a lone \ud800, a NUL \0 and an \xe9")


WAYS: dict[str, Callable[[], object]] = {
    "exit": end_itself,
    "cancel": cancel_itself,
    "cancel its task": cancel_its_task,
    "no JSON": return_no_json,
    "surrogate": raise_surrogate,
    "NUL in its result": lambda: "\0",
    "too large": lambda: ["x" * 1000] * 1100,
    "refused": lambda: "refused",
}


@task
async def end_badly(way: str) -> object:
    """End in one of the `WAYS`, after others have had their turn."""
    result = WAYS[way]()
    await asyncio.sleep(0)
    return result


@task
async def leave_traces(name: str) -> str:
    """Use the database, and tell whose context was found."""
    found = visitor.get()
    visitor.set(name)
    await User.objects.acount()
    used_connections.append(await sync_to_async(lambda: connections["default"])())
    return found


@task
def kill_the_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
