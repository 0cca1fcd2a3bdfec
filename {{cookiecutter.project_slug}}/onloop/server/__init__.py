"""The server: uvicorn, with the options that a project needs wherever it is started.

`python -m onloop.server mysite.asgi:application` takes every option of uvicorn's command line.
"""

import os
from typing import Any

from django.conf import settings

# By the names of uvicorn.Config: https://uvicorn.dev/settings/
OPTIONS: dict[str, Any] = {
    "http": "onloop.server.http:HTTPProtocol",
    "ws": "onloop.server.websocket:WebSocketProtocol",
    "lifespan": "on",  # With "auto" a failing start goes unnoticed.
    "timeout_graceful_shutdown": 10,
    "ws_max_size": 65_536,
    # Else a request begins with the context of the one before it on the same connection.
    "reset_contextvars": True,
}


def application() -> str:
    """Return the name of the project's ASGI application, as uvicorn takes it.

    It is the one that the setting `ASGI_APPLICATION` names, with dots as in `WSGI_APPLICATION`;
    without that setting, the one in the `asgi.py` next to the settings, as `startproject` has it.
    """
    package = os.environ["DJANGO_SETTINGS_MODULE"].rpartition(".")[0]
    path: str = getattr(settings, "ASGI_APPLICATION", f"{package}.asgi.application")
    return ":".join(path.rsplit(".", 1))
