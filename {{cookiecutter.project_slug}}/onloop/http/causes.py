"""Why something failed, for the log: every exception behind an error, on one line."""

import re
from collections.abc import Iterator

CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
QUERY = re.compile(r"\?[^\s'\"<>\])}]+")


def cause_of(error: BaseException) -> str:
    """Return what `error` says and what caused it, without credentials and queries of URLs."""
    first, *causes = _chain(error)
    behind = [f"{type(cause).__name__}: {cause}" for cause in causes]
    text = ", caused by ".join([str(first).rstrip("."), *behind])
    return QUERY.sub("?***", CREDENTIALS.sub("***@", " ".join(text.split())))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        # Suppressed contexts too: httpcore says `from None` of what it knows of the socket.
        cause = cause.__cause__ or cause.__context__
