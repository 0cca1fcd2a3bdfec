"""GitHub accepts the forms, Dependabot's settings and the workflows of this repository."""

import sys
from pathlib import Path

import pytest

from tests.template import TEMPLATE, run

SCHEMAS = {
    "dependabot.yml": "vendor.dependabot",
    "ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
    "ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    "ISSUE_TEMPLATE/feature.yml": "vendor.github-issue-forms",
    "workflows/*.yml": "vendor.github-workflows",
}
TIMEOUT = "custom.github-workflows-require-timeout"


@pytest.mark.parametrize(("pattern", "schema"), [*SCHEMAS.items(), ("workflows/*.yml", TIMEOUT)])
def test_file_matches_the_schema_of_github(pattern: str, schema: str) -> None:
    files = sorted((TEMPLATE / ".github").glob(pattern))
    assert files

    check = Path(sys.executable).parent / "check-jsonschema"
    run(TEMPLATE, check, "--builtin-schema", schema, *files)


def test_every_file_is_checked() -> None:
    folder = TEMPLATE / ".github"
    checked = {file for pattern in SCHEMAS for file in folder.glob(pattern)}

    assert checked == set(folder.rglob("*.yml"))
