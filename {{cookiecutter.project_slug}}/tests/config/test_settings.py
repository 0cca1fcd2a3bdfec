"""The settings: accepted values, bad values and defaults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.core.cache import caches

from onloop.channel_layer import BoundedRedisChannelLayer
from onloop.env import InvalidSetting
from tests.load_settings import PROJECT, SECRET, settings


def test_production_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    values = settings(monkeypatch, SECRET_KEY=SECRET, ALLOWED_HOSTS="example.com, example.org")

    assert values["DEBUG"] is False
    assert values["ALLOWED_HOSTS"] == ["example.com", "example.org"]
    assert values["SECURE_SSL_REDIRECT"]
    assert values["SECURE_HSTS_SECONDS"] == 3600
    assert values["STORAGES"]["staticfiles"]["BACKEND"] == "onloop.static.StaticFilesStorage"


def test_hsts_covers_only_this_host_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    production = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "example.com"}
    names = ("SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD")

    narrow = settings(monkeypatch, **production)
    wide = settings(monkeypatch, **production, HSTS_INCLUDE_SUBDOMAINS="true", HSTS_PRELOAD="true")

    assert [narrow[name] for name in names] == [False, False]
    assert [wide[name] for name in names] == [True, True]


def test_development_accepts_the_example_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    values = settings(monkeypatch, DEBUG="true", SECRET_KEY="change-me")

    assert values["DEBUG"] is True
    assert not values["SECURE_SSL_REDIRECT"]
    assert values["SECURE_HSTS_SECONDS"] == 0


def test_env_file_sets_what_the_environment_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    file.write_text(f"SECRET_KEY={SECRET}\nALLOWED_HOSTS=from.file\nPORT=9001\n")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr("environ.Env.ENVIRON", os.environ)

    values = settings(monkeypatch, ENV_FILE=str(file), ALLOWED_HOSTS="from.environment")

    assert values["SECRET_KEY"] == SECRET
    assert values["PORT"] == 9001
    assert values["ALLOWED_HOSTS"] == ["from.environment"]


def test_sqlite_readers_continue_while_writers_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    values = settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true")

    options = values["DATABASES"]["default"]["OPTIONS"]
    assert "journal_mode = WAL" in options["init_command"]
    assert options["transaction_mode"] == "IMMEDIATE"


def test_database_url_selects_another_database(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgres://ada:secret@db.example:5433/shop?conn_max_age=600&atomic_requests=true"

    database = settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", DATABASE_URL=url)["DATABASES"]

    assert database["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert (database["default"]["HOST"], database["default"]["PORT"]) == ("db.example", 5433)
    assert database["default"]["CONN_MAX_AGE"] == 0
    assert database["default"]["ATOMIC_REQUESTS"] is False


def test_postgresql_has_a_connection_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "postgres://ada:secret@db.example/shop?sslmode=require&connect_timeout=2"
    environment = {"DATABASE_POOL_SIZE": "20", "DATABASE_POOL_TIMEOUT": "2.5"}

    values = settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", DATABASE_URL=url, **environment)

    options = values["DATABASES"]["default"]["OPTIONS"]
    assert (options["sslmode"], options["connect_timeout"]) == ("require", 2)
    assert (options["pool"]["max_size"], options["pool"]["timeout"]) == (20, 2.5)


def test_log_format_is_console_in_development_and_json_in_production(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true")["LOG_FORMAT"] == "console"
    production = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "a", "DEBUG": "false"}
    assert settings(monkeypatch, **production)["LOG_FORMAT"] == "json"


def test_email_is_printed_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    values = settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true")

    console = "django.core.mail.backends.console.EmailBackend"
    assert values["MAILERS"] == {"default": {"BACKEND": console}}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", {"host": "localhost", "use_tls": False, "use_ssl": False}),
        (
            "smtp+tls://a%40b:c%2Fd@mail.example",
            {"username": "a@b", "password": "c/d", "port": None},
        ),
        ("smtp+tls://mail.example:2525", {"port": 2525, "use_tls": True, "use_ssl": False}),
        ("smtp+ssl://mail.example", {"use_tls": False, "use_ssl": True}),
    ],
)
def test_email_url_selects_the_mail_server(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: dict[str, object]
) -> None:
    production = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "a", "DEBUG": "false"}

    mailer = settings(monkeypatch, **production, EMAIL_URL=url)["MAILERS"]["default"]

    assert mailer["BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert mailer["OPTIONS"].items() >= expected.items()
    assert mailer["OPTIONS"]["timeout"] == 10


async def test_nothing_is_shared_without_redis() -> None:
    await caches["default"].aset("colour", "blue")
    assert await caches["default"].aget("colour") == "blue"
    assert isinstance(get_channel_layer(), InMemoryChannelLayer)


@pytest.mark.parametrize(
    "url", ["redis://:secret@cache.example/0", "rediss://cache.example", "unix:///run/redis.sock"]
)
def test_redis_url_configures_cache_and_channel_layer(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    values = settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", REDIS_URL=url)

    assert values["CACHES"]["default"]["LOCATION"] == url
    assert values["CACHES"]["upstreams"]["BACKEND"] == "onloop.http.cache.redis.RedisCache"
    (host,) = values["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"]
    assert host["address"] == url
    assert host["socket_timeout"] > BoundedRedisChannelLayer.brpop_timeout


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("SECRET_KEY", "", "your own secret"),
        ("SECRET_KEY", "change-me", "your own secret"),
        ("ALLOWED_HOSTS", " , ", "the host names"),
        ("DEBUG", "maybe", "true or false"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("HSTS_SECONDS", "-1", "a whole number from 1 to 63072000"),
        ("HSTS_INCLUDE_SUBDOMAINS", "all", "true or false"),
        ("HSTS_PRELOAD", "31536000", "true or false"),
        ("HTTP_CACHE_BYTES", "1024", "a whole number from 1048576 to 1099511627776"),
        ("HTTP_TRANSPORT", "carrier-pigeon", "aiohttp or pyreqwest"),
        ("HTTP_RETRIES", "11", "a whole number from 0 to 10"),
        ("HTTP_HEDGING", "p95", "true or false"),
        ("HTTP_BREAKER_PERCENT", "101", "a whole number from 0 to 100"),
        ("HTTP_BREAKER_SECONDS", "0", "a number of seconds, above zero"),
        ("LOGIN_RATE_LIMIT", "never", "a rate such as"),
        ("BACKGROUND_LIMIT", "0", "a whole number from 1 to 10000"),
        ("LOG_FORMAT", "xml", "console or json"),
        ("LOG_LEVEL", "verbose", "debug or info or warning or error"),
        ("METRICS", "prometheus", "true or false"),
        ("EMAIL_URL", "mail.example", "consolemail:// or a URL such as smtp+tls://"),
        ("EMAIL_URL", "smtp://", "consolemail:// or a URL such as smtp+tls://"),
        ("EMAIL_URL", "smtp://mail.example:port", "consolemail:// or a URL such as smtp+tls://"),
        ("MAX_BODY_BYTES", "0", "a whole number from 1 to 1099511627776"),
        ("MAX_PENDING_REQUESTS", "-1", "a whole number from 0 to 1000000"),
        ("DATABASE_URL", "db.sqlite3", "a URL such as"),
        ("REDIS_URL", "localhost:6379", "a URL such as redis://"),
    ],
)
def test_bad_value_is_refused_in_one_sentence(
    name: str, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "example.com", name: value}

    with pytest.raises(InvalidSetting) as refusal:
        settings(monkeypatch, **environment)

    sentence = str(refusal.value)
    assert sentence.startswith(f"{name} is {value!r}" if name != "ALLOWED_HOSTS" else name)
    assert accepted in sentence
    assert len(sentence.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("DATABASE_POOL_SIZE", "0", "a whole number from 1 to 1000"),
        ("DATABASE_POOL_TIMEOUT", "0", "a number of seconds, above zero"),
    ],
)
def test_bad_pool_is_refused_in_one_sentence(
    name: str, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"DATABASE_URL": "postgres://db.example/shop", name: value}

    with pytest.raises(InvalidSetting, match=f"{name} is '{value}', but it must be {accepted}"):
        settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", **environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "nosuch://ada:hunter2@example.com/shop"),
        ("REDIS_URL", "http://:hunter2@example.com/0"),
        ("EMAIL_URL", "http://ada:hunter2@example.com/"),
    ],
)
def test_error_message_hides_the_password(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        settings(monkeypatch, **{"SECRET_KEY": SECRET, "DEBUG": "true", name: value})

    assert "***@example.com" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["-m", "onloop.server", "config.asgi:application", "--port", "0"],
    ],
    ids=["check", "server"],
)
def test_bad_value_stops_startup_with_one_sentence(command: list[str]) -> None:
    environment = os.environ | {"PORT": "many"}
    environment.pop("DJANGO_SETTINGS_MODULE")

    start = subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env=environment, capture_output=True, text=True
    )

    assert start.returncode == 1
    assert start.stderr == (
        "Error: PORT is 'many', but it must be a whole number from 1 to 65535.\n"
    )
