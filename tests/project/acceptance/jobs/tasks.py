"""Jobs that tests inspect, and one that kills its process."""

import os
import signal
import threading

from django.tasks import task

thread_gate = threading.Event()


def forget() -> None:
    """Start afresh; a thread left over from another test continues."""
    global thread_gate
    thread_gate.set()
    thread_gate = threading.Event()


@task
async def double(number: int) -> dict[str, object]:
    return {"double": 2 * number, "thread": threading.current_thread().name}


@task
def kill_the_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
