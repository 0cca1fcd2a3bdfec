"""`manage.py drop` deletes what belongs to an app, and refuses what cannot be dropped."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.management.conftest import FILES


def test_what_belongs_to_the_app_goes(project: Path) -> None:
    call_command("drop", "basket")

    left = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert {name for name in FILES if name not in left} == {
        "basket/apps.py",
        "basket/views.py",
        "tests/basket/test_views.py",
        "docs/basket.md",
        "deploy/kubernetes/worker.yaml",
    }
    texts = {name: (project / name).read_text() for name in FILES if name in left}
    assert texts["README.md"] == "shop/     prices\n"
    assert texts["docs/endpoints.md"] == "# Endpoints\n\n## Shop\n\ntext\n"
    assert texts["config/urls.py"] == "urlpatterns = [\n]\n"
    assert texts["tests/conftest.py"] == "def all_set():\n    settings.DEBUG = 1\n"
    assert texts["tests/settings.py"] == "DEBUG = True\n"
    assert texts["config/settings.py"].endswith('\nLANGUAGE_CODE = "en"\n')
    assert texts[".env.example"] == "DEBUG=true\n"
    assert texts["deploy/kubernetes/settings.env"] == "DEBUG=false\n"
    assert texts["deploy/kubernetes/kustomization.yaml"] == "resources:\n  - web.yaml\n"
    assert 'modules = ["shop"]\nignore_imports = [\n]\n' in texts["pyproject.toml"]
    assert 'skip = [".env", "basket", "tests/basket"]' in texts["pyproject.toml"]
    for name, text in texts.items():
        assert "basket" not in text.lower() or name == "pyproject.toml", name
    assert "  redis:\n    image: redis\n" in texts["compose.yaml"]
    assert "BASKET" not in (project / "docs" / "settings.md").read_text()


def test_several_apps_go_together(project: Path) -> None:
    call_command("drop", "shop", "basket")

    assert not (project / "shop").exists()
    assert not (project / "basket").exists()


@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        ("nothing", "nothing is not an app that can be dropped: choose from basket, shop."),
        ("accounts", "accounts is not an app that can be dropped: choose from basket, shop."),
        ("shop", "shop is used by basket: drop or change that first."),
        ("basket", "basket has changes that are not committed: commit them first."),
    ],
)
def test_drop_is_refused(project: Path, app: str, sentence: str) -> None:
    (project / "basket" / "mine.py").write_text("")

    with pytest.raises(CommandError, match=f"^{sentence}$"):
        call_command("drop", app)

    assert (project / "basket" / "mine.py").exists()


def test_drop_is_refused_for_a_file_that_uses_the_app(project: Path) -> None:
    (project / "config" / "urls.py").write_text("from basket import views\n")

    with pytest.raises(CommandError, match=r"^basket is used by config/urls\.py: "):
        call_command("drop", "basket")
