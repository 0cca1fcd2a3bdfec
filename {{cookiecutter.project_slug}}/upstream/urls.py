from django.urls import path

from upstream import views

urlpatterns = [path("sync/api/", views.sync_api, name="sync_api")]
