import subprocess
from pathlib import Path

import pytest
from pytest_django import Settings

FILES = {
    "manage.py": "",
    "accounts/apps.py": "",
    "shop/apps.py": "",
    "shop/prices.py": "",
    "tests/shop/test_prices.py": "from shop import prices\n",
    "basket/apps.py": "",
    "basket/views.py": "import os\nfrom shop.prices import all_prices\n",
    "tests/basket/test_views.py": "from basket import views\n",
    "tests/settings.py": 'os.environ.setdefault("BASKET_SIZE", "3")\nDEBUG = True\n',
    "tests/conftest.py": "def all_set():\n    settings.BASKET_SIZE = 3\n    settings.DEBUG = 1\n",
    "config/settings.py": """\
# 1. The project
#
# What is common.

INSTALLED_APPS = [
    "shop",
    "basket",
]
# Whether errors are shown.
DEBUG = env.flag("DEBUG", default=False)


# 2. Language

LANGUAGE_CODE = "en"


# 3. Basket

# Items of one basket.
BASKET_SIZE = env.whole_number("BASKET_SIZE", 10, least=1, most=100)
BASKET = {
    # What it is made of.
    "kind": env.choice("WEAVE", "wood", accepted=("wood", "wire")),
}
""",
    "config/urls.py": 'urlpatterns = [\n    path("", include("basket.urls")),\n]\n',
    "pyproject.toml": """\
[tool.ruff]
extend-exclude = ["onloop"]
force-exclude = true

[tool.mypy]
exclude = ["^onloop/"]

[[tool.mypy.overrides]]
module = ["onloop.*"]
follow_imports = "silent"

[tool.cruft]
skip = [".env"]

[tool.importlinter]
modules = ["shop", "basket"]
ignore_imports = [
    "basket.views -> shop.prices",
]
""",
    "Makefile": "EXTRAS ?= postgres redis\n",
    "compose.yaml": """\
services:
  web:
    environment:
      BASKET_SIZE: "3"
      DEBUG: "false"

  worker:
    command: [python, manage.py, basket_worker]

  redis:
    image: redis
""",
    "deploy/kubernetes/worker.yaml": "command: [python, manage.py, basket_worker]\n",
    "deploy/kubernetes/web.yaml": "command: [python, -m, onloop.server]\n",
    "deploy/kubernetes/kustomization.yaml": "resources:\n  - web.yaml\n  - worker.yaml\n",
    "deploy/kubernetes/settings.env": "DEBUG=false\nBASKET_SIZE=3\n",
    ".env.example": "DEBUG=true\n# BASKET_SIZE=3\n",
    "README.md": "basket/   what is bought\nshop/     prices\n- [Basket](docs/basket.md): how\n",
    "docs/basket.md": "# Basket\n",
    "docs/endpoints.md": "# Endpoints\n\n## Basket\n\n### Add\n\ntext\n\n## Shop\n\ntext\n",
    "onloop/MANIFEST": "# onloop\n",
    "onloop/README.md": "",
}


@pytest.fixture
def project(tmp_path: Path, settings: Settings) -> Path:
    """A small project in a git repository; the commands run on it."""
    project = tmp_path / "project"
    for name, text in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    commit(project)
    settings.BASE_DIR = project
    settings.AUTH_USER_MODEL = "accounts.User"
    return project


def commit(folder: Path) -> str:
    """Commit all files of the folder, and return the commit."""
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (["init"], ["add", "--all"], [*author, "commit", "--message", "All"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)  # noqa: S607
    head = ["git", "rev-parse", "HEAD"]
    return subprocess.check_output(head, cwd=folder, text=True).strip()
