"""Django's own middleware, run on the event loop.

Each class does what its parent does, with the parent's code. Django runs that code in a thread
because some of it may block. Here only the part that blocks leaves the event loop: through the
async session API or, where Django has no async counterpart, in a thread as in Django.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.messages import get_messages
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CSRF_SESSION_KEY
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from onloop.asgi._django import LateRejection, is_loaded
from onloop.asgi.static_files import EventLoopServeStaticMiddleware
from onloop.conf import settings

type View = Callable[..., HttpResponseBase]
type Args = tuple[Any, ...]
type Kwargs = dict[str, Any]


class EventLoopMiddleware(MiddlewareMixin):
    """A `MiddlewareMixin` whose hooks run on the event loop."""

    # Set here, ahead of Django's own classes: if one is not async_capable, Django runs the whole
    # chain in threads.
    sync_capable = True
    async_capable = True

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        """Call `process_request()`, if there is one."""
        hook = getattr(self, "process_request", None)
        return hook(request) if hook else None

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Call `process_response()`, or return the response as it is."""
        hook = getattr(self, "process_response", None)
        return hook(request, response) if hook else response

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        response = await self.aprocess_request(request)
        response = response or await self.get_response(request)  # type: ignore[misc]
        return await self.aprocess_response(request, response)


class EventLoopSessionMiddleware(EventLoopMiddleware, SessionMiddleware):
    """`SessionMiddleware` that saves sessions with the async session API."""

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session where it has to be saved, then call `process_response()`.

        Raises:
            SessionInterrupted: the session was deleted while the request was processed.
        """
        try:
            session = request.session
            saves = session.modified or settings.SESSION_SAVE_EVERY_REQUEST
            saves = saves and not session.is_empty()
        except AttributeError:  # No session, or something else in its place.
            saves = False
        if not saves:
            return self.process_response(request, response)

        saved = _SavedSession(session)
        # process_response() reads the expiry, which must not trigger loading the session.
        await session.aget_expire_at_browser_close()
        if response.status_code < 500:
            try:
                await session.asave()
            except UpdateError as error:
                saved.error = error
        request.session = saved  # type: ignore[assignment]
        try:
            return self.process_response(request, response)
        finally:
            request.session = session


class _SavedSession:
    """A session that is saved already: `save()` only raises the error of its `asave()`."""

    def __init__(self, session: SessionBase) -> None:
        self.session = session
        self.accessed = session.accessed
        self.error: UpdateError | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.session, name)

    def save(self) -> None:
        if self.error:
            raise self.error


class EventLoopCsrfViewMiddleware(EventLoopMiddleware, LateRejection):
    """`CsrfViewMiddleware` that uses a thread only to read an upload or to reject a request."""

    def __init__(self, get_response: View) -> None:
        super().__init__(get_response)
        if self.async_mode:
            self.process_view = self.aprocess_view  # type: ignore[method-assign, assignment]

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        """Load the session first if it holds the token."""
        if settings.CSRF_USE_SESSIONS and hasattr(request, "session"):
            await request.session.aget(CSRF_SESSION_KEY)
        return await super().aprocess_request(request)

    async def aprocess_view(
        self, request: HttpRequest, callback: View, args: Args, kwargs: Kwargs
    ) -> HttpResponse | None:
        """Check the request, and return the response that rejects it, or `None`."""
        process_view = partial(super().process_view, request, callback, args, kwargs)
        if (
            request.method == "POST"
            and request.content_type == "multipart/form-data"
            and not getattr(callback, "csrf_exempt", False)
        ):
            # Reading the token from the form runs the upload handlers, which write files.
            reject: Any = await sync_to_async(process_view)()
        else:
            reject = process_view()
        # CSRF_FAILURE_VIEW is synchronous and may block.
        return reject and await sync_to_async(reject)()  # type: ignore[no-any-return]

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Load the session first if the token has to be stored in it."""
        if settings.CSRF_USE_SESSIONS and request.META.get("CSRF_COOKIE_NEEDS_UPDATE"):
            await request.session.aget(CSRF_SESSION_KEY)
        return await super().aprocess_response(request, response)


class EventLoopMessageMiddleware(EventLoopMiddleware, MessageMiddleware):
    """`MessageMiddleware` that uses a thread only for a storage that may block."""

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Store the messages that have not been shown."""
        storage = get_messages(request)
        if type(storage) is SessionStorage:
            if storage.used or storage.added_new:
                await request.session.aget(storage.session_key)
        elif type(storage) is FallbackStorage:
            # Messages that do not fit in the cookie go to the session, which may not be loaded.
            if (storage.used or storage.added_new) and not is_loaded(request.session):
                return await sync_to_async(self.process_response)(request, response)
        elif type(storage) not in (CookieStorage, list):  # A list means there is no storage.
            return await sync_to_async(self.process_response)(request, response)
        return self.process_response(request, response)


# The class that is put in front of each of Django's, and of ServeStatic's. Other middleware stays
# as it is.
EVENT_LOOP_MIDDLEWARE: dict[str, type] = {
    "django.middleware.security.SecurityMiddleware": EventLoopMiddleware,
    "django.contrib.sessions.middleware.SessionMiddleware": EventLoopSessionMiddleware,
    "django.middleware.common.CommonMiddleware": EventLoopMiddleware,
    "django.middleware.csrf.CsrfViewMiddleware": EventLoopCsrfViewMiddleware,
    "django.contrib.auth.middleware.AuthenticationMiddleware": EventLoopMiddleware,
    "django.contrib.messages.middleware.MessageMiddleware": EventLoopMessageMiddleware,
    "django.middleware.clickjacking.XFrameOptionsMiddleware": EventLoopMiddleware,
    "django.middleware.csp.ContentSecurityPolicyMiddleware": EventLoopMiddleware,
    "servestatic.middleware.ServeStaticMiddleware": EventLoopServeStaticMiddleware,
}


def import_middleware(dotted_path: str) -> Callable[..., object]:
    """Import middleware; those above are returned as subclasses for the event loop.

    Raises:
        ImportError: there is no such class.
    """
    middleware = import_string(dotted_path)
    if dotted_path not in EVENT_LOOP_MIDDLEWARE:
        return middleware  # type: ignore[no-any-return]
    return type(middleware.__name__, (EVENT_LOOP_MIDDLEWARE[dotted_path], middleware), {})
