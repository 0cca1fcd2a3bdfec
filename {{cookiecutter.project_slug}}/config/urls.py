"""Which URL is answered by which view."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config.admin import login

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("onloop.probes.urls")),
    path("", include("aggregator.urls")),
    path("", include("live.urls")),
    path("", include("jobs.urls")),
    path("admin/login/", login),
    path("admin/", admin.site.urls),
]
