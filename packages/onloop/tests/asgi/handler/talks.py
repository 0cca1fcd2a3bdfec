"""What a browser asks, with the views of `urls.py`: the middleware's job in all its cases."""

import re
from collections.abc import Awaitable, Callable
from typing import Unpack

from django.utils.csp import CSP

from tests.asgi.handler.exchange import Browser, Request

type Talk = Callable[[Browser, str], Awaitable[object]]


FORM = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}
HTTPS = {"referer": "https://testserver/async/token/"}


def ask(path: str, **request: Unpack[Request]) -> Talk:
    async def talk(browser: Browser, views: str) -> None:
        await browser.ask(path.format(views), **request)

    return talk


def asks(*paths: str, **request: Unpack[Request]) -> Talk:
    async def talk(browser: Browser, views: str) -> None:
        for path in paths:
            await browser.ask(path.format(views), **request)

    return talk


def post(
    field: str = "csrfmiddlewaretoken={token}",
    headers: dict[str, str] | None = None,
    scheme: str = "http",
    path: str = "/{}/form/",
) -> Talk:
    """Fetch a token, then post a form with it."""

    async def talk(browser: Browser, views: str) -> None:
        token = (await browser.ask(f"/{views}/token/", scheme=scheme)).text
        sent = {k: v.format(token=token) for k, v in {**FORM, **(headers or {})}.items()}
        body = field.format(token=token).encode()
        await browser.ask(path.format(views), method="POST", headers=sent, body=body, scheme=scheme)

    return talk


def upload(path: str, field: str = "{token}") -> Talk:
    async def talk(browser: Browser, views: str) -> None:
        token = (await browser.ask(f"/{views}/token/")).text
        parts = {"csrfmiddlewaretoken": field.format(token=token), 'file"; filename="f': "content"}
        body = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts.items()
        )
        await browser.ask(
            path.format(views), method="POST", headers=MULTIPART, body=f"{body}--b--\r\n".encode()
        )

    return talk


async def rotating(browser: Browser, views: str) -> None:
    """A token is good until it is rotated, and the new one is good after."""
    old = (await browser.ask(f"/{views}/token/")).text
    new = (await browser.ask(f"/{views}/rotate/")).text
    for token in (old, new):
        body = f"csrfmiddlewaretoken={token}".encode()
        await browser.ask(f"/{views}/form/", method="POST", headers=FORM, body=body)


async def garbage_cookie(browser: Browser, views: str) -> None:
    browser.cookies["csrftoken"] = "garbage!"
    await browser.ask(f"/{views}/form/", method="POST", headers={"x-csrftoken": "a" * 32})
    await browser.ask(f"/{views}/token/")


async def unknown_session(browser: Browser, views: str) -> None:
    browser.cookies["sessionid"] = "neverexisted" * 2
    await browser.ask(f"/{views}/session/untouched/")
    await browser.ask(f"/{views}/session/get/")


