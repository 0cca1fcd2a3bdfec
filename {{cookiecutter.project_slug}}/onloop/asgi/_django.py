"""Every private name of Django, asgiref and channels that this package uses, and what replaces it.

Nothing else in the package uses one: ruff's rule SLF is on everywhere but here. Tests compare the
hashes of what was copied from Django, so that a release that changes it is noticed.
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
    """Return a copy of `function` that finds `names` where it looks for its module's."""
    return FunctionType(  # type: ignore[return-value]
        function.__code__, {**function.__globals__, **names}, argdefs=function.__defaults__
    )


# The handler has no hook between a name in settings.MIDDLEWARE and the class that it imports, and
# the names must stay Django's own: system checks and packages compare them. Nor has it one where
# errors are answered. So its methods are copied with other functions to call, and nothing global
# is patched. Django 6.2 answers errors on the request's thread, which makes the copies for errors
# smaller: https://code.djangoproject.com/ticket/36027. `import_string` goes when Django's own
# middleware is async: https://code.djangoproject.com/ticket/37177,
# https://github.com/django/django/pull/21523
def handler_calling[H: BaseHandler](**names: object) -> Callable[[type[H]], type[H]]:
    """Decorate a handler class: its copies of Django's methods find `names` in their module."""

    def decorate(handler: type[H]) -> type[H]:
        for method in ("load_middleware", "get_response_async", "_get_response_async"):
            setattr(handler, method, with_globals(getattr(BaseHandler, method), **names))
        return handler

    return decorate


# Without process_exception() of some middleware there is nothing to call. Goes with ticket 36027.
def has_exception_middleware(handler: BaseHandler) -> bool:
    """Return whether middleware may answer the exceptions of views."""
    return bool(handler._exception_middleware)  # type: ignore[attr-defined]


# log_response() ignores what was logged before. Goes with ticket 36027.
def is_logged(response: HttpResponseBase) -> bool:
    """Return whether log_response() has logged the response."""
    return hasattr(response, "_has_been_logged")


# Signal.asend() takes a thread for its sync receivers, whoever they are. No replacement in sight.
def receivers(signal: Signal, sender: object) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the sync and the async receivers that are connected to the signal."""
    sync_receivers, async_receivers = signal._live_receivers(sender)
    return sync_receivers, async_receivers


# Async receivers share the context of the sender. No replacement in sight.
async def run_receivers(*calls: Coroutine[Any, Any, object]) -> None:
    """Await the calls of async receivers, as Signal.asend() does."""
    await _run_parallel(*calls)


# response.close() calls them in a thread, though most of them do not wait. No replacement in sight.
def resource_closers(response: HttpResponseBase) -> list[Callable[[], None]]:
    """Return what the response closes with itself; to be emptied by whoever calls them."""
    closers: list[Callable[[], None]] = response._resource_closers  # type: ignore[attr-defined]
    return closers


# Of Python's tempfile; Django's ASGIHandler.read_body() looks at it too.
def is_on_disk(body_file: IO[bytes]) -> bool:
    """Return whether a request's body has become a file, which closing it deletes."""
    return bool(getattr(body_file, "_rolled", False))


# A session is loaded by whatever reads it first, in a thread or not. No replacement in sight.
def is_loaded(session: SessionBase) -> bool:
    """Return whether reading the session needs no database, cache or file."""
    return session.session_key is None or hasattr(session, "_session_cache")


# CsrfViewMiddleware calls CSRF_FAILURE_VIEW, which may wait, in the middle of code that does not.
# Goes with ticket 37177.
class LateRejection(CsrfViewMiddleware):
    """In async mode, process_view() returns the call that rejects instead of making it."""

    def _reject(
        self, request: HttpRequest, reason: str
    ) -> Callable[[], HttpResponse] | HttpResponse:
        reject = partial(super()._reject, request, reason)  # type: ignore[misc]
        return reject if self.async_mode else reject()


# Django has this rule for forms alone. No replacement in sight.
def has_trusted_origin(request: HttpRequest) -> bool:
    """Return whether the Origin is the request's own, or one of CSRF_TRUSTED_ORIGINS."""
    csrf: Any = CsrfViewMiddleware(lambda request: HttpResponse())
    return bool(csrf._origin_verified(request))


# AuthMiddleware of channels takes a thread to look for any user. No replacement in sight.
def set_user(scope: dict[str, Any], user: object) -> None:
    """Make `user` the user of a WebSocket within AuthMiddleware."""
    scope["user"]._wrapped = user


class _OwnContext(ThreadSensitiveContext):
    """A context of hand_sync_calls_to(), as opposed to that of a caller."""


# asgiref's own `ThreadSensitiveContext(executor=...)` refuses the calls of tasks that outlive it,
# and hides the thread of an async_to_sync() around it. Both tables have no underscore but no
# documentation either. Goes when asgiref accepts those tasks.
def hand_sync_calls_to(executor: Executor) -> Token[ThreadSensitiveContext]:
    """Let `executor` run the thread-sensitive calls of sync_to_async() in the current context."""
    context = _OwnContext()
    SyncToAsync.context_to_thread_executor[context] = executor
    return SyncToAsync.thread_sensitive_context.set(context)


def hand_sync_calls_back(token: Token[ThreadSensitiveContext]) -> None:
    """Undo hand_sync_calls_to()."""
    SyncToAsync.thread_sensitive_context.reset(token)


# asgiref does not tell whose thread runs the calls. Goes with the function above.
def sync_calls_have_thread() -> bool:
    """Return whether async_to_sync() or a caller's context has a thread for sync_to_async()."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None and not isinstance(context, _OwnContext):
        return True
    return getattr(AsyncToSync.executors, "current", None) is not None
