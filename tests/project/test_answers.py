"""Answers are in the settings of the rendered project, unchanged."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_cookies.plugin import Cookies

from tests.template import python, run

PRINTABLE = st.characters(exclude_categories=["C", "Z"], include_characters="\"'\\{}<>&%#$")
PATHS = st.text("abc/?=&%27'()[]*+,;:@!$~_-.", max_size=30)
SCRIPT = """
import json
from config import settings
print(json.dumps(
    [settings.SITE_NAME, settings.AGGREGATOR_FAN_OUT, settings.AGGREGATOR_UPSTREAM_URL]
))
"""


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.text(PRINTABLE, min_size=1, max_size=40),
    fan_out=st.integers(1, 1000),
    path=PATHS,
)
def test_settings_hold_the_answers(
    project: Path, cookies: Cookies, name: str, fan_out: int, path: str
) -> None:
    if any(mark in name for mark in ("{{", "{%", "{#")):
        name = "Cookiecutter reads these marks as Jinja"
    url = f"https://example.com/{path}"
    other = cookies.bake(
        extra_context={
            "project_slug": "shop",
            "project_name": name,
            "fan_out": str(fan_out),
            "upstream_url": url,
        }
    ).project_path
    values = run(other, str(python(project)), "-c", SCRIPT)

    assert json.loads(values) == [name, fan_out, url]
