from django.urls import path

from live import views

urlpatterns = [
    path("", views.page, name="live_page"),
    path("async/api_stream/", views.api_stream, name="api_stream"),
    path("async/runs/<str:run>/", views.run_stream, name="run_stream"),
]
