"""The URLs of the project and their views."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from accounts.views import admin_login

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("onloop.probes.urls")),
    path("", include("upstream.urls")),
    path("", include("aggregator.urls")),
    path("", include("live.urls")),
    path("", include("jobs.urls")),
    path("", include("accounts.urls")),
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
]