SET = "/{}/session/set/?value=1"
GET = "/{}/session/get/"
SESSION_TALKS: dict[str, Talk] = {
    "create and read": asks(SET, GET, GET),
    "modify": asks(SET, "/{}/session/set/?value=2&other=3", GET),
    "untouched": asks("/{}/session/untouched/", SET, "/{}/session/untouched/"),
    "flush": asks(SET, "/{}/session/flush/", GET),
    "clear": asks(SET, "/{}/session/clear/", GET),
    "cycle": asks(SET, "/{}/session/cycle/", GET),
    "expire at browser close": asks(SET, "/{}/session/expire/?seconds=0", GET),
    "expire": asks("/{}/session/expire/?seconds=60", GET),
    "a server error does not save": asks(SET, "/{}/session/set/?value=2&status=503", GET),
    "a client error does": asks(SET, "/{}/session/set/?value=2&status=404", GET),
    "an exception does not save": asks("/{}/error/broken/", SET, "/{}/error/broken/", GET),
    "removed": asks(SET, "/{}/session/remove/"),
    "unknown key": unknown_session,
    "messages in it": asks("/{}/message/add/", SET, "/{}/message/read/", "/{}/message/read/"),
    "login": asks("/{}/user/whoami/", "/{}/user/login/", "/{}/user/whoami/"),
}
MESSAGE_TALKS: dict[str, Talk] = {
    "add and read": asks("/{}/message/add/?count=2", "/{}/message/read/", "/{}/message/read/"),
    "add twice": asks("/{}/message/add/", "/{}/message/add/", "/{}/message/read/"),
    "more than a cookie holds": asks(
        "/{}/message/add/?count=4&size=900", "/{}/message/add/", "/{}/message/read/", GET
    ),
    "with a session": asks(
        SET, "/{}/message/add/?count=4&size=900", "/{}/message/add/", "/{}/message/read/"
    ),
    "none": asks("/{}/plain/", "/{}/message/read/"),
    "removed": asks("/{}/message/remove/"),
}
CSRF_TALKS: dict[str, Talk] = {
    "good": post(),
    "good in a header": post("", {"x-csrftoken": "{token}"}),
    "good with origin": post(headers={"origin": "http://testserver"}),
    "trusted origin": post(headers={"origin": "https://friend.example"}),
    "trusted subdomain": post(headers={"origin": "https://a.friends.example"}),
    "bad origin": post(headers={"origin": "http://evil.example"}),
    "malformed origin": post(headers={"origin": "http://["}),
    "https": post(headers=HTTPS, scheme="https"),
    "https without referer": post(scheme="https"),
    "https with a bad referer": post(headers={"referer": "https://evil.example/"}, scheme="https"),
    "https with an insecure referer": post(
        headers={"referer": "http://testserver/"}, scheme="https"
    ),
    "https with a malformed referer": post(headers={"referer": "https://["}, scheme="https"),
    "no token": post(""),
    "wrong token": post("csrfmiddlewaretoken=" + "a" * 64),
    "short token": post("csrfmiddlewaretoken=a"),
    "odd characters": post("csrfmiddlewaretoken=" + "-" * 64),
    "exempt": post("", path="/{}/exempt/"),
    "no cookie": ask("/{}/form/", method="POST", headers=FORM, body=b"csrfmiddlewaretoken=a"),
    "delete": ask("/{}/form/", method="DELETE"),
    "json": ask("/{}/form/", method="POST", headers={"content-type": "application/json"}),
    "safe": ask("/{}/form/", method="OPTIONS"),
    "rotating": rotating,
    "garbage cookie": garbage_cookie,
    "replaced session": asks(SET, "/{}/replaced/", "/{}/replaced/"),
    "upload": upload("/{}/form/"),
    "upload with a wrong token": upload("/{}/form/", "a" * 32),
    "exempt upload": upload("/{}/exempt/", "a"),
}
PLAIN_TALKS: dict[str, Talk] = {
    "plain": asks("/{}/plain/", "/{}/framed/", "/{}/headers/", "/{}/stream/"),
    "https": asks("/{}/plain/", "/{}/headers/", scheme="https"),
    "head": ask("/{}/plain/", method="HEAD"),
    "policy": asks("/{}/nonce/", "/{}/plain/", "/{}/policy/", "/{}/headers/"),
    "errors": asks("/{}/error/missing/", "/{}/error/forbidden/", "/{}/error/broken/", "/none"),
    "no slash": asks("/{}/plain", "/{}/plain?a=b", "/{}/no-slash", "//{}/plain"),
    "no slash, posted": ask("/{}/plain", method="POST"),
    "bad host": ask("/{}/plain/", headers={"host": "evil.example"}),
    "bad host in a form": ask("/{}/form/", method="POST", headers={"host": "evil.example"}),
    "user agents": asks("/{}/plain/", "/none", headers={"user-agent": "BadBot/1.0"}),
    "www": ask("/{}/plain/", headers={"host": "www.testserver"}),
}
STRICT = {
    "SECURE_HSTS_SECONDS": 60,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SECURE_REFERRER_POLICY": "no-referrer, origin",
    "X_FRAME_OPTIONS": "sameorigin",
    "SECURE_CSP": {"default-src": [CSP.SELF, CSP.NONCE]},
    "SECURE_CSP_REPORT_ONLY": {"script-src": [CSP.NONCE], "report-uri": "/reports/"},
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SESSION_COOKIE_DOMAIN": "testserver",
}
REDIRECTING = {
    "SECURE_SSL_REDIRECT": True,
    "SECURE_SSL_HOST": "www.testserver",
    "SECURE_REDIRECT_EXEMPT": ["^sync/stream"],
    "PREPEND_WWW": True,
    "DISALLOWED_USER_AGENTS": [re.compile("^BadBot")],
}
INTERRUPTION: dict[str, Talk] = {"interrupted": asks(SET, "/{}/session/gone/", GET)}
ENGINES = ["db", "cache", "cached_db", "signed_cookies", "file"]
STORAGES = ["fallback.FallbackStorage", "session.SessionStorage", "cookie.CookieStorage"]
TRUSTING = {"CSRF_TRUSTED_ORIGINS": ["https://friend.example", "https://*.friends.example"]}
