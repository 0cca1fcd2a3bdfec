from django.urls import path

from onloop.asgi.websockets import refuse

websocket_urlpatterns = [path("ws/spoken/", refuse)]  # type: ignore[arg-type]
