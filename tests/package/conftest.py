import sys
from pathlib import Path

import pytest

from tests.template import TEMPLATE, run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of `onloop`."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "."]
    run(folder, *build, str(TEMPLATE / "packages" / "onloop"))
    (wheel,) = folder.iterdir()
    return wheel
