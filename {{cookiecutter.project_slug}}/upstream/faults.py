"""Fault injection for the sync API: `?delay=0.5-2&fail=0.2`, in development only."""

import re
from reprlib import repr as short_repr

from django.conf import settings
from django.http import QueryDict

MAX_DELAY = 10.0
NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
GOLDEN_RATIO = 0.618_033_988_749_895


def injected_faults(query: QueryDict) -> tuple[float, bool]:
    """Return the delay of a call in seconds, and whether it fails.

    `delay` is exact or a range, and `fail` the share of calls that fail. Both are spread evenly
    over the task ids, and are the same in every run. Without `DEBUG` they are ignored, so that no
    client holds a thread for longer than `SYNC_API_DELAY`.

    Raises:
        ValueError: one of them has a bad value; the message is for the client.
    """
    if not settings.DEBUG:
        return settings.SYNC_API_DELAY, False
    least, most = _delay(query.get("delay"))
    place = _place(query.get("task_id", ""))
    return least + place * (most - least), place < _share(query.get("fail", "0"))


def _delay(value: str | None) -> tuple[float, float]:
    if value is None:
        return settings.SYNC_API_DELAY, settings.SYNC_API_DELAY
    if match := re.fullmatch(f"{NUMBER}(?:-{NUMBER})?", value):
        least, most = float(match[1]), float(match[2] or match[1])
        if least <= most <= MAX_DELAY:
            return least, most
    accepted = f"seconds from 0 to {MAX_DELAY:g}, such as 0.5, or a range, such as 0.5-2"
    raise ValueError(f"delay is {short_repr(value)}, but it must be {accepted}.")


def _share(value: str) -> float:
    if re.fullmatch(NUMBER, value) and float(value) <= 1:
        return float(value)
    accepted = "a share from 0 to 1, such as 0.2"
    raise ValueError(f"fail is {short_repr(value)}, but it must be {accepted}.")


def _place(task_id: str) -> float:
    """Return a number from 0 to 1; those of consecutive task ids are spread evenly.

    A task id that is not a number counts as 0.
    https://en.wikipedia.org/wiki/Low-discrepancy_sequence#Additive_recurrence
    """
    number = int(task_id) if re.fullmatch("[0-9]{1,9}", task_id) else 0
    return number * GOLDEN_RATIO % 1
