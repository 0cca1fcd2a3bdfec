"""Django's own middleware, run on the event loop.

Each class does what its parent does, with the parent's code. Django runs that code in a thread
because some of it may wait; here only the part that does leaves the event loop, through the async
session API or, where Django has no async counterpart, through a thread as in Django.
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
from onloop.conf import settings

type View = Callable[..., HttpResponseBase]
type Args = tuple[Any, ...]
type Kwargs = dict[str, Any]


class EventLoopMiddleware(MiddlewareMixin):
    """MiddlewareMixin whose hooks run on the event loop."""

    # Said here, in front of Django's own classes: where these are not async_capable, Django would
    # run the whole chain in threads.
    sync_capable = True
    async_capable = True

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        hook = getattr(self, "process_request", None)
        return hook(request) if hook else None

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        hook = getattr(self, "process_response", None)
        return hook(request, response) if hook else response

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        response = await self.aprocess_request(request)
        response = response or await self.get_response(request)  # type: ignore[misc]
        return await self.aprocess_response(request, response)


class EventLoopSessionMiddleware(EventLoopMiddleware, SessionMiddleware):
    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            session = request.session
            saves = session.modified or settings.SESSION_SAVE_EVERY_REQUEST
            saves = saves and not session.is_empty()
        except AttributeError:  # No session, or something else in its place.
            saves = False
        if not saves:
            return self.process_response(request, response)

        saved = _SavedSession(session)
        # process_response() reads the expiry, which must not be what loads the session.
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
    """A session as process_response() sees it after asave(): save() only tells how that ended."""

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
    def __init__(self, get_response: View) -> None:
        super().__init__(get_response)
        if self.async_mode:
            self.process_view = self.aprocess_view  # type: ignore[method-assign, assignment]

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        if settings.CSRF_USE_SESSIONS and hasattr(request, "session"):
            await request.session.aget(CSRF_SESSION_KEY)
        return await super().aprocess_request(request)

    async def aprocess_view(
        self, request: HttpRequest, callback: View, args: Args, kwargs: Kwargs
    ) -> HttpResponse | None:
        process_view = partial(super().process_view, request, callback, args, kwargs)
        if (
            request.method == "POST"
            and request.content_type == "multipart/form-data"
            and not getattr(callback, "csrf_exempt", False)
        ):
            # Looking for the token runs the upload handlers, which write files.
            reject: Any = await sync_to_async(process_view)()
        else:
            reject = process_view()
        # CSRF_FAILURE_VIEW is synchronous and may wait.
        return reject and await sync_to_async(reject)()  # type: ignore[no-any-return]

    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if settings.CSRF_USE_SESSIONS and request.META.get("CSRF_COOKIE_NEEDS_UPDATE"):
            await request.session.aget(CSRF_SESSION_KEY)
        return await super().aprocess_response(request, response)


class EventLoopMessageMiddleware(EventLoopMiddleware, MessageMiddleware):
    async def aprocess_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        storage = get_messages(request)
        if type(storage) is SessionStorage:
            if storage.used or storage.added_new:
                await request.session.aget(storage.session_key)
        elif type(storage) is FallbackStorage:
            # What does not fit into the cookie goes to the session, which may not be loaded.
            if (storage.used or storage.added_new) and not is_loaded(request.session):
                return await sync_to_async(self.process_response)(request, response)
        elif type(storage) not in (CookieStorage, list):  # A list: there is no storage.
            return await sync_to_async(self.process_response)(request, response)
        return self.process_response(request, response)


# What is put in front of each class. The others of Django and of third parties stay as they are.
EVENT_LOOP_MIDDLEWARE = {
    "django.middleware.security.SecurityMiddleware": EventLoopMiddleware,
    "django.contrib.sessions.middleware.SessionMiddleware": EventLoopSessionMiddleware,
    "django.middleware.common.CommonMiddleware": EventLoopMiddleware,
    "django.middleware.csrf.CsrfViewMiddleware": EventLoopCsrfViewMiddleware,
    "django.contrib.auth.middleware.AuthenticationMiddleware": EventLoopMiddleware,
    "django.contrib.messages.middleware.MessageMiddleware": EventLoopMessageMiddleware,
    "django.middleware.clickjacking.XFrameOptionsMiddleware": EventLoopMiddleware,
    "django.middleware.csp.ContentSecurityPolicyMiddleware": EventLoopMiddleware,
}


def import_middleware(dotted_path: str) -> Callable[..., object]:
    """import_string(), but one of Django's classes above comes as a subclass for the event loop."""
    middleware = import_string(dotted_path)
    if dotted_path not in EVENT_LOOP_MIDDLEWARE:
        return middleware  # type: ignore[no-any-return]
    return type(middleware.__name__, (EVENT_LOOP_MIDDLEWARE[dotted_path], middleware), {})
