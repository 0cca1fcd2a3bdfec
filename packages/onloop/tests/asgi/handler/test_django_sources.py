"""Tripwires: what was copied from Django, and the names that copies of its functions look up."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from inspect import getsource
from types import CodeType
from typing import Any

import pytest
from django.core.handlers import exception
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.dispatch import Signal
from django.http.response import HttpResponseBase
from django.utils.log import log_response

from onloop.asgi import errors
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.middleware import import_middleware

GET_RESPONSE: Any = BaseHandler._get_response_async  # type: ignore[attr-defined]  # noqa: SLF001
REPLACED = {
    "import_string": import_middleware,
    "convert_exception_to_response": errors.convert_exception_to_response,
    "sync_to_async": errors.sync_to_async,
}


@pytest.mark.parametrize(
    ("source", "copied_to", "known"),
    [
        (ASGIHandler.handle, "EventLoopASGIHandler.handle()", "c91f27c7fcdc3fff"),
        (BaseHandler.load_middleware, "_django.handler_calling()", "b75c13d1041e06d9"),
        (BaseHandler.get_response_async, "_django.handler_calling()", "ad82c920df0cebbb"),
        (GET_RESPONSE, "_django.handler_calling()", "064b55bfd55fc38d"),
        (exception.response_for_exception, "errors._error_page_may_wait()", "a4f71341850593c6"),
        (log_response, "errors._log_response_may_wait()", "33236c348576f049"),
        (Signal.asend, "EventLoopASGIHandler.send_signal()", "251720ef067471e0"),
        (HttpResponseBase.close, "EventLoopASGIHandler.close_response()", "84589f5b23acbb23"),
    ],
)
def test_django_has_not_changed_what_was_copied(
    source: Callable[..., Any], copied_to: str, known: str
) -> None:
    found = sha256(getsource(source).encode()).hexdigest()[:16]
    assert found == known, (
        f"Django has changed {source.__module__}.{source.__qualname__}(): compare it with the last"
        f" release, take over into onloop.asgi's {copied_to} what concerns it, and set the hash"
        f" here to {found!r}."
    )


@pytest.mark.parametrize(
    ("function", "names"),
    [
        ("load_middleware", {"import_string", "convert_exception_to_response"}),
        ("get_response_async", {"sync_to_async"}),
        ("_get_response_async", {"sync_to_async"}),
    ],
)
def test_methods_of_the_handler_look_up_what_is_replaced(function: str, names: set[str]) -> None:
    assert names <= set(looked_up(getattr(BaseHandler, function).__code__)), (
        f"Django's BaseHandler.{function}() no longer calls {names}: what onloop.asgi.handler"
        " gives it instead is not called, and requests go back to threads."
    )
    found = getattr(EventLoopASGIHandler, function).__globals__
    assert all(found[name] is REPLACED[name] for name in names)


def test_error_pages_look_up_what_is_replaced() -> None:
    code = exception.convert_exception_to_response.__code__
    assert {"sync_to_async", "response_for_exception"} <= set(looked_up(code)), (
        "Django's convert_exception_to_response() no longer calls sync_to_async(): compare it with"
        " onloop.asgi.errors."
    )


def looked_up(code: CodeType) -> Iterator[str]:
    """Yield the names of a function, and of those within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from looked_up(constant)
