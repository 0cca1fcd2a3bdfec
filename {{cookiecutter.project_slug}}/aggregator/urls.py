from django.urls import path

from aggregator import views

urlpatterns = [path("async/api_aggregated/", views.api_aggregated, name="api_aggregated")]
