"""Django's ASGI handler for requests that stay on the event loop.

Django's own handler uses a thread several times for each request: once to send `request_started`,
twice for most middleware, and once for `response.close()`, which sends `request_finished`. Here a
request uses a thread only when its own code is synchronous.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import closing, suppress
from inspect import iscoroutinefunction
from traceback import clear_frames
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.core.cache import caches, close_caches
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import RequestAborted
from django.core.handlers import base
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, set_script_prefix

from onloop.asgi import _django, errors
from onloop.asgi.bulkhead import bulkhead_of
from onloop.asgi.middleware import import_middleware
from onloop.asgi.routing import set_route
from onloop.asgi.thread_pool import SyncThreads
from onloop.asgi.threads import OwnThread, RequestThread, caller_has_chosen, request_thread
from onloop.asgi.types import Receive, Scope, Send
from onloop.conf import settings

# Django's own receivers of request_started and request_finished. Two deal with the database
# connections of the request's thread: without a thread they have nothing to do. Two deal with the
# request's context, and never block, except on caches that a thread has opened.
_INLINE_RECEIVERS: set[Callable[..., None]] = {close_caches, base.reset_urlconf}
_DJANGO_RECEIVERS = {reset_queries, close_old_connections} | _INLINE_RECEIVERS


@_django.handler_calling(
    import_string=import_middleware,
    convert_exception_to_response=errors.convert_exception_to_response,
    sync_to_async=errors.sync_to_async,
)
class EventLoopASGIHandler(ASGIHandler):
    """An `ASGIHandler` that uses threads for synchronous code only.

    At most `settings.SYNC_THREADS` requests run synchronous code at the same time, each on its own
    thread; further ones wait their turn. A request releases its thread before its response is
    sent, and takes another only if closing the response needs one. Views with a `thread_bulkhead`
    have further threads.
    """

    def __init__(self) -> None:
        self._threads = SyncThreads(settings.SYNC_THREADS)
        self._has_sync_middleware = False
        super().__init__()

    def adapt_method_mode(
        self,
        is_async: bool,
        method: Callable[..., Any],
        method_is_async: bool | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Callable[..., Any]:
        """Extend `BaseHandler.adapt_method_mode()`: note sync middleware around async code."""
        self._has_sync_middleware |= bool(method_is_async and not is_async)
        return super().adapt_method_mode(is_async, method, method_is_async, *args, **kwargs)

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Extend `BaseHandler.make_view_atomic()`: do not count a thread that waits for the view.

        It is the thread of sync middleware, which does nothing else while an async view runs.
        """
        view = super().make_view_atomic(view)
        if not self._has_sync_middleware or not iscoroutinefunction(view) or not request_thread():
            return view

        async def waited_for(*args: Any, **kwargs: Any) -> Any:
            with self._threads.one_waiting():
                return await view(*args, **kwargs)

        return waited_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with its own thread unless the caller has chosen one."""
        if caller_has_chosen():
            await super().__call__(scope, receive, send)
            return
        async with OwnThread(self._threads):
            await super().__call__(scope, receive, send)

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Extend `BaseHandler.resolve_request()`: name the route, and enter the view's bulkhead."""
        match = super().resolve_request(request)
        set_route(request.scope, match.route)  # type: ignore[attr-defined]
        if threads := bulkhead_of(match.func):
            self._take_threads_from(threads)
        return match

    def _take_threads_from(self, pool: Executor) -> None:
        """Run the request's further synchronous code on a thread of `pool`, if that is safe."""
        thread = request_thread()
        if thread is None or self._has_sync_middleware:
            return
        signals = (request_started, request_finished)
        if thread.taken and any(self.has_foreign_receivers(signal) for signal in signals):
            return  # They may use what is left on the thread.
        thread.take_from(pool)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do what `ASGIHandler.handle()` does, without a thread for signals and closing."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return

        with closing(body_file):
            set_script_prefix(get_script_prefix(scope))
            await self.send_signal(request_started, scope=scope)
            request, error_response = self.create_request(scope, body_file)
            if request is None:
                body_file.close()
                await self.send_response(error_response, send)  # type: ignore[arg-type]
                await self.close_response(error_response, None, body_file)  # type: ignore[arg-type]
                return

            response = None
            try:
                try:
                    async with asyncio.TaskGroup() as group:
                        listener = group.create_task(self.listen_for_disconnect(receive))
                        response = await self.run_get_response(request)
                        await self.send_response(response, send)
                        listener.cancel()
                except* RequestAborted as left:
                    # The group and the frame of TaskGroup.__aexit__ refer to each other, and
                    # through the traceback to the response, until the garbage is collected.
                    clear_frames(left.__traceback__)
            except BaseExceptionGroup as exception_group:
                if len(exception_group.exceptions) == 1:
                    raise exception_group.exceptions[0] from None
                raise

            if response is None:
                await self.send_signal(request_finished)
            else:
                await self.close_response(response, request, body_file)

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        """Extend `ASGIHandler.send_response()`: hold no thread while the client reads.

        The exception is a project with receivers of `request_finished`: Django calls them on the
        thread that the request's other code ran on, where they may have left state.
        """
        thread = request_thread()
        is_sync_stream = response.streaming and not getattr(response, "is_async", False)
        if (
            thread
            and (thread.used or is_sync_stream)
            and not self.has_foreign_receivers(request_finished)
        ):
            if is_sync_stream:
                send = _released_before_the_body(send, thread)
            else:
                thread.release()
        await super().send_response(response, send)

    def has_foreign_receivers(self, signal: Signal) -> bool:
        """Return whether the signal has sync receivers other than Django's own."""
        sync_receivers, _ = _django.receivers(signal, self.__class__)
        return not _DJANGO_RECEIVERS.issuperset(sync_receivers)

    async def send_signal(self, signal: Signal, **named: object) -> None:
        """Send a signal as `Signal.asend()` does, without a thread unless a receiver needs one."""
        thread = request_thread()
        sync_receivers, async_receivers = _django.receivers(signal, self.__class__)
        if (
            thread is None
            or thread.taken
            or not _DJANGO_RECEIVERS.issuperset(sync_receivers)
            or (thread.used and _caches_may_wait())
        ):
            await signal.asend(sender=self.__class__, **named)
            return
        named |= {"signal": signal, "sender": self.__class__}
        for receiver in _INLINE_RECEIVERS.intersection(sync_receivers):
            receiver(**named)
        await _django.run_receivers(*(receiver(**named) for receiver in async_receivers))

    async def close_response(
        self, response: HttpResponseBase, request: ASGIRequest | None, body_file: IO[bytes]
    ) -> None:
        """Close the response, without a thread if that neither blocks nor is overridden."""
        thread = request_thread()
        closers = _django.resource_closers(response)
        if (
            thread is None
            or thread.taken
            or getattr(response.close, "__func__", None) is not HttpResponseBase.close
            or closers != ([request.close] if request else [])
            or _django.is_on_disk(body_file)
        ):
            await sync_to_async(response.close)()
            return
        for close in closers:
            with suppress(Exception):
                close()
        closers.clear()
        response.closed = True
        await self.send_signal(request_finished)


def _caches_may_wait() -> bool:
    """Return whether the request has used a cache whose `close()` does something."""
    used = caches.all(initialized_only=True)
    return any(type(cache).close is not BaseCache.close for cache in used)


def _released_before_the_body(send: Send, thread: RequestThread) -> Send:
    """Return a `send` that releases the thread of a sync stream before its first part is sent.

    By then Django has read the whole stream.
    """

    async def release_and_send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            thread.release()
        await send(message)

    return release_and_send
