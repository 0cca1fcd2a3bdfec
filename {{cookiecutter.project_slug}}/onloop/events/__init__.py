"""Topics of events that any process can publish and any process can follow."""

from onloop.event import Event
from onloop.events.hubs import Hub, Publisher, hub

__all__ = ["Event", "Hub", "Publisher", "hub"]
