"""How an error is described in the log."""

import re
from pathlib import Path

import onloop
from onloop.http import describe


def chained() -> BaseException:
    try:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise RuntimeError("GET http://ada:hunter2@a.example/b?key=secret\nfailed") from error
    except RuntimeError as error:
        outer = LookupError("No answer.")
        outer.__context__ = error
        return outer


def test_causes_are_on_one_line_without_secrets() -> None:
    assert describe(chained()) == (
        "No answer, caused by RuntimeError: GET http://***@a.example/b?*** failed,"
        " caused by ConnectionRefusedError: [Errno 111] Connection refused"
    )


def test_suppressed_cause_is_shown() -> None:
    error = chained()
    error.__suppress_context__ = True
    assert "Connection refused" in describe(error)


def test_circular_causes_end() -> None:
    error, other = ValueError("one"), ValueError("two")
    error.__context__, other.__context__ = other, error
    assert describe(error) == "one, caused by ValueError: two"


def test_one_module_imports_httpx() -> None:
    package = Path(onloop.__file__).parent
    importing = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*(from|import) httpx\b", path.read_text(), re.MULTILINE)
    ]
    assert importing == ["http/_httpx.py"]
