"""Bulkheads: threads for one slow view, so that it cannot take those of all other views.

https://learn.microsoft.com/en-us/azure/architecture/patterns/bulkhead
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import wraps
from inspect import iscoroutinefunction, markcoroutinefunction
from typing import Any, cast


def thread_bulkhead[V: Callable[..., Any]](limit: int) -> Callable[[V], V]:
    """Decorate a view so that its synchronous code runs on at most `limit` threads of its own.

    Such a view neither takes one of the `settings.SYNC_THREADS` nor waits for them. Further
    requests to it wait, first come, first served::

        @thread_bulkhead(20)
        def report(request: HttpRequest) -> HttpResponse: ...

    The threads are started when they are needed, and kept. Views share them if the result of one
    call decorates all of them.

    From the resolution of its URL on, a request runs all its synchronous code on one such thread:
    middleware, the view, its template, its stream. Its database connections are closed, or kept for
    reuse, as on any other thread. A thread that earlier middleware took is released, unless
    receivers of `request_started` or `request_finished` may expect to run on the same thread as the
    view. Behind sync middleware, whose thread runs the view, there is no bulkhead; nor is there one
    in Django's other handlers, such as WSGI and the test clients.

    Raises:
        ValueError: `limit` is less than 1.
    """
    threads = ThreadPoolExecutor(limit, thread_name_prefix="bulkhead")

    def decorate(view: V) -> V:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        if iscoroutinefunction(view):
            markcoroutinefunction(wrapper)
        # As with Django's own decorators, functools.wraps() and as_view() copy the attribute.
        wrapper.thread_bulkhead = threads  # type: ignore[attr-defined]
        return cast(V, wrapper)

    return decorate


def bulkhead_of(view: Callable[..., Any]) -> Executor | None:
    """Return the threads of the view's own, if it has any."""
    threads: Executor | None = getattr(view, "thread_bulkhead", None)
    return threads
