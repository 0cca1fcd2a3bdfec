"""Runs over a WebSocket: messages in, reports out (RFC 6455). docs/answers.md describes both.

This is a plain ASGI application: a consumer of channels goes through a thread for each message.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from reprlib import repr as short_repr
from time import monotonic
from typing import Any

from django.conf import settings

from aggregator.fan_out import bad_fan_out, is_accepted
from live.shared_run import CANCELLED, is_known, new_run, shared_run, unknown_run, watch_run
from onloop.asgi.types import Receive, Scope, Send
from onloop.asgi.waiting import ServerStoppingError, Waiter, waiter
from onloop.event import Event
from onloop.json_text import json_object
from onloop.rate_limit import RateLimitedError, count_request
from onloop.redis import UNAVAILABLE, redis_errors
from onloop.running import running

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 4_096
MESSAGES_PER_SECOND = 5
MESSAGES_AT_ONCE = 20
IDLE_SECONDS = 300.0
FAREWELL_SECONDS = 1.0

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
NORMAL, GOING_AWAY, UNSUPPORTED_DATA = 1000, 1001, 1003
POLICY_VIOLATION, MESSAGE_TOO_BIG, INTERNAL_ERROR = 1008, 1009, 1011


async def runs_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection."""
    await receive()
    await send({"type": "websocket.accept"})
    address, _ = scope.get("client") or ("", 0)
    await Conversation(receive, send, address).hold()


