"""Runs over a WebSocket; docs/endpoints.md describes the messages in both directions."""

from collections.abc import AsyncGenerator
from reprlib import repr as short_repr
from typing import Any

from django.conf import settings

from live.shared_runs import CANCELLED, follow_run, is_known, new_run, publish_run, unknown_run
from onloop.asgi.conversation import Conversation, MessageRefusedError
from onloop.event import Event
from onloop.rate_limit import count_request
from upstream.fan_out import bad_fan_out, is_accepted


class RunsConversation(Conversation):
    """One client, which starts or follows one run at a time. A run ends with its client."""

    run = ""

    async def answer(self, message: dict[str, Any]) -> None:
        """Start, follow or cancel a run."""
        match message:
            case {"type": "start", **details}:
                self._refuse_second_run()
                fan_out = details.get("fan_out", settings.AGGREGATOR_FAN_OUT)
                if type(fan_out) is not int or not is_accepted(fan_out):
                    raise MessageRefusedError("bad_request", bad_fan_out(fan_out))
                await count_request("AGGREGATOR_RATE_LIMIT", self.address)
                run = new_run()
                await self._report(run, publish_run(run, fan_out))
            case {"type": "follow", "run": str(run)}:
                self._refuse_second_run()
                await count_request("AGGREGATOR_RATE_LIMIT", self.address)
                if not await is_known(run):
                    raise MessageRefusedError("unknown_run", unknown_run(run))
                await self._report(run, follow_run(run))
            case {"type": "follow", **details}:
                sentence = f"run is {short_repr(details.get('run'))}, but it must be a run's id."
                raise MessageRefusedError("bad_request", sentence)
            case {"type": "cancel"}:
                if not self.is_streaming:
                    raise MessageRefusedError("not_running", "There is no run to cancel.")
                await self.end_stream()
                await self.send_event(CANCELLED, run=self.run)
            case other:
                kind = short_repr(other.get("type"))
                sentence = f"type is {kind}, but it must be 'start', 'follow' or 'cancel'."
                raise MessageRefusedError("bad_request", sentence)

    def _refuse_second_run(self) -> None:
        if self.is_streaming:
            sentence = f"The run {self.run} is in progress here; cancel it first."
            raise MessageRefusedError("busy", sentence)

    async def _report(self, run: str, events: AsyncGenerator[Event]) -> None:
        self.run = run
        await self.start_stream(events, run=run)
