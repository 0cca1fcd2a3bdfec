"""Which URL is answered by which view."""

from django.contrib import admin
from django.urls import include, path

from config.views import home

urlpatterns = [
    path("", home, name="home"),
    path("", include("runtime.urls")),
    path("", include("aggregator.urls")),
    path("admin/", admin.site.urls),
]