class RefusedError(Exception):
    """A message that is answered with an error: its type, and a sentence for people."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error = {"type": error_type, "message": message}


class ClosingError(Exception):
    """A reason to close the connection: the code, and what is said before."""

    def __init__(self, code: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.error = {"type": error_type, "message": message}


class ClientLeftError(Exception):
    """Nobody is there to send to."""


class Conversation:
    """One connection, which starts or follows one run at a time. A started run ends with it."""

    def __init__(self, receive: Receive, send: Send, address: str) -> None:
        self._receive = receive
        self._send = send
        self._address = address
        self._allowance = Allowance(MESSAGES_AT_ONCE, MESSAGES_PER_SECOND)
        self._run = ""
        self._telling: asyncio.Task[None] | None = None

    async def hold(self) -> None:
        """Answer messages until one side ends the connection."""
        try:
            async with waiter() as waiting:
                while (message := await self._next(waiting))["type"] == "websocket.receive":
                    try:
                        await self._answer(self._checked(message))
                    except RefusedError as refusal:
                        await self._say({"type": "error", "error": refusal.error})
                    except redis_errors() as error:
                        await self._say_unavailable(error)
        except ClosingError as reason:
            await self._close(reason)
        except ServerStoppingError:
            sentence = "The server is being stopped."
            await self._close(ClosingError(GOING_AWAY, "stopping", sentence))
        except ClientLeftError:
            pass
        except Exception:
            await self._close(ClosingError(INTERNAL_ERROR, "internal_error", "The server failed."))
            raise
        finally:
            await self._end_telling()

    async def _next(self, waiting: Waiter) -> Mapping[str, Any]:
        """Return the next message; see to all else that can happen meanwhile."""
        async with running(_awaited(self._receive)) as message:
            while not message.done():
                telling = {self._telling} if self._telling else set()
                idle = None if telling else IDLE_SECONDS
                done = await waiting.first_of(message, *telling, timeout=idle)
                if not done:
                    sentence = f"There was no message for {IDLE_SECONDS:g} s."
                    raise ClosingError(NORMAL, "idle", sentence)
                if telling & done:
                    await self._end_telling()
            return message.result()

    def _checked(self, message: Mapping[str, Any]) -> str:
        """Return the text of a message that is neither one too many, nor too big, nor binary."""
        if not self._allowance.take():
            sentence = f"There were more than {MESSAGES_PER_SECOND} messages per second."
            raise ClosingError(POLICY_VIOLATION, "too_many_messages", sentence)
        text: str | None = message.get("text")
        content = text or message.get("bytes") or b""
        # A character is one byte at least, so a text with too many of them is not encoded.
        if len(content) > MAX_MESSAGE_BYTES or len((text or "").encode()) > MAX_MESSAGE_BYTES:
            sentence = f"The message is longer than {MAX_MESSAGE_BYTES} bytes."
            raise ClosingError(MESSAGE_TOO_BIG, "message_too_big", sentence)
        if text is None:
            sentence = "The message is binary, but it must be text."
            raise ClosingError(UNSUPPORTED_DATA, "bad_request", sentence)
        return text

    async def _answer(self, text: str) -> None:
        match _parsed(text):
            case {"type": "start", **details}:
                self._refuse_second_run()
                fan_out = details.get("fan_out", settings.AGGREGATOR_FAN_OUT)
                if type(fan_out) is not int or not is_accepted(fan_out):
                    raise RefusedError("bad_request", bad_fan_out(fan_out))
                await self._count_request()
                run = new_run()
                await self._tell(run, shared_run(run, fan_out))
            case {"type": "follow", "run": str(run)}:
                self._refuse_second_run()
                await self._count_request()
                if not await is_known(run):
                    raise RefusedError("unknown_run", unknown_run(run))
                await self._tell(run, watch_run(run))
            case {"type": "cancel"}:
                if not self._is_telling:
                    raise RefusedError("not_running", "There is no run to cancel.")
                await self._end_telling()
                await self._say_report(CANCELLED)
            case {"type": "follow", **details}:
                sentence = f"run is {short_repr(details.get('run'))}, but it must be a run's id."
                raise RefusedError("bad_request", sentence)
            case other:
                kind = short_repr(other.get("type"))
                sentence = f"type is {kind}, but it must be 'start', 'follow' or 'cancel'."
                raise RefusedError("bad_request", sentence)

    def _refuse_second_run(self) -> None:
        if self._is_telling:
            raise RefusedError("busy", f"The run {self._run} goes on here; cancel it first.")

    async def _count_request(self) -> None:
        try:
            await count_request("AGGREGATOR_RATE_LIMIT", self._address)
        except RateLimitedError as error:
            raise RefusedError(error.type, str(error)) from error

    @property
    def _is_telling(self) -> bool:
        return self._telling is not None and not self._telling.done()

    async def _tell(self, run: str, reports: AsyncGenerator[Event]) -> None:
        await self._end_telling()
        self._run = run
        self._telling = asyncio.create_task(self._say_all(reports))

    async def _end_telling(self) -> None:
        """End what is told, if anything is, and raise what it has failed with."""
        if self._telling:
            telling, self._telling = self._telling, None
            telling.cancel()
            await asyncio.wait([telling])
            if not telling.cancelled():
                telling.result()

    async def _say_all(self, reports: AsyncGenerator[Event]) -> None:
        with suppress(ClientLeftError):  # The next message tells it, too.
            try:
                async with aclosing(reports):
                    async for report in reports:
                        await self._say_report(report)
                        await asyncio.sleep(0)  # Who reads quickly is never waited for.
            except redis_errors() as error:
                await self._say_unavailable(error)

    async def _say_report(self, report: Event) -> None:
        head = {"type": report.name, "run": self._run}
        await self._say_text(json_object(head, report.data.encode()).decode())

    async def _say_unavailable(self, error: Exception) -> None:
        logger.warning("Redis is down: %s", error)
        await self._say({"type": "error", "error": UNAVAILABLE})

    async def _say(self, message: Mapping[str, Any]) -> None:
        await self._say_text(json.dumps(message))

    async def _say_text(self, text: str) -> None:
        """Send a message; return when the connection has room for the next one."""
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError as error:
            # https://asgi.readthedocs.io/en/latest/specs/www.html#send-send-event
            raise ClientLeftError from error

    async def _close(self, reason: ClosingError) -> None:
        """Say why, and close; a client that does not read is not waited for."""
        with suppress(OSError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                text = json.dumps({"type": "error", "error": reason.error})
                await self._send({"type": "websocket.send", "text": text})
                await self._send({"type": "websocket.close", "code": reason.code})


class Allowance:
    """A token bucket: so many at once, and so many per second in the long run."""

    def __init__(self, at_once: int, per_second: float) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left = float(at_once)
        self._counted = monotonic()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = monotonic()
        gained = (now - self._counted) * self._per_second
        self._left = min(self._left + gained, self._at_once)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("bad_request", "The message is not JSON.") from error
    if not isinstance(message, dict):
        sentence = f"The message is {short_repr(message)}, but it must be a JSON object."
        raise RefusedError("bad_request", sentence)
    return message


async def _awaited(receive: Receive) -> Mapping[str, Any]:
    return await receive()
