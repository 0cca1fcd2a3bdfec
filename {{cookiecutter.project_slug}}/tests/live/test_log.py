"""What a log keeps, and what it forgets."""

import pytest

from live import log
from live.log import START, Entry, ProcessLog, position_of


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: a list of one number."""
    now = [0.0]
    monkeypatch.setattr(log, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    "text",
    [None, "", "done", "7", "-1", "1-", "1-2-3", " 1-2", "1-2\n", "٣-٣", "1" * 21 + "-0", "a-b"],
)
def test_what_is_no_id_is_the_start(text: str | None) -> None:
    assert position_of(text) == START


def test_id_is_a_position() -> None:
    assert position_of(Entry((12, 3), "", "").id) == (12, 3)


async def test_entries_after_a_position() -> None:
    kept = ProcessLog()
    await kept.append("a", [("x", "1"), ("y", "2")])
    await kept.append("a", [("z", "3")])
    first, *rest = await kept.read("a", START)
    assert [(entry.name, entry.data) for entry in [first, *rest]] == [
        ("x", "1"),
        ("y", "2"),
        ("z", "3"),
    ]
    assert await kept.read("a", first.position) == rest
    assert await kept.read("a", rest[-1].position) == []
    assert await kept.read("b", START) == []


async def test_oldest_events_of_a_topic_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "KEEP_EVENTS", 3)
    kept = ProcessLog()
    for number in range(5):
        await kept.append("a", [("n", str(number))])
    entries = await kept.read("a", START)
    assert [entry.data for entry in entries] == ["2", "3", "4"]
    assert entries[0].position == (3, 0)


async def test_oldest_topics_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "KEEP_TOPICS", 2)
    kept = ProcessLog()
    for topic in ("a", "b", "a", "c"):
        await kept.append(topic, [("n", "")])
    assert [await kept.has(topic) for topic in "abc"] == [True, False, True]


async def test_characters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "KEEP_CHARACTERS", 100)
    monkeypatch.setattr(log, "KEEP_EVENTS", 4)
    kept = ProcessLog()
    await kept.append("a", [("n", "x" * 60)])
    await kept.append("b", [("n", "x" * 40)])
    assert await kept.has("a")
    await kept.append("b", [("n", "x")])
    assert not await kept.has("a")
    for _ in range(10):
        await kept.append("b", [("n", "x" * 25)])
    assert await kept.has("b")
    await kept.append("c", [("n", "x" * 101)])
    assert not await kept.has("b")
    assert not await kept.has("c")


async def test_topic_is_forgotten_after_a_while(now: list[float]) -> None:
    kept = ProcessLog()
    await kept.append("a", [("n", "")])
    now[0] = log.KEEP_SECONDS
    await kept.append("b", [("n", "")])
    assert await kept.has("a")
    now[0] += 1
    await kept.append("b", [("n", "")])
    assert not await kept.has("a")
