"""Conversations over a WebSocket: JSON messages in, messages and events out (RFC 6455).

A conversation is a plain ASGI application, because a channels consumer uses a thread for each
message.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from reprlib import repr as short_repr
from typing import Any

from onloop.asgi.types import Receive, Scope, Send
from onloop.asgi.waiting import ServerStoppingError, Waiter, waiter
from onloop.event import Event
from onloop.json_text import json_object
from onloop.rate_limit import RateLimitedError
from onloop.redis import UNAVAILABLE, log_outage, redis_errors
from onloop.running import running
from onloop.token_bucket import RefilledBucket

MAX_MESSAGE_BYTES = 4_096
_MESSAGES_PER_SECOND = 5
MESSAGES_AT_ONCE = 20
_IDLE_SECONDS = 300.0
_FAREWELL_SECONDS = 1.0

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
NORMAL, GOING_AWAY, UNSUPPORTED_DATA = 1000, 1001, 1003
POLICY_VIOLATION, MESSAGE_TOO_BIG, INTERNAL_ERROR = 1008, 1009, 1011


class MessageRefusedError(Exception):
    """A message that is answered with an error: its type, and a sentence for people."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.type = error_type


class _ClosingError(Exception):
    """A reason to close the connection: the close code, and the error that is sent first."""

    def __init__(self, code: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.error = {"type": error_type, "message": message}


class _DisconnectedError(Exception):
    """The client has disconnected, so nothing can be sent."""


class Conversation(ABC):
    """One WebSocket. A subclass implements `answer()`, and a route points to its `serve`.

    The client sends JSON objects of at most `MAX_MESSAGE_BYTES` each, at most
    `_MESSAGES_PER_SECOND` in the long run and `MESSAGES_AT_ONCE` in a burst. In addition to
    answers, the server sends one stream of events at a time. The stream waits for a client that
    does not read, and is closed with the connection. The connection is closed with an error and a
    close code of RFC 6455 when the client exceeds these limits, when it sends nothing for
    `_IDLE_SECONDS` while there is no stream, or when the server stops.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.address: str = (scope.get("client") or ("", 0))[0]
        self._receive = receive
        self._send = send
        self._allowance = RefilledBucket(MESSAGES_AT_ONCE, per_second=_MESSAGES_PER_SECOND)
        self._stream: asyncio.Task[None] | None = None

    @classmethod
    async def serve(cls, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: the ASGI application."""
        await receive()
        await send({"type": "websocket.accept"})
        await cls(scope, receive, send).hold()

    @abstractmethod
    async def answer(self, message: dict[str, Any]) -> None:
        """Act on a message of the client.

        Raises:
            MessageRefusedError, RateLimitedError: the client gets the error and may continue.
        """

    @property
    def is_streaming(self) -> bool:
        """Whether events are being sent."""
        return self._stream is not None and not self._stream.done()

    async def start_stream(self, events: AsyncGenerator[Event], **head: str) -> None:
        """Send each of `events` with `send_event()`, while messages are still answered."""
        await self.end_stream()
        self._stream = asyncio.create_task(self._send_all(events, head))

    async def end_stream(self) -> None:
        """Close the stream, if there is one.

        Raises:
            Exception: the error that the stream failed with.
        """
        if self._stream:
            stream, self._stream = self._stream, None
            stream.cancel()
            await asyncio.wait([stream])
            if not stream.cancelled():
                stream.result()

    async def send_event(self, event: Event, **head: str) -> None:
        """Send an event: its name as `type`, the members of `head`, and those of its data."""
        message = json_object({"type": event.name, **head}, event.data.encode())
        await self._send_text(message.decode())

    async def hold(self) -> None:
        """Answer messages until one side ends the connection."""
        try:
            async with waiter() as waiting:
                while (message := await self._next(waiting))["type"] == "websocket.receive":
                    try:
                        await self.answer(_parsed(self._checked(message)))
                    except (MessageRefusedError, RateLimitedError) as error:
                        await self._send_error({"type": error.type, "message": str(error)})
                    except redis_errors() as error:
                        await self._send_unavailable(error)
        except _ClosingError as reason:
            await self._close(reason)
        except ServerStoppingError:
            sentence = "The server is stopping."
            await self._close(_ClosingError(GOING_AWAY, "stopping", sentence))
        except _DisconnectedError:
            pass
        except Exception:
            await self._close(_ClosingError(INTERNAL_ERROR, "internal_error", "The server failed."))
            raise
        finally:
            await self.end_stream()

    async def _next(self, waiting: Waiter) -> Mapping[str, Any]:
        """Return the next message; clean up a stream that finishes in the meantime."""
        async with running(_awaited(self._receive)) as message:
            while not message.done():
                streams = {self._stream} if self._stream else set()
                idle = None if streams else _IDLE_SECONDS
                done = await waiting.first_of(message, *streams, timeout=idle)
                if not done:
                    sentence = f"There was no message for {_IDLE_SECONDS:g} s."
                    raise _ClosingError(NORMAL, "idle", sentence)
                if streams & done:
                    await self.end_stream()
            return message.result()

    def _checked(self, message: Mapping[str, Any]) -> str:
        """Return the text of a message.

        Raises:
            _ClosingError: it is one message too many, too large, or binary.
        """
        if not self._allowance.take():
            sentence = f"There were more than {_MESSAGES_PER_SECOND} messages per second."
            raise _ClosingError(POLICY_VIOLATION, "too_many_messages", sentence)
        text: str | None = message.get("text")
        content = text or message.get("bytes") or b""
        # A character is at least one byte, so a text with too many of them need not be encoded.
        if len(content) > MAX_MESSAGE_BYTES or len((text or "").encode()) > MAX_MESSAGE_BYTES:
            sentence = f"The message is longer than {MAX_MESSAGE_BYTES} bytes."
            raise _ClosingError(MESSAGE_TOO_BIG, "message_too_big", sentence)
        if text is None:
            sentence = "The message is binary, but it must be text."
            raise _ClosingError(UNSUPPORTED_DATA, "bad_request", sentence)
        return text

    async def _send_all(self, events: AsyncGenerator[Event], head: dict[str, str]) -> None:
        with suppress(_DisconnectedError):  # The next message reports it as well.
            try:
                async with aclosing(events):
                    async for event in events:
                        await self.send_event(event, **head)
                        await asyncio.sleep(0)  # Sending to a quick reader never waits.
            except redis_errors() as error:
                await self._send_unavailable(error)

    async def _send_unavailable(self, error: Exception) -> None:
        log_outage(error)
        await self._send_error(UNAVAILABLE)

    async def _send_error(self, error: Mapping[str, str]) -> None:
        await self._send_text(json.dumps({"type": "error", "error": error}))

    async def _send_text(self, text: str) -> None:
        """Send a message; return when the connection has room for the next one."""
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError as error:
            # https://asgi.readthedocs.io/en/latest/specs/www.html#send-send-event
            raise _DisconnectedError from error

    async def _close(self, reason: _ClosingError) -> None:
        """Send the reason and close, waiting at most `_FAREWELL_SECONDS` for the client to read."""
        with suppress(OSError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                text = json.dumps({"type": "error", "error": reason.error})
                await self._send({"type": "websocket.send", "text": text})
                await self._send({"type": "websocket.close", "code": reason.code})


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageRefusedError("bad_request", "The message is not JSON.") from error
    if not isinstance(message, dict):
        sentence = f"The message is {short_repr(message)}, but it must be a JSON object."
        raise MessageRefusedError("bad_request", sentence)
    return message


async def _awaited(receive: Receive) -> Mapping[str, Any]:
    return await receive()
