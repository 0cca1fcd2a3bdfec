"""The project's application with views that use the database, alone and before an aggregation."""

from aggregator.views import api_aggregated
from config.asgi import application
from config.urls import urlpatterns
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

__all__ = ["application"]


async def visit(request: HttpRequest) -> HttpResponse:
    """Read the session and the user, and write the session."""
    user = await request.auser()
    await request.session.aset("visits", await request.session.aget("visits", 0) + 1)
    return HttpResponse(user.get_username())


async def aggregated_for_user(request: HttpRequest) -> HttpResponseBase:
    """Read the session and the user, then call the upstream."""
    user = await request.auser()
    response = await api_aggregated(request)
    response.headers["X-User"] = user.get_username()
    return response


urlpatterns += [path("visit/", visit), path("aggregated-for-user/", aggregated_for_user)]
