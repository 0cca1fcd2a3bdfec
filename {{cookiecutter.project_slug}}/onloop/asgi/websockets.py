"""WebSocket routes, and the check of who may open a WebSocket (RFC 6455).

An app with WebSockets has a module `routing` with `websocket_urlpatterns`: a list of `path()`
entries, each pointing to an ASGI application.
https://channels.readthedocs.io/en/stable/topics/routing.html
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from io import BytesIO
from typing import Any

from channels.auth import AuthMiddleware
from channels.routing import URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.apps import apps
from django.core.handlers.asgi import ASGIRequest
from django.urls import URLPattern, re_path
from django.utils.module_loading import module_has_submodule

from onloop.asgi._django import has_trusted_origin, set_user
from onloop.asgi.routing import refuse_websocket, set_route
from onloop.asgi.types import Receive, Scope, Send
from onloop.conf import settings


def installed_routes() -> Iterator[Any]:
    """Yield the `websocket_urlpatterns` of all installed apps."""
    for app in apps.get_app_configs():
        if app.module and module_has_submodule(app.module, "routing"):
            yield from import_module(f"{app.name}.routing").websocket_urlpatterns


class WebSocketRouter:
    """The ASGI application for all WebSockets; wrap it in `onloop.observe.observed()`.

    An unknown path or a foreign `Origin` is refused before the handshake, with status 403. The
    applications find `session` and `user` in their scope.
    """

    def __init__(self, routes: Iterable[Any]) -> None:
        router = URLRouter([*map(with_route, routes), re_path("", refuse)])  # type: ignore[arg-type, list-item]
        self.application: Any = CookieMiddleware(SessionMiddleware(_SessionUser(router)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        application = self.application if is_allowed(scope) else refuse
        await application(scope, receive, send)


def with_route(route: Any) -> URLPattern:
    """Return the route with an application that names it for logs, metrics and traces."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        set_route(scope, str(route.pattern))
        await route.callback(scope, receive, send)

    return URLPattern(route.pattern, application)


class _SessionUser(AuthMiddleware):
    """Sets the session's user; without a session cookie that is an anonymous one, and no query."""

    async def resolve_scope(self, scope: Any) -> None:
        if settings.SESSION_COOKIE_NAME in scope["cookies"]:
            await super().resolve_scope(scope)
        else:
            # A model: this module may be imported before the apps are ready.
            from django.contrib.auth.models import AnonymousUser

            set_user(scope, AnonymousUser())


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse the handshake."""
    await refuse_websocket(receive, send)


def is_allowed(scope: Scope) -> bool:
    """Return whether a page of this origin may open a WebSocket with the user's cookies.

    This is Django's rule for forms: the page's origin must be that of the request itself, including
    scheme and port, or one of `CSRF_TRUSTED_ORIGINS`. A client that sends no `Origin` is not a
    browser, so it has no other user's cookies to abuse (RFC 6455, section 10.2).
    """
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    handshake = scope | {"method": "GET", "scheme": scheme, "query_string": b""}
    request = ASGIRequest(handshake, BytesIO())
    return "HTTP_ORIGIN" not in request.META or has_trusted_origin(request)
