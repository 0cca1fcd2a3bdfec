from django.urls import path

from runtime.websockets import refuse

websocket_urlpatterns = [path("ws/spoken/", refuse)]  # type: ignore[arg-type]
