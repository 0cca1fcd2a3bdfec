"""The thread that the synchronous code of one request, or of other work, runs on."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.db import close_old_connections, connections, reset_queries

logger = logging.getLogger(__name__)

type Calls = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


class RequestThread(Executor):
    """An executor whose calls run one after the other on one thread of a shared pool.

    The thread is taken with the first call and kept until `release()`, so no two requests are on
    one thread at the same time. While every thread of the pool is taken, calls wait in line.

    asgiref hands it the thread-sensitive calls of a request, which are all its synchronous code:
    https://docs.djangoproject.com/en/stable/topics/async/#async-safety
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._lock = Lock()
        self._calls: Calls = SimpleQueue()
        self._lease: Future[None] | None = None
        self.used = False

    @property
    def taken(self) -> bool:
        """Whether a thread is held, as opposed to not needed yet or still waited for."""
        return self._lease is not None and (self._lease.running() or self._lease.done())

    def submit[**P, R](self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        future: Future[R] = Future()
        with self._lock:
            self._calls.put((future, partial(fn, *args, **kwargs)))
            if self._lease is None:
                self.used = True
                self._lease = self._pool.submit(serve, self._calls)
        return future

    def release(self) -> None:
        """Give the thread back once the calls made so far are done; a later call takes another."""
        with self._lock:
            if self._lease is not None:
                self._calls.put(None)
                self._calls = SimpleQueue()
                self._lease = None


class ThreadOfOwn(ThreadSensitiveContext):
    """A block whose synchronous code runs on one thread of `pool`, given back at its end::

        async with ThreadOfOwn(pool):
            await User.objects.acount()

    With the thread go the database connections that were opened on it.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._thread = RequestThread(pool)
        super().__init__(executor=self._thread)

    async def __aexit__(self, *exception: Any) -> None:
        await super().__aexit__(*exception)  # type: ignore[no-untyped-call]
        self._thread.release()


def request_thread() -> RequestThread | None:
    """The thread of the current request, or None if a caller of the handler has chosen one."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = context and SyncToAsync.context_to_thread_executor.get(context)
    return executor if isinstance(executor, RequestThread) else None


def release_thread() -> None:
    """Give back the current request's thread, and with it its database connections.

    For async code that has used the ORM and is about to await something slow. It waits for nothing
    and takes no thread; synchronous code that follows takes another.
    """
    thread = request_thread()
    if thread:
        thread.release()


def serve(calls: Calls) -> None:
    """Run `calls` on the current thread until a None, and leave it clean for the next request."""
    clean = True
    while (call := calls.get()) is not None:
        future, function = call
        if not future.set_running_or_notify_cancel():
            continue
        try:
            if clean:
                clean = False
                # What Django does on request_started, on the thread that it is meant for.
                reset_queries()
                close_old_connections()
            result = function()
        except BaseException as exception:  # It belongs to whoever awaits the call.
            future.set_exception(exception)
        else:
            future.set_result(result)
        # A thread waits here for long: it must not keep the last call's objects alive.
        del call, future, function
    if not clean:
        close_connections()


def close_connections() -> None:
    """Close the thread's database connections, except healthy ones that CONN_MAX_AGE keeps open."""
    for connection in connections.all(initialized_only=True):
        try:
            connection.close_if_unusable_or_obsolete()
        except Exception:  # Nobody waits for this any more.
            logger.exception("A request's connection to %r did not close.", connection.alias)
        # Within a transaction, autocommit is off, and so the connection has been closed above.
        if connection.connection is None or connection.in_atomic_block:
            del connections[connection.alias]
