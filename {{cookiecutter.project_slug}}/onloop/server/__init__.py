"""The server: uvicorn, with the options that this project needs wherever it is started.

`python -m onloop.server` takes every option of uvicorn's command line.
"""

from typing import Any

APPLICATION = "config.asgi:application"

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
