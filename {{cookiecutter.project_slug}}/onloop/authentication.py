"""Views and WebSockets for users who are logged in.

Without a session cookie a client is nobody: no thread and no database is needed to refuse it.
"""

from functools import wraps

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.asgi.routing import refuse_websocket
from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.views import View, error_response


def authenticated[**P](view: View[P]) -> View[P]:
    """Answer an anonymous client of an async view with status 401 and one sentence.

    Django's `login_required` redirects to a page for people instead.
    """

    @wraps(view)
    async def wrapper(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        user = await request.auser()
        if user.is_authenticated:
            return await view(request, *args, **kwargs)
        # A 401 names a scheme (RFC 9110, 15.5.2); none is registered for sessions.
        headers = {"WWW-Authenticate": "Session"}
        return error_response(401, "unauthenticated", "Log in first.", headers)

    return wrapper


def authenticated_websocket(application: Application) -> Application:
    """Refuse the WebSocket of an anonymous client before its handshake, with status 403."""

    @wraps(application)
    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["user"].is_authenticated:
            await application(scope, receive, send)
        else:
            await refuse_websocket(receive, send)

    return wrapper
