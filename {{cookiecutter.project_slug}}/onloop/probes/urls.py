"""What orchestrators and monitoring ask."""

from django.urls import path

from onloop.probes.health import healthz, readyz
from onloop.probes.metrics import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
