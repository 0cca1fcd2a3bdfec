"""What orchestrators ask."""

from django.urls import path

from runtime.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
