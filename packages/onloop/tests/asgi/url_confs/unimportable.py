"""A URLconf of which an app is missing."""

from django.urls import include, path

urlpatterns = [path("", include("no_such_app.urls"))]
