"""An application that reports in which context it is called. It imports nothing that takes time."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

last_path: ContextVar[str] = ContextVar("last_path", default="none")


async def report(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer with the path of the request whose context this one has."""
    assert scope["type"] != "lifespan"
    while (await receive()).get("more_body"):
        pass
    inherited = last_path.get().encode()
    last_path.set(scope["path"])
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": inherited})
        return
    headers = [(b"content-length", str(len(inherited)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": inherited})
