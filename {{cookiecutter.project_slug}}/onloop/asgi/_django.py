"""All private names of Django, asgiref and channels that this package uses.

No other module uses one: ruff's SLF rules are on everywhere else. The comment above each use says
when it can go. Tests compare hashes of the Django code that is copied here, so that a release that
changes it is noticed.
"""

from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextvars import Token
from functools import partial
from types import FunctionType
from typing import IO, Any

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext
from django.contrib.sessions.backends.base import SessionBase
from django.core.handlers.base import BaseHandler
from django.dispatch import Signal
from django.dispatch.dispatcher import _run_parallel  # type: ignore[attr-defined]
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware


def with_globals[F: Callable[..., Any]](function: F, **names: object) -> F:
    """Return a copy of `function` in which `names` replace globals of its module."""
    return FunctionType(  # type: ignore[return-value]
        function.__code__, {**function.__globals__, **names}, argdefs=function.__defaults__
    )


# Django's handler has no hook to replace the class that a name in settings.MIDDLEWARE refers to,
# and the names must stay Django's own: system checks and packages compare them. Nor does it have a
# hook for error responses. So its methods are copied and call other functions, and nothing global
# is patched. Django 6.2 responds to errors on the request's thread, which makes the copies for
# errors smaller: https://code.djangoproject.com/ticket/36027. `import_string` can go when Django's
# own middleware is async: https://code.djangoproject.com/ticket/37177,
# https://github.com/django/django/pull/21523
def handler_calling[H: BaseHandler](**names: object) -> Callable[[type[H]], type[H]]:
    """Decorate a handler class so that its copies of Django's methods call `names` instead."""

    def decorate(handler: type[H]) -> type[H]:
        for method in ("load_middleware", "get_response_async", "_get_response_async"):
            setattr(handler, method, with_globals(getattr(BaseHandler, method), **names))
        return handler

    return decorate


# If no middleware has process_exception(), there is nothing to call. Can go with ticket 36027.
def has_exception_middleware(handler: BaseHandler) -> bool:
    """Return whether some middleware handles exceptions that views raise."""
    return bool(handler._exception_middleware)  # type: ignore[attr-defined]


# log_response() ignores responses that are logged already. Can go with ticket 36027.
def is_logged(response: HttpResponseBase) -> bool:
    """Return whether `log_response()` has logged the response."""
    return hasattr(response, "_has_been_logged")


# Signal.asend() uses a thread for any sync receiver, whatever it does. No replacement in sight.
def receivers(signal: Signal, sender: object) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the sync and the async receivers of the signal for this sender."""
    sync_receivers, async_receivers = signal._live_receivers(sender)
    return sync_receivers, async_receivers


# Async receivers share the context of the sender. No replacement in sight.
async def run_receivers(*calls: Coroutine[Any, Any, object]) -> None:
    """Await the calls of async receivers, as `Signal.asend()` does."""
    await _run_parallel(*calls)


# Django calls response.close() in a thread, though most closers never block. No replacement in
# sight.
def resource_closers(response: HttpResponseBase) -> list[Callable[[], None]]:
    """Return the functions that `response.close()` calls; empty the list after calling them."""
    closers: list[Callable[[], None]] = response._resource_closers  # type: ignore[attr-defined]
    return closers


# A private name of Python's tempfile, which Django's ASGIHandler.read_body() reads as well.
def is_on_disk(body_file: IO[bytes]) -> bool:
    """Return whether a request's body has spilled to disk, so that closing it deletes a file."""
    return bool(getattr(body_file, "_rolled", False))


# A session is loaded by the first code that reads it, in a thread or not. No replacement in sight.
def is_loaded(session: SessionBase) -> bool:
    """Return whether reading the session needs no database, cache or file."""
    return session.session_key is None or hasattr(session, "_session_cache")


# CsrfViewMiddleware calls CSRF_FAILURE_VIEW, which may block, in the middle of code that never
# does. Can go with ticket 37177.
class LateRejection(CsrfViewMiddleware):
    """CSRF middleware whose `process_view()`, in async mode, returns how to reject a request.

    That is a function, which the caller calls where it may block.
    """

    def _reject(
        self, request: HttpRequest, reason: str
    ) -> Callable[[], HttpResponse] | HttpResponse:
        reject = partial(super()._reject, request, reason)  # type: ignore[misc]
        return reject if self.async_mode else reject()


# Django applies this rule to forms only. No replacement in sight.
def has_trusted_origin(request: HttpRequest) -> bool:
    """Return whether the `Origin` is the request's own, or one of `CSRF_TRUSTED_ORIGINS`."""
    csrf: Any = CsrfViewMiddleware(lambda request: HttpResponse())
    return bool(csrf._origin_verified(request))


# AuthMiddleware of channels uses a thread to look up any user. No replacement in sight.
def set_user(scope: dict[str, Any], user: object) -> None:
    """Set the user of a WebSocket from inside `AuthMiddleware`."""
    scope["user"]._wrapped = user


class _OwnContext(ThreadSensitiveContext):
    """A context set by `hand_sync_calls_to()`, as opposed to one set by a caller."""


# asgiref's own `ThreadSensitiveContext(executor=...)` rejects calls from tasks that outlive it, and
# hides the thread of a surrounding async_to_sync(). Neither attribute has an underscore, but both
# are undocumented. Can go when asgiref accepts such tasks.
def hand_sync_calls_to(executor: Executor) -> Token[ThreadSensitiveContext]:
    """Run the thread-sensitive `sync_to_async()` calls of the current context on `executor`."""
    context = _OwnContext()
    SyncToAsync.context_to_thread_executor[context] = executor
    return SyncToAsync.thread_sensitive_context.set(context)


def hand_sync_calls_back(token: Token[ThreadSensitiveContext]) -> None:
    """Undo `hand_sync_calls_to()`."""
    SyncToAsync.thread_sensitive_context.reset(token)


# asgiref does not expose whose thread runs the calls. Can go with the function above.
def sync_calls_have_thread() -> bool:
    """Return whether `async_to_sync()` or a caller's context provides the thread of sync calls."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None and not isinstance(context, _OwnContext):
        return True
    return getattr(AsyncToSync.executors, "current", None) is not None
