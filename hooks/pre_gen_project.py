"""Reject bad answers before any file is rendered.

1. Read the answers, which Cookiecutter renders into this file as JSON.
2. Run every validator in `VALIDATORS` on the answer to its prompt.
3. On the first bad answer, print one sentence that names the prompt, the value and what is
   accepted, and exit with status 1; Cookiecutter then removes the folder that it created.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Callable
from keyword import iskeyword, issoftkeyword
from urllib.parse import urlsplit

# Jinja's `tojson` writes ASCII and escapes the single quote, so no answer can end this literal.
ANSWERS = r"""
{{ cookiecutter | tojson }}
""".strip()

PROJECT_PACKAGES = frozenset(
    {"accounts", "aggregator", "config", "jobs", "live", "onloop", "tests", "upstream"}
)
DEPENDENCIES = frozenset(
    """
    aiohappyeyeballs aiohttp aiosignal anyio asgiref ast_serialize attr attrs certifi cffi cfgv
    channels channels_redis charset_normalizer click colorama coverage croniter crontab
    cryptography dateutil distlib django django_rq django_stubs_ext django_tasks django_tasks_db
    django_tasks_rq dotenv environ filelock freezegun frozenlist google grimp h11 hiredis
    httpcore httptools httpx identify idna importlinter iniconfig librt markdown_it mdurl
    msgpack msgspec multidict mypy mypy_django_plugin mypy_extensions mypyc nodeenv
    opentelemetry packaging pathspec pip platformdirs pluggy pre_commit prometheus_client
    propcache psycopg psycopg_binary psycopg_pool py pycparser pygments pyreqwest pytest
    pytest_asyncio pytest_cov pytest_django pytest_timeout python_discovery redis requests rich
    rq rq_scheduler ruff servestatic setuptools sqlparse structlog trustme typing_extensions
    tzdata urllib3 uvicorn uvloop virtualenv watchfiles websockets wheel wrapt yaml yarl
    """.split()  # noqa: SIM905
)
SLUG = re.compile(r"[a-z][a-z0-9_]*[a-z0-9]")
WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
HOST = re.compile(r"[a-z0-9_][a-z0-9_-]*(\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")
URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%\[\]]+")
LONGEST_TEXT = 200
LONGEST_SLUG = 50
MOST_CALLS = 1000


class InvalidAnswerError(ValueError):
    """An answer that cannot become part of a project."""

    def __init__(self, prompt: str, value: str, accepted: str) -> None:
        super().__init__(f"{prompt} is {value!a}, but it must be {accepted}.")


def validate_text(prompt: str, value: str) -> None:
    """Accept one line of printable text.

    Quotes, backslashes, braces and letters of any script are fine: they are escaped where they
    are inserted.

    Raises:
        InvalidAnswerError: it is empty or too long, has leading or trailing spaces, or contains
            line breaks or invisible characters (Unicode categories C, Zl and Zp).
    """
    printable = all(unicodedata.category(c)[0] != "C" for c in value)
    if (
        not 0 < len(value) <= LONGEST_TEXT
        or value != value.strip()
        or len(value.splitlines()) > 1
        or not printable
    ):
        raise InvalidAnswerError(
            prompt,
            value,
            f"one line of 1 to {LONGEST_TEXT} printable characters without spaces around it",
        )


def validate_slug(prompt: str, value: str) -> None:
    """Accept a folder name that is also a valid, free name for a Python package.

    Raises:
        InvalidAnswerError: it is not a lower-case identifier, or it shadows a Python keyword, a
            module of the standard library, a package of the project, or an installed dependency.
    """
    if not SLUG.fullmatch(value) or len(value) > LONGEST_SLUG:
        raise InvalidAnswerError(
            prompt,
            value,
            f"2 to {LONGEST_SLUG} lower-case letters, digits and underscores,"
            " starting with a letter and not ending with an underscore",
        )
    owners = {
        "a Python keyword": iskeyword(value) or issoftkeyword(value),
        "a module of the standard library": value in sys.stdlib_module_names,
        "a package of the project": value in PROJECT_PACKAGES,
        "the import name of a dependency": value in DEPENDENCIES,
    }
    for owner, taken in owners.items():
        if taken:
            raise InvalidAnswerError(
                prompt, value, f"a name that is not taken: this one is {owner}"
            )


def validate_fan_out(prompt: str, value: str) -> None:
    """Accept a whole number of calls, from 1 to `MOST_CALLS`.

    Raises:
        InvalidAnswerError: it is not such a number.
    """
    if not WHOLE_NUMBER.fullmatch(value) or int(value) > MOST_CALLS:
        raise InvalidAnswerError(prompt, value, f"a whole number from 1 to {MOST_CALLS}")


def validate_upstream_url(prompt: str, value: str) -> None:
    """Accept an absolute HTTP or HTTPS URL (RFC 3986), or nothing for the project's own API.

    Raises:
        InvalidAnswerError: it is relative, has another scheme, no host, a bad port, credentials,
            a fragment, or characters that RFC 3986 does not allow in a URL.
    """
    if value and not is_http_url(value):
        raise InvalidAnswerError(
            prompt,
            value,
            "empty or an absolute http or https URL with a host,"
            " without credentials, fragment, spaces or characters outside ASCII",
        )


def is_http_url(value: str) -> bool:
    """Return whether `value` is an absolute HTTP(S) URL with a host and without credentials."""
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return False
    return (
        bool(URL_CHARACTERS.fullmatch(value))
        and url.scheme in {"http", "https"}
        and bool(HOST.fullmatch(url.hostname or ""))
        and "@" not in url.netloc
        and port != 0
    )


def validate_email(prompt: str, value: str) -> None:
    """Accept an e-mail address as HTML's `<input type="email">` does, with a dot in its domain.

    Raises:
        InvalidAnswerError: it is not such an address.
    """
    if not EMAIL.fullmatch(value) or len(value) > LONGEST_TEXT:
        raise InvalidAnswerError(prompt, value, "an e-mail address such as ada@example.com")


VALIDATORS: tuple[tuple[str, Callable[[str, str], None]], ...] = (
    ("project_name", validate_text),
    ("project_slug", validate_slug),
    ("description", validate_text),
    ("author_name", validate_text),
    ("author_email", validate_email),
    ("fan_out", validate_fan_out),
    ("upstream_url", validate_upstream_url),
)


def validate(answers: dict[str, str]) -> None:
    """Run every validator.

    Raises:
        InvalidAnswerError: on the first bad answer.
    """
    for prompt, validator in VALIDATORS:
        validator(prompt, str(answers[prompt]))


def main() -> None:
    """Validate the answers, and stop the rendering if one is bad."""
    answers = json.loads(ANSWERS)
    try:
        validate(answers)
    except InvalidAnswerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
