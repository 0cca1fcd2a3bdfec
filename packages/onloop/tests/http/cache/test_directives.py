"""How `Cache-Control` is read: RFC 9111, section 5.2."""

import pytest

from onloop.http._httpx import Headers
from onloop.http.cache.directives import FOREVER, delta_seconds, directives, field_names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        (",, ,", {}),
        ("a", {"a": None}),
        ("A, b=1,c = 2 ,d=", {"a": None, "b": "1", "c": "2", "d": None}),
        ('a="1", b="x, no-store, \\"y\\"", c=1', {"a": "1", "b": 'x, no-store, "y"', "c": "1"}),
        ("a=1, A=2, a", {"a": "1"}),
        ('a="open, b=1', {"a": '"open', "b": "1"}),
        ("a=1;b=2, c", {"a": "1;b=2", "c": None}),
        ("a b c, d", {"a": None, "d": None}),
        ('"quoted", a', {"quoted": None, "a": None}),
        ("a='1, b'", {"a": "'1", "b'": None}),
    ],
)
def test_directives_have_names_and_arguments(text: str, found: dict[str, str | None]) -> None:
    assert directives(Headers({"Cache-Control": text})) == found


def test_lines_are_one_list() -> None:
    headers = Headers([("Cache-Control", "a=1"), ("X", "y"), ("cache-control", "b")])
    assert directives(headers) == {"a": "1", "b": None}
    assert directives(Headers()) == {}


@pytest.mark.parametrize(
    ("argument", "names"),
    [('="Set-Cookie, x"', {"set-cookie", "x"}), ("=X", {"x"}), ("", set()), ('=" , "', set())],
)
def test_names_of_headers_are_in_lower_case(argument: str, names: set[str]) -> None:
    given = directives(Headers({"Cache-Control": f"no-cache{argument}"}))
    assert field_names(given, "no-cache") == names
    assert field_names(given, "private") == set()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0060", 60),
        ("9" * 5000, FOREVER),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("²", None),
    ],
)
def test_seconds_are_whole_and_bounded(text: str, seconds: int | None) -> None:
    assert delta_seconds(text) == seconds
