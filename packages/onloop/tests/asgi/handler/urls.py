"""Views that use what the middleware provides, each in an async and a sync version."""

from collections.abc import AsyncIterator, Iterator
from random import Random

from django.contrib import admin, messages
from django.contrib.auth import alogin, get_user_model, login
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csp import get_nonce
from django.middleware.csrf import get_token, rotate_token
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.common import no_append_slash
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt

User = get_user_model()


async def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} {request.get_full_path()}")


def sync_plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} {request.get_full_path()}")


async def headers(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        headers={
            "Content-Security-Policy": "default-src 'none'",
            "Content-Length": "0",
            "Cross-Origin-Opener-Policy": "unsafe-none",
            "Referrer-Policy": "origin",
            "Strict-Transport-Security": "max-age=1",
            "X-Frame-Options": "SAMEORIGIN",
        }
    )


def sync_headers(request: HttpRequest) -> HttpResponse:
    return HttpResponse(headers={"Content-Length": "0", "X-Frame-Options": "SAMEORIGIN"})


async def nonce(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_nonce(request)))


def sync_nonce(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_nonce(request)))


async def chunks() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


def sync_chunks() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks())


def sync_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks())


ERRORS = {"missing": Http404, "forbidden": PermissionDenied, "broken": ZeroDivisionError}


async def error(request: HttpRequest, kind: str) -> HttpResponse:
    raise ERRORS[kind](kind)


def sync_error(request: HttpRequest, kind: str) -> HttpResponse:
    raise ERRORS[kind](kind)


async def session(request: HttpRequest, action: str) -> HttpResponseBase:
    store = request.session
    query = request.GET
    match action:
        case "set":
            await store.aupdate(query.dict())
        case "expire":
            await store.aset("value", "short")
            await store.aset_expiry(int(query["seconds"]))
        case "flush":
            await store.aflush()
        case "clear":
            store.clear()
        case "cycle":
            await store.acycle_key()
        case "gone":  # As if the user had logged out in another tab meanwhile.
            await store.aset("value", "lost")
            await Session.objects.filter(session_key=store.session_key).adelete()
        case "remove":
            del request.session
            return HttpResponse("removed")
        case "untouched":
            return HttpResponse("untouched")
    items = dict(await store.aitems())
    return JsonResponse(items, status=int(query.get("status", 200)))


def sync_session(request: HttpRequest, action: str) -> HttpResponseBase:
    store = request.session
    query = request.GET
    match action:
        case "set":
            store.update(query.dict())
        case "expire":
            store["value"] = "short"
            store.set_expiry(int(query["seconds"]))
        case "flush":
            store.flush()
        case "clear":
            store.clear()
        case "cycle":
            store.cycle_key()
        case "gone":
            store["value"] = "lost"
            Session.objects.filter(session_key=store.session_key).delete()
        case "remove":
            del request.session
            return HttpResponse("removed")
        case "untouched":
            return HttpResponse("untouched")
    return JsonResponse(dict(store.items()), status=int(query.get("status", 200)))


def noise(request: HttpRequest, seed: int) -> str:
    """As many characters as asked for, which no compression makes fewer."""
    size = int(request.GET.get("size", 0))
    return Random(seed).randbytes(size).hex()[:size]  # noqa: S311


async def message(request: HttpRequest, action: str) -> HttpResponse:
    if action == "add":
        for number in range(int(request.GET.get("count", 1))):
            messages.info(request, f"message {number} " + noise(request, number))
        return HttpResponse("added")
    if action == "remove":
        delattr(request, "_messages")
        return HttpResponse("removed")
    await request.session.aget("_messages")
    return HttpResponse(" ".join(map(str, messages.get_messages(request))))


def sync_message(request: HttpRequest, action: str) -> HttpResponse:
    if action == "add":
        for number in range(int(request.GET.get("count", 1))):
            messages.info(request, f"message {number} " + noise(request, number))
        return HttpResponse("added")
    if action == "remove":
        delattr(request, "_messages")
        return HttpResponse("removed")
    request.session.get("_messages")
    return HttpResponse(" ".join(map(str, messages.get_messages(request))))


async def token(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


def sync_token(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


async def replaced(request: HttpRequest) -> HttpResponse:
    request.session = type(request.session)(request.session.session_key)
    return HttpResponse(get_token(request))


def sync_replaced(request: HttpRequest) -> HttpResponse:
    request.session = type(request.session)(request.session.session_key)
    return HttpResponse(get_token(request))


async def rotate(request: HttpRequest) -> HttpResponse:
    rotate_token(request)
    return HttpResponse(get_token(request))


def sync_rotate(request: HttpRequest) -> HttpResponse:
    rotate_token(request)
    return HttpResponse(get_token(request))


async def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{sorted(request.POST)} {sorted(request.FILES)}")


def sync_form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{sorted(request.POST)} {sorted(request.FILES)}")


async def user(request: HttpRequest, action: str) -> HttpResponse:
    if action == "login":
        await alogin(request, await User.objects.aget(username="ada"))
    return HttpResponse(str(await request.auser()))


def sync_user(request: HttpRequest, action: str) -> HttpResponse:
    if action == "login":
        login(request, User.objects.get(username="ada"))
    return HttpResponse(str(request.user))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return HttpResponse(f"{User.objects.count()} users: {reason}", status=403)


override = csp_override({"default-src": ["'none'"]})
urlpatterns = [
    path("admin/", admin.site.urls),
    path("async/plain/", plain),
    path("sync/plain/", sync_plain),
    path("async/no-slash/", no_append_slash(plain)),
    path("sync/no-slash/", no_append_slash(sync_plain)),
    path("async/headers/", headers),
    path("sync/headers/", sync_headers),
    path("async/framed/", xframe_options_exempt(plain)),
    path("sync/framed/", xframe_options_exempt(sync_plain)),
    path("async/nonce/", nonce),
    path("sync/nonce/", sync_nonce),
    path("async/policy/", override(plain)),
    path("sync/policy/", override(sync_plain)),
    path("async/stream/", stream),
    path("sync/stream/", sync_stream),
    path("async/error/<kind>/", error),
    path("sync/error/<kind>/", sync_error),
    path("async/session/<action>/", session),
    path("sync/session/<action>/", sync_session),
    path("async/message/<action>/", message),
    path("sync/message/<action>/", sync_message),
    path("async/token/", token),
    path("sync/token/", sync_token),
    path("async/replaced/", replaced),
    path("sync/replaced/", sync_replaced),
    path("async/rotate/", rotate),
    path("sync/rotate/", sync_rotate),
    path("async/form/", form),
    path("sync/form/", sync_form),
    path("async/exempt/", csrf_exempt(form)),
    path("sync/exempt/", csrf_exempt(sync_form)),
    path("async/user/<action>/", user),
    path("sync/user/<action>/", sync_user),
]
