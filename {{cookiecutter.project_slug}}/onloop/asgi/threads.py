"""The thread for the synchronous code of one request, job or background task."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any, Self

from django.db import close_old_connections, connections, reset_queries

from onloop.asgi import _django
from onloop.asgi.thread_pool import SyncThreads

logger = logging.getLogger(__name__)

type Calls = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


class RequestThread(Executor):
    """An executor that runs its calls one after the other, on one thread of a shared pool.

    The first call takes the thread, and `release()` returns it, so no two requests share a thread
    at the same time. While every thread of the pool is taken, calls are queued.

    After `end()` the thread is kept only as long as there are calls, which come from tasks that
    outlive their request.

    asgiref passes it the thread-sensitive calls of a request, which are all its synchronous code:
    https://docs.djangoproject.com/en/stable/topics/async/#async-safety
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._lock = Lock()
        self._calls: Calls = SimpleQueue()
        self._lease: Future[None] | None = None
        self._ended = False
        self.used = False

    @property
    def taken(self) -> bool:
        """Whether a thread is held, as opposed to not needed yet or still queued for."""
        return self._lease is not None and (self._lease.running() or self._lease.done())

    @property
    def pool_exhausted(self) -> bool:
        """Whether calls are queued because every thread of the requests' pool is taken."""
        return isinstance(self._pool, SyncThreads) and self._pool.exhausted

    def submit[**P, R](self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run a call after those submitted before; take a thread if none is held."""
        future: Future[R] = Future()
        with self._lock:
            self._calls.put((future, partial(fn, *args, **kwargs)))
            if self._ended:
                self._calls.put(None)
            if self._lease is None:
                self.used = True
                self._lease = self._pool.submit(self._serve, self._calls)
        return future

    def release(self) -> None:
        """Release the thread once the calls made so far are done; a later call takes another."""
        with self._lock:
            if self._lease is not None:
                self._calls.put(None)
                self._calls = SimpleQueue()
                self._lease = None

    def take_from(self, pool: Executor) -> None:
        """Release the thread, and take the next one from another pool."""
        self._pool = pool
        self.release()

    def end(self) -> None:
        """Release the thread, now and whenever a later call leaves no other one queued."""
        self._ended = True
        self.release()

    def _serve(self, calls: Calls) -> None:
        """Run `calls` on the current thread, and leave it clean for the next request."""
        clean = True
        while (call := calls.get()) or not self._is_over(calls):
            if call is None:
                continue
            future, function = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if clean:
                    clean = False
                    # Django does this on request_started; here it is done on the right thread.
                    reset_queries()
                    close_old_connections()
                result = function()
            except BaseException as exception:  # For the code that awaits the call.
                future.set_exception(exception)
            else:
                future.set_result(result)
            # A thread may wait here for long, and must not keep the last call's objects alive.
            del call, future, function
        if not clean:
            _close_connections()

    def _is_over(self, calls: Calls) -> bool:
        """Return whether `calls` is empty; if so, the next call takes another thread."""
        with self._lock:
            if not calls.empty():
                return False
            if calls is self._calls:
                self._lease = None
            return True


_current: ContextVar[RequestThread | None] = ContextVar("request_thread", default=None)


class OwnThread:
    """A block whose synchronous code runs on one thread of `pool`, released at its end.

    Example::

        async with OwnThread(pool):
            await User.objects.acount()

    The database connections that were opened on the thread are closed, or kept for reuse if
    `CONN_MAX_AGE` allows it. A task that outlives the block takes a thread for each of its calls.
    """

    def __init__(self, pool: Executor) -> None:
        self.thread = RequestThread(pool)

    async def __aenter__(self) -> Self:
        self._current = _current.set(self.thread)
        self._calls = _django.hand_sync_calls_to(self.thread)
        return self

    async def __aexit__(self, *exception: object) -> None:
        _django.hand_sync_calls_back(self._calls)
        _current.reset(self._current)
        self.thread.end()


def request_thread() -> RequestThread | None:
    """Return the current request's thread, or `None` if a caller of the handler has chosen one."""
    return _current.get()


def caller_has_chosen() -> bool:
    """Return whether `async_to_sync()` or a test has chosen the thread for synchronous code.

    The context of another request does not count. A server may start a request in the context of
    the previous one on its connection: https://github.com/python/cpython/issues/140947
    """
    return _django.sync_calls_have_thread()


def release_thread() -> None:
    """Release the current request's thread and its database connections.

    For async code that has used the ORM and is about to await something slow. This neither blocks
    nor uses a thread; synchronous code that follows takes another thread.
    """
    thread = request_thread()
    if thread:
        thread.release()


def _close_connections() -> None:
    """Close the thread's database connections, except those that `CONN_MAX_AGE` keeps open."""
    for connection in connections.all(initialized_only=True):
        try:
            connection.close_if_unusable_or_obsolete()
        except Exception:  # No caller is left to handle it.
            logger.exception("A request's connection to %r did not close.", connection.alias)
        # Within a transaction autocommit is off, so the connection has been closed above.
        if connection.connection is None or connection.in_atomic_block:
            del connections[connection.alias]
