from django.urls import path

from benchmarks.contenders import probes
from benchmarks.contenders.stock import views

urlpatterns = [
    *probes.urlpatterns,
    path("sync/api/", views.api),
    path("async/api_aggregated/", views.api_aggregated),
]
