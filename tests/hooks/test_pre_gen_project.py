"""Bad answers are rejected, with one sentence."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks import pre_gen_project as hook
from tests.template import ANSWERS


def refusal(prompt: str, value: str) -> str:
    """Return the error message for the answer."""
    with pytest.raises(hook.InvalidAnswerError) as error:
        hook.validate(ANSWERS | {"project_slug": "async_service", prompt: value})
    return str(error.value)


def accept(prompt: str, value: str) -> None:
    hook.validate(ANSWERS | {"project_slug": "async_service", prompt: value})


@pytest.mark.parametrize("slug", ["shop", "my_shop_2", "djangoish", "ab", "a" * 50])
def test_slug_is_accepted(slug: str) -> None:
    accept("project_slug", slug)


@pytest.mark.parametrize(
    "slug",
    ["a", "Shop", "my-shop", "2shops", "_shop", "shop_", "my shop", "shöp", "a.b", "a" * 51, "x\n"],
)
def test_slug_that_is_not_an_identifier_is_refused(slug: str) -> None:
    assert "lower-case letters" in refusal("project_slug", slug)


@pytest.mark.parametrize(
    ("slug", "owner"),
    [
        ("class", "a Python keyword"),
        ("match", "a Python keyword"),
        ("json", "a module of the standard library"),
        ("asyncio", "a module of the standard library"),
        ("config", "a package of the project"),
        ("tests", "a package of the project"),
        ("django", "the import name of a dependency"),
        ("httpx", "the import name of a dependency"),
    ],
)
def test_slug_that_is_taken_is_refused(slug: str, owner: str) -> None:
    assert refusal("project_slug", slug).endswith(f"this one is {owner}.")


@pytest.mark.parametrize("fan_out", ["1", "10", "1000"])
def test_fan_out_is_accepted(fan_out: str) -> None:
    accept("fan_out", fan_out)


@pytest.mark.parametrize(
    "fan_out",
    ["", "0", "-1", "1001", "10000", "1.5", "ten", " 10", "010", "1_0", "\u0661\u0660", "10\n"],
)
def test_fan_out_is_refused(fan_out: str) -> None:
    assert refusal("fan_out", fan_out).endswith("a whole number from 1 to 1000.")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com",
        "https://example.com:8443/api/?key=1&sort=asc",
        "http://127.0.0.1:9000/",
        "http://[::1]:9000/",
        "http://my_service/api",
        "http://example.com/%20/'quoted'",
    ],
)
def test_upstream_url_is_accepted(url: str) -> None:
    accept("upstream_url", url)


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "/sync/api/",
        "//example.com/",
        "ftp://example.com/",
        "http://",
        "http:///path",
        "http://:80/",
        "http://example.com:0/",
        "http://example.com:port/",
        "http://example.com:70000/",
        "http://[::1/",
        "http://ada:secret@example.com/",
        "http://example.com/#part",
        "http://exa mple.com/",
        "http://example.com/\n",
        "http://example.com/\x00",
        "http://exämple.com/",
        "http://-example-.com/",
        'http://example.com/"',
        "http://example.com/\\",
        "http://example.com/{{x}}",
    ],
)
def test_upstream_url_is_refused(url: str) -> None:
    assert "absolute http or https URL" in refusal("upstream_url", url)


@pytest.mark.parametrize("email", ["ada@example.com", "a.b+c@mail.example.co.uk", "o'brien@x.ie"])
def test_email_is_accepted(email: str) -> None:
    accept("author_email", email)


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "ada@example.com\n",
     '"ada"@example.com', "ada@exa mple.com", "ada@@example.com", "ada@example..com"],
)  # fmt: skip
def test_email_is_refused(email: str) -> None:
    assert refusal("author_email", email).endswith("an e-mail address such as ada@example.com.")


@pytest.mark.parametrize("prompt", ["project_name", "description", "author_name"])
@pytest.mark.parametrize(
    "text", ['Zoë\'s "Café"', "back\\slash", "{braces} {{twice}}", "東京 🚀", "a" * 200, "<b>&amp;"]
)
def test_text_is_accepted(prompt: str, text: str) -> None:
    accept(prompt, text)


@pytest.mark.parametrize("prompt", ["project_name", "description", "author_name"])
@pytest.mark.parametrize(
    "text",
    ["", " ", " name", "name ", "two\nlines", "two\rlines", "two\u2028lines", "tab\tbed",
     "bell\x07", "nul\x00", "rtl\u202eoverride", "\ud800", "a" * 201],
)  # fmt: skip
def test_text_is_refused(prompt: str, text: str) -> None:
    assert "one line of 1 to 200 printable characters" in refusal(prompt, text)


@given(st.sampled_from([prompt for prompt, _ in hook.VALIDATORS]), st.text())
def test_any_text_is_accepted_or_refused_in_one_sentence(prompt: str, value: str) -> None:
    try:
        accept(prompt, value)
    except hook.InvalidAnswerError as error:
        sentence = str(error)
        assert sentence.startswith(f"{prompt} is {value!a}, but it must be ")
        assert sentence.endswith(".")
        assert len(sentence.splitlines()) == 1
        assert sentence.isascii()


def test_main_exits_with_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        hook, "ANSWERS", json.dumps(ANSWERS | {"project_slug": "shop", "fan_out": "0"})
    )

    with pytest.raises(SystemExit) as exit_:
        hook.main()

    assert exit_.value.code == refusal("fan_out", "0")


def test_main_accepts_good_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "ANSWERS", json.dumps(ANSWERS | {"project_slug": "shop"}))

    hook.main()


def test_hook_needs_only_the_standard_library() -> None:
    imported = {line.split()[1].split(".")[0] for line in _import_lines(hook.__file__)}

    assert imported <= sys.stdlib_module_names


def _import_lines(path: str | None) -> list[str]:
    assert path
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return [line for line in file if line.startswith(("import ", "from "))]
