"""Views and WebSockets for logged-in users.

A client without a session cookie is refused without a thread or a database query.
"""

from functools import wraps

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.asgi.routing import refuse_websocket
from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.views import View, error_response


def authenticated[**P](view: View[P]) -> View[P]:
    """Make an async view answer anonymous clients with status 401 and an error in JSON.

    Django's `login_required` redirects to a login page instead.
    """

    @wraps(view)
    async def wrapper(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        user = await request.auser()
        if user.is_authenticated:
            return await view(request, *args, **kwargs)
        # A 401 must name a scheme (RFC 9110, section 15.5.2); none is registered for sessions.
        headers = {"WWW-Authenticate": "Session"}
        return error_response(401, "unauthenticated", "Log in first.", headers)

    return wrapper


def authenticated_websocket(application: Application) -> Application:
    """Refuse WebSockets of anonymous clients before the handshake, with status 403."""

    @wraps(application)
    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["user"].is_authenticated:
            await application(scope, receive, send)
        else:
            await refuse_websocket(receive, send)

    return wrapper
