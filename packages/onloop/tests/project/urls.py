"""The probes and the admin."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("onloop.probes.urls")),
    path("admin/", admin.site.urls),
]
