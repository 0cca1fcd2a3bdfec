"""What a variable of the environment may hold, and how another value is refused."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from onloop import env
from onloop.env import InvalidSetting

PERCENT = partial(env.whole_number, default=50, least=0, most=100)
WAIT = partial(env.seconds, default=1.0)
WAIT_OR_NOT = partial(env.seconds, default=1.0, zero=True)
COLOUR = partial(env.choice, default="red", accepted=("red", "blue"))
FLAG = partial(env.flag, default=False)
URL = partial(env.http_url, default="")
MAILER = partial(env.mailer, default="consolemail://")
DATABASE = partial(env.database, default="sqlite:///db.sqlite3")
MAILER = partial(env.mailer, default="consolemail://")

type Reader = Callable[[str], object]


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (PERCENT, "", 50),
        (PERCENT, "0", 0),
        (PERCENT, "100", 100),
        (WAIT, "0.5", 0.5),
        (WAIT_OR_NOT, "0", 0.0),
        (COLOUR, "", "red"),
        (COLOUR, "blue", "blue"),
        (FLAG, "Yes", True),
        (FLAG, "off", False),
        (URL, "", ""),
        (URL, "https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c"),
        (env.rate, "", None),
        (env.rate, "10/second", (10, 1)),
        (env.rate, "100/minute", (100, 60)),
        (env.rate, "5/hour", (5, 3600)),
        (env.names, "a, b ,,c", ["a", "b", "c"]),
        (env.names, "", []),
        (env.redis_url, "", ""),
        (env.redis_url, "redis://:secret@cache.example/0", "redis://:secret@cache.example/0"),
        (env.redis_url, "rediss://cache.example", "rediss://cache.example"),
        (env.redis_url, "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_good_value_is_read(
    read: Reader, value: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", value)

    assert read("NAME") == expected


@pytest.mark.parametrize(
    ("read", "value", "accepted"),
    [
        (PERCENT, "-1", "a whole number from 0 to 100"),
        (PERCENT, "101", "a whole number from 0 to 100"),
        (PERCENT, "²", "a whole number from 0 to 100"),
        (PERCENT, "many", "a whole number from 0 to 100"),
        (WAIT, "0", "a number of seconds, above zero"),
        (WAIT, "nan", "a number of seconds, above zero"),
        (WAIT_OR_NOT, "-0.1", "a number of seconds, zero or more"),
        (WAIT_OR_NOT, "soon", "a number of seconds, zero or more"),
        (WAIT_OR_NOT, "inf", "a number of seconds, zero or more"),
        (COLOUR, "green", "red or blue"),
        (FLAG, "maybe", "true or false"),
        (URL, "/sync/api/", "an absolute http or https URL"),
        (URL, "ftp://example.com/", "an absolute http or https URL"),
        (URL, "http://[::1/", "an absolute http or https URL"),
        (URL, "http://a:0/", "an absolute http or https URL"),
        (URL, "http://a b/", "an absolute http or https URL"),
        (URL, "http://a/#b", "an absolute http or https URL"),
        (env.rate, "100", "a rate such as"),
        (env.rate, "0/second", "a rate such as"),
        (env.rate, "1/fortnight", "a rate such as"),
        (DATABASE, "db.sqlite3", "a URL such as"),
        (DATABASE, "mysql", "a URL such as"),
        (DATABASE, "nosuch://host/name", "a URL such as"),
        (DATABASE, "postgres://host:port/name", "a URL such as"),
        (MAILER, "mail.example", "consolemail:// or a URL such as smtp+tls://"),
        (MAILER, "smtp://", "consolemail:// or a URL such as smtp+tls://"),
        (MAILER, "smtp://mail.example:port", "consolemail:// or a URL such as smtp+tls://"),
        (env.redis_url, "localhost:6379", "a URL such as redis://"),
        (env.redis_url, "redis:///0", "a URL such as redis://"),
        (env.redis_url, "redis://host:port/0", "a URL such as redis://"),
        (env.redis_url, "unix://", "a URL such as redis://"),
    ],
)
def test_bad_value_is_refused_in_one_sentence(
    read: Reader, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", value)

    with pytest.raises(InvalidSetting) as refusal:
        read("NAME")

    sentence = str(refusal.value)
    assert sentence.startswith(f"NAME is {value!r}, but it must be ")
    assert accepted in sentence
    assert len(sentence.splitlines()) == 1


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (URL, "http://ada:hunter2@example.com/"),
        (DATABASE, "nosuch://ada:hunter2@example.com/shop"),
        (env.redis_url, "http://:hunter2@example.com/0"),
        (MAILER, "http://ada:hunter2@example.com/"),
    ],
)
def test_refusal_hides_the_password(
    read: Reader, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", value)

    with pytest.raises(InvalidSetting, match=r"\*\*\*@example\.com") as refusal:
        read("NAME")

    assert "hunter2" not in str(refusal.value)


def test_file_fills_in_what_the_environment_does_not_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    file.write_text("COLOUR=red\nSHAPE=round\n")
    monkeypatch.setattr(os, "environ", os.environ | {"COLOUR": "blue"})
    monkeypatch.setattr("environ.Env.ENVIRON", os.environ)

    env.read_file(file)

    assert (env.text("COLOUR"), env.text("SHAPE")) == ("blue", "round")


def test_database_is_the_one_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "postgres://ada:secret@db.example:5433/shop")

    database = DATABASE("NAME")

    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "shop")


def test_mail_goes_to_the_console_or_to_the_server_of_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAME", "")
    assert MAILER("NAME") == {"BACKEND": "django.core.mail.backends.console.EmailBackend"}

    monkeypatch.setenv("NAME", "smtp+tls://a%40b:c%2Fd@mail.example:2525")
    assert MAILER("NAME") == {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": "mail.example",
            "port": 2525,
            "username": "a@b",
            "password": "c/d",
            "use_tls": True,
            "use_ssl": False,
            "timeout": 10,
        },
    }


def test_path_is_that_of_the_variable_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.path("NAME", Path("/default")) == Path("/default")

    monkeypatch.setenv("NAME", "/chosen")
    assert env.path("NAME", Path("/default")) == Path("/chosen")


def test_postgresql_needs_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "postgres://ada:secret@host:5432/name")
    monkeypatch.setattr(env, "find_spec", lambda name: None)

    with pytest.raises(InvalidSetting, match="-E postgres") as refusal:
        DATABASE("NAME")

    assert "secret" not in str(refusal.value)


def test_word_may_need_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "pyreqwest")
    choice = partial(env.choice, accepted=("aiohttp", "pyreqwest"), extras={"pyreqwest": "fast"})
    assert choice("NAME", "aiohttp") == "pyreqwest"

    monkeypatch.setattr(env, "find_spec", lambda name: None)
    with pytest.raises(InvalidSetting, match="be aiohttp unless pyreqwest is installed"):
        choice("NAME", "aiohttp")
    monkeypatch.setenv("NAME", "aiohttp")
    assert choice("NAME", "aiohttp") == "aiohttp"


def test_traces_need_a_collector_and_what_sends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not env.tracing("OTEL_EXPORTER_OTLP_ENDPOINT")

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert env.tracing("OTEL_EXPORTER_OTLP_ENDPOINT")

    monkeypatch.setattr(env, "find_spec", lambda name: None)
    with pytest.raises(InvalidSetting, match="-E otel"):
        env.tracing("OTEL_EXPORTER_OTLP_ENDPOINT")
