"""The event that code publishes, a log keeps and a stream sends."""

import re
from dataclasses import dataclass

LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: its name, its data as text, and its id if it has one.

    The id names the event's position in a log or a stream, so that a reader can continue after it.
    """

    name: str
    data: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        """Reject an event that a stream could not carry.

        Raises:
            ValueError: `name` or `id` has a line break, or `id` has a NUL.
        """
        if LINE_END.search(self.name):
            raise ValueError(f"name is {self.name!r}, but it must be one line.")
        if LINE_END.search(self.id) or "\0" in self.id:
            raise ValueError(f"id is {self.id!r}, but it must be one line without NUL.")
