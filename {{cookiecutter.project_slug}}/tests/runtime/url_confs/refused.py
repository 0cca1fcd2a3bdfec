"""A URLconf that a system check refuses: its view is a class, not `View.as_view()`."""

from django.urls import path
from django.views import View

urlpatterns = [path("page/", View)]  # type: ignore[call-overload]
