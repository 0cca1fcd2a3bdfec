"""The type of async views, and their error responses."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Concatenate

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

type View[**P] = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]
"""An async view."""


def error_response(
    status: int, error_type: str, message: str, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    """Return a response `{"error": {"type": ..., "message": ...}}`.

    The type is for programs, the message for people.
    """
    error = {"type": error_type, "message": message}
    return JsonResponse({"error": error}, status=status, headers=headers)
