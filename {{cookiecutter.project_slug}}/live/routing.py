from django.urls import path

from live.websocket import runs_socket

websocket_urlpatterns = [path("ws/aggregate/", runs_socket)]  # type: ignore[arg-type]
