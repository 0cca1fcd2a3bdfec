"""The login of Django's admin, which one client may not try without limit."""

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.rate_limit import rate_limited


@login_not_required
async def login(request: HttpRequest) -> HttpResponseBase:
    """Show the form, or log in; attempts beyond `LOGIN_RATE_LIMIT` are answered with 429."""
    return await (_attempt if request.method == "POST" else _login)(request)


async def _login(request: HttpRequest) -> HttpResponseBase:
    return await sync_to_async(admin.site.login)(request)


_attempt = rate_limited("LOGIN_RATE_LIMIT")(_login)
