"""`onloop` is rendered as a sealed copy."""

import subprocess
import sys

from pytest_cookies.plugin import Cookies

from tests.template import TEMPLATE, run


def test_manifest_is_up_to_date() -> None:
    check = subprocess.run(
        [sys.executable, "scripts/manifest.py", "--check"],
        cwd=TEMPLATE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert check.returncode == 0, check.stderr


def test_rendered_copy_is_intact(cookies: Cookies) -> None:
    project = cookies.bake().project_path
    script = "from onloop.seal import differences, is_sealed; print(is_sealed(), differences())"

    assert run(project, sys.executable, "-c", script) == "True []\n"
    (project / "onloop" / "streams.py").write_text("")
    (project / "onloop" / "gc.py").unlink()
    (project / "onloop" / "mine.py").write_text("")
    assert run(project, sys.executable, "-c", script) == (
        "True ['missing: gc.py', 'added: mine.py', 'changed: streams.py']\n"
    )
    (project / "onloop" / "MANIFEST").unlink()
    assert run(project, sys.executable, "-c", script) == "False []\n"
