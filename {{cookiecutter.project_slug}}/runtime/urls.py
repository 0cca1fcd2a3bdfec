"""What orchestrators and monitoring ask."""

from django.urls import path

from runtime.health import healthz, readyz
from runtime.scrape import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
