"""The examples of docs/testing.md are tests that pass."""

import re
from pathlib import Path

from tests.project.type_checks import type_check
from tests.template import copy_project, python, run

IMPORTS = """
from typing import Any

import httpx
import pytest
from django_tasks_db.models import DBTaskResult

from jobs.tasks import aggregate
from tests.answers import HeldBack, echo, echoes, task_id
from tests.live.clients import connected
"""


def test_examples_of_the_docs_pass(project: Path, tmp_path: Path) -> None:
    copy = copy_project(project, tmp_path / "copy")
    page = (copy / "docs" / "testing.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (copy / "tests" / "test_examples.py").write_text("\n\n".join([IMPORTS.lstrip(), *examples]))

    run(copy, str(python(project)), "-m", "ruff", "check", "tests/test_examples.py")
    type_check(copy, project, "tests/test_examples.py")
    output = run(copy, str(python(project)), "-m", "pytest", "tests/test_examples.py")

    assert f"{len(examples)} passed" in output
