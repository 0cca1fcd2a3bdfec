"""Error responses: made on the event loop, or on the request's thread where they may block.

Django makes them in threads of the loop's default executor. Anything that an error page opens
there, such as a database connection, is never closed: https://code.djangoproject.com/ticket/36027
"""

import logging
import logging.handlers
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any

import asgiref.sync
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.handlers import exception
from django.core.handlers.base import BaseHandler
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.template import TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.loaders.cached import Loader as CachedLoader
from django.urls import get_resolver, get_urlconf
from django.utils.log import log_response, request_logger
from django.views import defaults

from onloop.asgi._django import has_exception_middleware, is_logged, with_globals
from onloop.conf import settings

_DEFAULT_VIEWS = {
    400: defaults.bad_request,
    403: defaults.permission_denied,
    404: defaults.page_not_found,
    500: defaults.server_error,
}
# These handlers write to a file or a queue. All others may wait for another machine.
_LOCAL_LOG_HANDLERS = (logging.StreamHandler, logging.NullHandler, logging.handlers.QueueHandler)


def sync_to_async(
    function: Callable[..., Any], thread_sensitive: bool = True
) -> Callable[..., Awaitable[Any]]:
    """Replace asgiref's `sync_to_async()` in Django's handler.

    Only a call that may block leaves the event loop. It runs on the request's thread, whatever
    `thread_sensitive` is.
    """
    plain = getattr(function, "__func__", function)
    if not isinstance(plain, FunctionType) or not (may_wait := _MAY_WAIT.get(plain)):
        return asgiref.sync.sync_to_async(function)

    async def call(*args: Any, **kwargs: Any) -> Any:
        if may_wait(function, *args, **kwargs):
            return await asgiref.sync.sync_to_async(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call


def _process_exception_may_wait(method: Any, *args: object) -> bool:
    return has_exception_middleware(method.__self__)


def _log_response_may_wait(
    function: object, *args: object, response: HttpResponseBase, **kwargs: object
) -> bool:
    level = logging.ERROR if response.status_code >= 500 else logging.WARNING
    return not is_logged(response) and _log_may_wait(request_logger, level)


def _error_page_may_wait(function: object, request: HttpRequest, error: Exception) -> bool:
    """Return `False` if the response is Django's own short page and no other code runs for it."""
    logger, level = request_logger, logging.WARNING
    match error:
        case Http404():
            status = 404
        case PermissionDenied():
            status = 403
        case MultiPartParserError() | BadRequest():
            status = 400
        case SuspiciousOperation():
            status = 400
            logger = logging.getLogger(f"django.security.{type(error).__name__}")
            level = logging.ERROR
        case _:
            status = 500
            level = logging.ERROR
    return (
        settings.DEBUG
        or (status == 500 and got_request_exception.has_listeners())
        or not _is_missing(f"{status}.html")
        or _may_check_csrf_token(request)
        or _log_may_wait(logger, level)
        or not _has_default_view(status)
    )


def _is_missing(template: str) -> bool:
    """Return whether all template engines have cached that the template does not exist."""
    return all(
        isinstance(engine, DjangoTemplates)
        and all(
            isinstance(loader, CachedLoader)
            and loader.get_template_cache.get(template) is TemplateDoesNotExist
            for loader in engine.engine.template_loaders
        )
        for engine in engines.all()
    )


def _may_check_csrf_token(request: HttpRequest) -> bool:
    """Return whether `@requires_csrf_token`, on all default views, may read session or body."""
    return settings.CSRF_USE_SESSIONS or (
        request.method == "POST" and settings.CSRF_COOKIE_NAME in request.COOKIES
    )


def _has_default_view(status: int) -> bool:
    try:
        view = get_resolver(get_urlconf()).resolve_error_handler(status)
    except Exception:  # Django runs into it again, and handles it.
        return False
    return view is _DEFAULT_VIEWS[status]


def _log_may_wait(logger: logging.Logger, level: int) -> bool:
    """Return whether a record of this level reaches a handler that may block."""
    current: logging.Logger | None = logger
    while current:
        if any(
            handler.level <= level and not isinstance(handler, _LOCAL_LOG_HANDLERS)
            for handler in current.handlers
        ):
            return True
        current = current.parent if current.propagate else None
    return False


_MAY_WAIT: dict[Any, Callable[..., bool]] = {
    BaseHandler.process_exception_by_middleware: _process_exception_may_wait,
    log_response: _log_response_may_wait,
    exception.response_for_exception: _error_page_may_wait,
}
convert_exception_to_response = with_globals(
    exception.convert_exception_to_response, sync_to_async=sync_to_async
)
