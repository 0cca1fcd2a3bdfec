import json
import tracemalloc

from onloop.json_text import json_object


def test_texts_stand_as_they_are_written() -> None:
    text = json_object({"number": b"1e400", "list": [b'{"a":1}', b"[ ]"], "none": None})
    assert text == b'{"number": 1e400, "list": [{"a":1}, [ ]], "none": null}'


def test_values_are_written_as_json_writes_them() -> None:
    values = {"sentence": 'A "quoted" \u00fc', "empty": [], "numbers": [1, 2.5], "map": {"a": True}}
    assert json_object(values) == json.dumps(values).encode()
    assert json_object({}) == b"{}"


def test_members_of_all_parts_are_joined_in_their_order() -> None:
    inner = json_object({"elapsed": 0.5, "response": b"{}"})
    text = json_object({"type": "result"}, inner, {"id": 7})
    assert text == b'{"type": "result", "elapsed": 0.5, "response": {}, "id": 7}'


def test_empty_object_adds_no_member() -> None:
    assert json_object({"type": "end"}, b"{}", {"id": 7}) == b'{"type": "end", "id": 7}'


def test_texts_are_copied_once() -> None:
    texts = [b'"%b"' % (b"x" * 100_000)] * 10
    tracemalloc.start()
    try:
        text = json_object({"responses": texts}, b'{"body": %b}' % texts[0])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(text) < most < 1.5 * len(text)
