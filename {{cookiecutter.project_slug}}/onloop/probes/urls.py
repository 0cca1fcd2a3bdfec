"""URLs of the probes for orchestrators and monitoring."""

from django.urls import path

from onloop.conf import PROBES
from onloop.probes.health import healthz, readyz
from onloop.probes.metrics import metrics

urlpatterns = [
    path(name, view, name=name)
    for name, view in zip(PROBES, (healthz, readyz, metrics), strict=True)
]
