from django.urls import path

from live.websocket import RunsConversation

websocket_urlpatterns = [path("ws/aggregate/", RunsConversation.serve)]  # type: ignore[arg-type]
