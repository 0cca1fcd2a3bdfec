"""The seal: `MANIFEST` holds the version of this folder and the SHA-256 of each of its files.

While `MANIFEST` exists, the folder is a copy that updates replace as a whole, and must not be
edited. Without it, the folder is the project's own code. `sha256sum --check MANIFEST` can read the
file, too.
"""

from hashlib import sha256
from pathlib import Path

from onloop import __version__

FOLDER = Path(__file__).resolve().parent
MANIFEST = "MANIFEST"


def manifest(folder: Path = FOLDER) -> str:
    """Return the text of a manifest for the files in `folder`."""
    lines = [f"{digest}  {name}" for name, digest in digests(folder).items()]
    return "\n".join([f"# onloop {__version__}", *lines, ""])


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in `folder` by path, except the manifest and bytecode."""
    return {
        path.relative_to(folder).as_posix(): digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST and "__pycache__" not in path.parts
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a text file, with Windows line endings counted as Unix ones.

    Git may have checked the file out with either.
    """
    return sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def is_sealed(folder: Path = FOLDER) -> bool:
    """Return whether `folder` has a manifest."""
    return (folder / MANIFEST).exists()


def differences(folder: Path = FOLDER) -> list[str]:
    """Return the differences from the manifest, such as `changed: streams.py`.

    A file is `changed`, `missing` or `added`. Without a manifest there are no differences.
    """
    if not is_sealed(folder):
        return []
    lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    sealed = {
        name: digest
        for digest, _, name in (line.partition("  ") for line in lines if not line.startswith("#"))
    }
    found = digests(folder)
    return [
        f"{kind(name, sealed, found)}: {name}"
        for name in sorted(sealed.keys() | found.keys())
        if sealed.get(name) != found.get(name)
    ]


def kind(name: str, sealed: dict[str, str], found: dict[str, str]) -> str:
    """Return how a file differs."""
    if name not in found:
        return "missing"
    return "changed" if name in sealed else "added"
