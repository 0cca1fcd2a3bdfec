"""A URLconf that a system check refuses: its error handler takes no arguments."""

from django.http import HttpResponse
from django.urls import URLPattern


def handler404() -> HttpResponse:
    """Answer an unknown URL, which Django would call with two arguments."""
    return HttpResponse(status=404)


urlpatterns: list[URLPattern] = []
