"""Imports that leave out optional modules."""

import sys

import pytest

from onloop.imports import not_installed


def test_module_is_missing_within_the_block_only() -> None:
    sys.modules.pop("colorsys", None)
    with not_installed("colorsys"), pytest.raises(ModuleNotFoundError):
        import colorsys

    import colorsys

    assert sys.modules["colorsys"] is colorsys


def test_imported_module_stays() -> None:
    import json

    with not_installed("json"):
        assert sys.modules["json"] is json
