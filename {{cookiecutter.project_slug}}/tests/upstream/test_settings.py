"""The settings of the upstream and its aggregations: accepted values, bad values and defaults."""

import pytest

from onloop.env import InvalidSetting
from tests.load_settings import SECRET, settings


@pytest.fixture(autouse=True)
def _no_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGGREGATOR_MAX_FAN_OUT", raising=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", None), ("10/second", (10, 1)), ("100/minute", (100, 60)), ("5/hour", (5, 3600))],
)
def test_rate_limit_is_off_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: tuple[int, int] | None
) -> None:
    values = settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", AGGREGATOR_RATE_LIMIT=value)

    assert values["AGGREGATOR_RATE_LIMIT"] == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DEBUG": "false"}, 7),
        ({"DEBUG": "false", "AGGREGATOR_MAX_FAN_OUT": "20"}, 20),
        ({"DEBUG": "true"}, 1000),
    ],
)
def test_clients_cannot_raise_the_fan_out_in_production(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: int
) -> None:
    common = {"SECRET_KEY": SECRET, "ALLOWED_HOSTS": "a", "AGGREGATOR_FAN_OUT": "7"}

    assert settings(monkeypatch, **common, **environment)["AGGREGATOR_MAX_FAN_OUT"] == expected


def test_fan_out_above_its_maximum_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"AGGREGATOR_FAN_OUT": "50", "AGGREGATOR_MAX_FAN_OUT": "20"}

    sentence = "AGGREGATOR_MAX_FAN_OUT is '20', but it must be a whole number from 50 to 1000."
    with pytest.raises(InvalidSetting, match=f"^{sentence}$"):
        settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", **environment)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("SYNC_API_DELAY", "-0.1", "a number of seconds, zero or more"),
        ("SYNC_API_DELAY", "soon", "a number of seconds, zero or more"),
        ("SYNC_API_DELAY", "inf", "a number of seconds, zero or more"),
        ("AGGREGATOR_FAN_OUT", "0", "a whole number from 1 to 1000"),
        ("AGGREGATOR_FAN_OUT", "1001", "a whole number from 1 to 1000"),
        ("AGGREGATOR_FAN_OUT", "²", "a whole number from 1 to 1000"),
        ("AGGREGATOR_MAX_RESPONSE_BYTES", "16777217", "a whole number from 1 to 16777216"),
        ("AGGREGATOR_MAX_TOTAL_BYTES", "1048575", "a whole number from 1048576 to 1073741824"),
        ("AGGREGATOR_TIMEOUT", "0", "a number of seconds, above zero"),
        ("AGGREGATOR_DEADLINE", "nan", "a number of seconds, above zero"),
        ("AGGREGATOR_UPSTREAM_URL", "/sync/api/", "an absolute http or https URL"),
        ("AGGREGATOR_UPSTREAM_URL", "ftp://example.com/", "an absolute http or https URL"),
        ("AGGREGATOR_UPSTREAM_URL", "http://[::1/", "an absolute http or https URL"),
        ("AGGREGATOR_UPSTREAM_URL", "http://a:0/", "an absolute http or https URL"),
        ("AGGREGATOR_UPSTREAM_URL", "http://a b/", "an absolute http or https URL"),
        ("AGGREGATOR_UPSTREAM_URL", "http://a/#b", "an absolute http or https URL"),
        ("AGGREGATOR_RATE_LIMIT", "100", "a rate such as"),
        ("AGGREGATOR_RATE_LIMIT", "0/second", "a rate such as"),
        ("AGGREGATOR_RATE_LIMIT", "1/fortnight", "a rate such as"),
    ],
)
def test_bad_value_is_refused_in_one_sentence(
    name: str, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} is '.*', but it must be .*{accepted}"):
        settings(monkeypatch, **{"SECRET_KEY": SECRET, "DEBUG": "true", name: value})


def test_error_message_hides_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://ada:hunter2@example.com/"

    with pytest.raises(InvalidSetting) as refusal:
        settings(monkeypatch, SECRET_KEY=SECRET, DEBUG="true", AGGREGATOR_UPSTREAM_URL=url)

    assert "***@example.com" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
