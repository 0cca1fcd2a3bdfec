"""Log in, log out, change the password. Django's views, which hash passwords, run on a thread."""

from collections.abc import Callable
from functools import wraps

from asgiref.sync import sync_to_async
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.decorators.http import require_safe

from onloop.rate_limit import rate_limited
from onloop.views import View


@login_required
@require_safe
async def account(request: HttpRequest) -> HttpResponse:
    """Show who is logged in, and what they can do."""
    return render(request, "accounts/account.html", {"user": await request.auser()})


class PasswordChange(PasswordChangeView):
    # Not in registration/, where the admin looks for its own template.
    template_name = "accounts/change_password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Change the password, and confirm it on the next page."""
        messages.success(self.request, "Your password was changed.")
        return super().form_valid(form)


def with_limited_attempts(login: Callable[[HttpRequest], HttpResponseBase]) -> View[[]]:
    """Answer login attempts beyond `LOGIN_RATE_LIMIT` with status 429; showing the form is free.

    All views with this decorator share one count.
    """

    async def show_or_log_in(request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(login)(request)

    attempt = rate_limited("LOGIN_RATE_LIMIT")(show_or_log_in)

    @login_not_required
    @wraps(login)
    async def view(request: HttpRequest) -> HttpResponseBase:
        return await (attempt if request.method == "POST" else show_or_log_in)(request)

    return view


login = with_limited_attempts(LoginView.as_view(template_name="accounts/login.html"))
admin_login = with_limited_attempts(admin.site.login)
logout = LogoutView.as_view()
change_password = PasswordChange.as_view()
