"""The number of calls of an aggregation, for requests that may choose it."""

import re
from collections.abc import Callable, Coroutine
from functools import wraps
from reprlib import repr as short_repr
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.views import error_response

type View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]
type FanOutView = Callable[[HttpRequest, int], Coroutine[Any, Any, HttpResponseBase]]


def fan_out_from_query(view: FanOutView) -> View:
    """Pass the number in `?fan_out=N` to the view, or `settings.AGGREGATOR_FAN_OUT` without it.

    Any number not from 1 to `settings.AGGREGATOR_MAX_FAN_OUT` gets status 400 and one sentence.
    """

    @wraps(view)
    async def wrapper(request: HttpRequest) -> HttpResponseBase:
        value = request.GET.get("fan_out")
        if value is None:
            return await view(request, settings.AGGREGATOR_FAN_OUT)
        number = int(value) if re.fullmatch(r"[1-9][0-9]{0,3}", value) else 0
        if not is_accepted(number):
            return error_response(400, "bad_request", bad_fan_out(value))
        return await view(request, number)

    return wrapper


def is_accepted(fan_out: int) -> bool:
    """Return whether a client may choose this number of calls."""
    return 1 <= fan_out <= settings.AGGREGATOR_MAX_FAN_OUT


def bad_fan_out(value: object) -> str:
    """Return the error message for a number of calls that is not accepted."""
    accepted = f"a whole number from 1 to {settings.AGGREGATOR_MAX_FAN_OUT}"
    return f"fan_out is {short_repr(value)}, but it must be {accepted}."
