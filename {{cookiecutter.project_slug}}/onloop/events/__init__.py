"""Events that any process publishes and any process follows."""

from onloop.event import Event
from onloop.events.hubs import Hub, Publisher, hub

__all__ = ["Event", "Hub", "Publisher", "hub"]
