"""mypy on variants of the rendered project, with one cache for all of them."""

from pathlib import Path

from filelock import FileLock

from tests.template import TEMPLATE, python, run

CACHE = TEMPLATE / "build" / "mypy-variants"
PLUGIN = Path(__file__).with_name("mypy_plugin.py")


def type_check(variant: Path, project: Path, *paths: str) -> None:
    """Run mypy as `make check` does in `variant`, with the interpreter of `project`.

    django-stubs discards the whole cache where INSTALLED_APPS differ; `PLUGIN` keeps the part that
    cannot depend on them. The first of the workers to come fills the cache, the others wait.
    """
    config = (variant / "pyproject.toml").read_text()
    assert config.count('"mypy_django_plugin.main"') == 1
    changed = variant.with_name("mypy.toml")
    changed.write_text(config.replace("mypy_django_plugin.main", str(PLUGIN)))
    mypy = (python(project), "-m", "mypy", "--config-file", changed, "--cache-dir", CACHE)
    CACHE.parent.mkdir(exist_ok=True)
    with FileLock(f"{CACHE}.lock"):
        run(variant, *mypy, *(paths or "."))
