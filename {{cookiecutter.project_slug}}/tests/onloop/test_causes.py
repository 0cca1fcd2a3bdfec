"""What the log says of why something failed."""

from onloop.http.causes import cause_of


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


def test_every_cause_is_told_on_one_line_without_secrets() -> None:
    assert cause_of(chained()) == (
        "No answer, caused by RuntimeError: GET http://***@a.example/b?*** failed,"
        " caused by ConnectionRefusedError: [Errno 111] Connection refused"
    )


def test_suppressed_cause_is_told() -> None:
    error = chained()
    error.__suppress_context__ = True
    assert "Connection refused" in cause_of(error)


def test_circle_ends() -> None:
    error, other = ValueError("one"), ValueError("two")
    error.__context__, other.__context__ = other, error
    assert cause_of(error) == "one, caused by ValueError: two"
