"""The thread pool for the synchronous code of all requests."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any

_MAX_THREADS = 1000

type Call = tuple[Future[Any], Callable[[], Any]]


class SyncThreads(Executor):
    """An executor in which at most `limit` threads run code at the same time.

    A thread that only waits for async code does not count, because that code may need other threads
    to continue. There are at most `_MAX_THREADS` in total. Further calls are queued.
    """

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="sync")
        self._lock = Lock()
        self._line: deque[Call] = deque()
        self._free = limit

    @property
    def exhausted(self) -> bool:
        """Whether calls are queued."""
        return bool(self._line)

    def submit[**P, R](self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue a call, and start it as soon as fewer than `limit` threads are busy."""
        future: Future[R] = Future()
        self._line.append((future, partial(fn, *args, **kwargs)))
        self._start()
        return future

    @contextmanager
    def one_waiting(self) -> Iterator[None]:
        """Do not count one of the threads during the block; afterwards it continues immediately."""
        self._free_one()
        self._start()
        try:
            yield
        finally:
            with self._lock:
                self._free -= 1

    def _free_one(self) -> None:
        with self._lock:
            self._free += 1

    def _start(self) -> None:
        if call := self._next():
            self._pool.submit(self._run, call)

    def _next(self) -> Call | None:
        with self._lock:
            if self._free <= 0 or not self._line:
                return None
            self._free -= 1
            return self._line.popleft()

    def _run(self, call: Call | None) -> None:
        """Run the call, and then queued ones, on the current thread."""
        while call:
            future, function = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as exception:
                    future.set_exception(exception)
            del call, future, function
            self._free_one()
            call = self._next()
