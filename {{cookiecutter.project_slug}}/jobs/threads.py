"""The thread on which a process asks the database about its jobs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from runtime.threads import close_connections

# One for all: a process holds one connection for this at most.
_thread = ThreadPoolExecutor(1, thread_name_prefix="jobs")
_calls: set[object] = set()


async def in_thread[**P, R](function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Await `function(*args, **kwargs)` on that thread.

    The database connection is kept for the calls that wait already, and closed after the last.
    """
    token = object()
    _calls.add(token)

    def call() -> R:
        try:
            return function(*args, **kwargs)
        except BaseException:
            close_connections()
            raise
        finally:
            _calls.discard(token)
            if not _calls:
                close_connections()

    return await asyncio.get_running_loop().run_in_executor(_thread, call)
