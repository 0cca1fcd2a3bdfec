"""The seal names every file that differs."""

from pathlib import Path

import pytest

from onloop import __version__
from onloop.seal import FOLDER, differences, is_sealed, manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "asgi" / "__pycache__").mkdir(parents=True)
    (tmp_path / "asgi" / "__pycache__" / "handler.pyc").write_bytes(b"\0")
    (tmp_path / "asgi" / "handler.py").write_bytes(b"handle\n")
    (tmp_path / "streams.py").write_bytes(b"stream\n")
    return tmp_path


def test_shipped_copy_is_whole() -> None:
    assert is_sealed()
    assert differences() == []


def test_manifest_names_version_and_files(folder: Path) -> None:
    lines = manifest(folder).splitlines()

    assert lines[0] == f"# onloop {__version__}"
    assert [line.split("  ")[1] for line in lines[1:]] == ["asgi/handler.py", "streams.py"]
    assert (FOLDER / "MANIFEST").read_text().startswith(lines[0])


def test_changed_missing_and_added_files_differ(folder: Path) -> None:
    (folder / "MANIFEST").write_text(manifest(folder))
    assert differences(folder) == []

    (folder / "streams.py").write_bytes(b"other\n")
    (folder / "asgi" / "handler.py").unlink()
    (folder / "mine.py").write_bytes(b"")

    assert differences(folder) == [
        "missing: asgi/handler.py",
        "added: mine.py",
        "changed: streams.py",
    ]


def test_line_ends_of_windows_do_not_differ(folder: Path) -> None:
    (folder / "MANIFEST").write_text(manifest(folder))
    (folder / "streams.py").write_bytes(b"stream\r\n")

    assert differences(folder) == []


def test_folder_without_manifest_differs_from_nothing(folder: Path) -> None:
    assert not is_sealed(folder)
    assert differences(folder) == []
