from django.urls import path

from aggregator import views

urlpatterns = [
    path("sync/api/", views.sync_api, name="sync_api"),
    path("async/api_aggregated/", views.api_aggregated, name="api_aggregated"),
]
