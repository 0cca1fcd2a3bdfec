"""What async views have in common: their type, and how they answer with an error."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Concatenate

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

type View[**P] = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]
"""An async view."""


def error_response(
    status: int, error_type: str, message: str, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    """Return `{"error": {"type": ..., "message": ...}}`: a type for programs, a text for people."""
    error = {"type": error_type, "message": message}
    return JsonResponse({"error": error}, status=status, headers=headers)
