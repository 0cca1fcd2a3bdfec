"""What tests need from the machine beyond Python packages."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(sentence: str) -> NoReturn:
    """Skip the test with this reason, or fail it if REQUIRE_SERVICES is set."""
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(sentence)
    pytest.skip(sentence)
