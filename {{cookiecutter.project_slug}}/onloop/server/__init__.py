"""The server: uvicorn, with the options that a project needs however it is started.

`python -m onloop.server mysite.asgi:application` accepts every option of uvicorn's command line.
"""

import os
from typing import Any

from django.conf import settings

# Named as in uvicorn.Config: https://uvicorn.dev/settings/
OPTIONS: dict[str, Any] = {
    "http": "onloop.server.http:HTTPProtocol",
    "ws": "onloop.server.websocket:WebSocketProtocol",
    "lifespan": "on",  # With "auto" a failed startup goes unnoticed.
    "timeout_graceful_shutdown": 10,
    "ws_max_size": 65_536,
    # Otherwise a request starts with the context of the previous one on the same connection.
    "reset_contextvars": True,
}


def application() -> str:
    """Return the name of the project's ASGI application in uvicorn's notation, `module:attribute`.

    The setting `ASGI_APPLICATION` names it, with dots as in `WSGI_APPLICATION`. Without that
    setting it is `application` in the `asgi.py` next to the settings, as in `startproject`.
    """
    package = os.environ["DJANGO_SETTINGS_MODULE"].rpartition(".")[0]
    path: str = getattr(settings, "ASGI_APPLICATION", f"{package}.asgi.application")
    return ":".join(path.rsplit(".", 1))
