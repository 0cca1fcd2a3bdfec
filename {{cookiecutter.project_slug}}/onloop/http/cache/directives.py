"""The `Cache-Control` header (RFC 9111, section 5.2)."""

import re
from collections.abc import Mapping

from onloop.http._httpx import Headers

type Directives = Mapping[str, str | None]
"""Directives by their names in lower case, with their arguments, unquoted."""

FOREVER = 2**31  # As in RFC 9111, section 1.2.2.

_DIRECTIVE = re.compile(
    r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)               # a token
        (?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^ \t,]*))?  # its argument, quoted or not
        [^,]*(?:,|$)                                # whatever else is in this member of the list
    """,
    re.VERBOSE,
)
_NOTHING: Directives = {}


def directives(headers: Headers) -> Directives:
    """Return the directives of a message; the first one of each name counts."""
    text = headers.get("Cache-Control")
    if not text:
        return _NOTHING
    found: dict[str, str | None] = {}
    for name, argument in _DIRECTIVE.findall(text):
        found.setdefault(name.lower(), _unquoted(argument))
    return found


def seconds(given: Directives, name: str) -> int:
    """Return the argument of a directive in seconds; 0 if it is invalid (section 4.2.1)."""
    return delta_seconds(given[name] or "") or 0


def field_names(given: Directives, name: str) -> frozenset[str]:
    """Return the headers that a directive is limited to, in lower case; none: it is not limited."""
    members = (given.get(name) or "").split(",")
    return frozenset(member.strip().lower() for member in members) - {""}


def delta_seconds(text: str) -> int | None:
    """Return a duration as in section 1.2.2, or `None` if it is invalid."""
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text), FOREVER) if len(text) < 20 else FOREVER


def _unquoted(argument: str) -> str | None:
    if len(argument) > 1 and argument[0] == argument[-1] == '"':
        return re.sub(r"\\(.)", r"\1", argument[1:-1])
    return argument or None
