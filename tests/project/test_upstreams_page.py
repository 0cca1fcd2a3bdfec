"""The example of docs/upstreams.md, followed step by step, passes all checks of a project."""

import re
from pathlib import Path

from tests.project.type_checks import type_check
from tests.template import copy_project, python, run

BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDED = 'path("", include("products.urls")),'


def test_example_passes_the_checks(project: Path, tmp_path: Path) -> None:
    copy = copy_project(project, tmp_path / "copy")
    page = (copy / "docs" / "upstreams.md").read_text()
    blocks = dict(BLOCK.findall(page))
    assert list(blocks) == [
        "config/settings.py",
        "products/upstreams.py",
        "products/views.py",
        "products/urls.py",
        "products/tests.py",
    ]

    assert "manage.py startapp products" in page
    run(copy, python(project), "manage.py", "startapp", "products")
    with (copy / "config" / "settings.py").open("a") as settings:
        settings.write(f"\n{blocks.pop('config/settings.py')}")
    for name, text in blocks.items():
        (copy / name).write_text(text)
    assert INCLUDED in page
    urls = copy / "config" / "urls.py"
    last = '    path("", include("accounts.urls")),\n'
    urls.write_text(urls.read_text().replace(last, f"{last}    {INCLUDED}\n"))
    run(copy, python(project), "manage.py", "document_settings")

    run(copy, python(project), "-m", "ruff", "check")
    run(copy, python(project), "-m", "ruff", "format", "--check")
    type_check(copy, project)
    output = run(copy, python(project), "-m", "pytest", "products", "tests/config")
    assert "passed" in output
