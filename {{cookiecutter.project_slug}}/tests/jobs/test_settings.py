"""The settings of the jobs: accepted values, bad values and defaults."""

import pytest

from onloop.env import InvalidSetting
from tests.load_settings import SECRET, settings


def test_rq_backend_requires_a_redis_url(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"SECRET_KEY": SECRET, "DEBUG": "true", "JOBS_BACKEND": "rq"}

    with pytest.raises(InvalidSetting, match=r"^REDIS_URL is '', but"):
        settings(monkeypatch, **environment)
    values = settings(monkeypatch, **environment, REDIS_URL="redis://cache.example/0")

    assert values["RQ_QUEUES"]["default"]["URL"] == "redis://cache.example/0"
    assert "django_rq" in values["INSTALLED_APPS"]
    assert not values["JOBS_EMBEDDED"]


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("JOBS_BACKEND", "celery", "database or rq"),
        ("JOBS_EMBEDDED", "here", "true or false"),
        ("JOBS_CONCURRENCY", "0", "a whole number from 1 to 1000"),
        ("JOBS_ATTEMPTS", "0", "a whole number from 1 to 100"),
        ("JOBS_RETRY_SECONDS", "0", "a number of seconds, above zero"),
        ("JOBS_POLL_SECONDS", "0", "a number of seconds, above zero"),
        ("JOBS_LEASE_SECONDS", "0", "a number of seconds, above zero"),
        ("JOBS_GRACE_SECONDS", "-1", "a number of seconds, zero or more"),
    ],
)
def test_bad_value_is_refused_in_one_sentence(
    name: str, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} is '.*', but it must be .*{accepted}"):
        settings(monkeypatch, **{"SECRET_KEY": SECRET, "DEBUG": "true", name: value})
