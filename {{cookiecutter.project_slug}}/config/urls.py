"""Which URL is answered by which view."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("runtime.urls")),
    path("", include("aggregator.urls")),
    path("", include("live.urls")),
    path("", include("jobs.urls")),
    path("admin/", admin.site.urls),
]
