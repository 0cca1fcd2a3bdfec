"""Settings from the environment; a bad value is rejected in one sentence.

An empty variable counts as one that is not set.
"""

import math
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from onloop.rates import Rate


class InvalidSetting(ImproperlyConfigured):
    """An environment variable has an invalid value. The text hides credentials in a URL."""

    def __init__(self, name: str, value: str, accepted: str) -> None:
        shown = re.sub(r"//[^/]*@", "//***@", value)
        super().__init__(f"{name} is {shown!r}, but it must be {accepted}.")


def read_file(path: str | Path) -> None:
    """Load the variables of a `.env` file, if it exists; variables that are set already win."""
    Env.read_env(path)


def text(name: str, default: str = "") -> str:
    """Return the variable's text, or the default if that is empty."""
    return os.environ.get(name) or default


def path(name: str, default: Path) -> Path:
    """Return the variable as the path of a file."""
    return Path(text(name, str(default)))


def flag(name: str, *, default: bool) -> bool:
    """Return a true/false variable.

    Raises:
        InvalidSetting: the text is neither true nor false.
    """
    value = text(name, str(default)).lower()
    if value not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise InvalidSetting(name, value, "true or false")
    return value in Env.BOOLEAN_TRUE_STRINGS


def whole_number(name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`, both inclusive.

    Raises:
        InvalidSetting: the text is not such a number.
    """
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise InvalidSetting(name, value, f"a whole number from {least} to {most}")
    return int(value)


def seconds(name: str, default: float, *, zero: bool = False) -> float:
    """Return a duration in seconds: finite, and above zero unless `zero` is allowed.

    Raises:
        InvalidSetting: the text is not such a number.
    """
    value = text(name, str(default))
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not zero):
        bound = "zero or more" if zero else "above zero"
        raise InvalidSetting(name, value, f"a number of seconds, {bound}")
    return seconds


def rate(name: str, default: str = "") -> Rate | None:
    """Return a rate such as `100/minute`, or `None` for an empty text.

    Raises:
        InvalidSetting: the text is not a rate.
    """
    value = text(name, default)
    if not value:
        return None
    try:
        return Rate.parse(value)
    except ValueError as error:
        accepted = "a rate such as 10/second, 100/minute or 1000/hour"
        raise InvalidSetting(name, value, accepted) from error


def names(name: str) -> list[str]:
    """Return the items of a comma-separated list, without empty ones."""
    return [item.strip() for item in text(name).split(",") if item.strip()]


def choice(
    name: str, default: str, *, accepted: tuple[str, ...], extras: Mapping[str, str] | None = None
) -> str:
    """Return one of the `accepted` words.

    `extras` are the words that are the names of modules, with the extra that installs each.

    Raises:
        InvalidSetting: the text is not one of them, or its module is not installed.
    """
    value = text(name, default)
    if value not in accepted:
        raise InvalidSetting(name, value, " or ".join(accepted))
    extra = (extras or {}).get(value)
    if extra and find_spec(value) is None:
        others = " or ".join(word for word in accepted if word != value)
        command = f"poetry install -E {extra}"
        raise InvalidSetting(name, value, f"{others} unless {value} is installed: {command}")
    return value


def http_url(name: str, default: str) -> str:
    """Return an absolute http or https URL (RFC 3986), or an empty text.

    Raises:
        InvalidSetting: the URL is relative, has another scheme, no host, a bad port,
            credentials, a fragment, or spaces.
    """
    value = text(name, default)
    if value and not _is_http_url(value):
        accepted = (
            "empty or an absolute http or https URL with a host,"
            " without credentials, fragment or spaces"
        )
        raise InvalidSetting(name, value, accepted)
    return value


def database(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for the database that a URL names.

    Raises:
        InvalidSetting: it is not a URL, or Django does not support the database, or its driver is
            not installed.
    """
    url = text(name, default)
    accepted = "a URL such as postgres://user:password@host:5432/name"
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in Env.DB_SCHEMES:
        raise InvalidSetting(name, url, accepted)
    try:
        config: dict[str, Any] = Env.db_url_config(url)
    except ValueError as error:
        raise InvalidSetting(name, url, accepted) from error
    if config["ENGINE"] == "django.db.backends.postgresql" and find_spec("psycopg_pool") is None:
        accepted = "a SQLite URL unless the driver is installed: poetry install -E postgres"
        raise InvalidSetting(name, url, accepted)
    return config


def redis_url(name: str) -> str:
    """Return the URL of a Redis server, or an empty text.

    Raises:
        InvalidSetting: it is not a redis, rediss or unix URL, or has no host or path.
    """
    value = text(name)
    try:
        url = urlsplit(value)
        named = bool(url.path if url.scheme == "unix" else url.hostname and url.port != 0)
    except ValueError:
        named = False
    if value and not (named and url.scheme in {"redis", "rediss", "unix"}):
        raise InvalidSetting(name, value, "a URL such as redis://:password@host:6379/0")
    return value


def mailer(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for the mail server that a URL names, or for the console.

    `smtp+tls` is STARTTLS (usually port 587), `smtp+ssl` is TLS from the start (port 465).

    Raises:
        InvalidSetting: it is not a URL for either, or has no host.
    """
    url = text(name, default)
    accepted = "consolemail:// or a URL such as smtp+tls://user:password@host:587"
    scheme = url.partition(":")[0]
    if scheme not in {"smtp", "smtp+tls", "smtp+ssl", "consolemail"}:
        raise InvalidSetting(name, url, accepted)
    try:
        config = Env.email_url_config(url)
    except ValueError as error:
        raise InvalidSetting(name, url, accepted) from error
    if scheme == "consolemail":
        return {"BACKEND": config["EMAIL_BACKEND"]}
    if not config["EMAIL_HOST"]:
        raise InvalidSetting(name, url, accepted)
    return {
        "BACKEND": config["EMAIL_BACKEND"],
        "OPTIONS": {
            "host": config["EMAIL_HOST"],
            "port": config["EMAIL_PORT"],
            "username": config["EMAIL_HOST_USER"],
            "password": config["EMAIL_HOST_PASSWORD"],
            "use_tls": config.get("EMAIL_USE_TLS", False),
            "use_ssl": config.get("EMAIL_USE_SSL", False),
            "timeout": 10,
        },
    }


def tracing(name: str) -> bool:
    """Return whether OpenTelemetry's own variables name a collector to send traces to.

    `name` is the variable for all signals; `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` counts as well.

    Raises:
        InvalidSetting: they name one, but OpenTelemetry is not installed.
    """
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", name):
        value = text(variable)
        if value and find_spec("opentelemetry") is None:
            accepted = "empty unless OpenTelemetry is installed: poetry install -E otel"
            raise InvalidSetting(variable, value, accepted)
        if value:
            return True
    return False


def _is_http_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return False
    return (
        value.isascii()
        and value.isprintable()
        and " " not in value
        and url.scheme in {"http", "https"}
        and bool(url.hostname)
        and "@" not in url.netloc
        and "#" not in value
        and port != 0
    )
