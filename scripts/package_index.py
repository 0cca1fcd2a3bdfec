"""Print the URL of the package index that pip uses, for Poetry to use as well."""

import subprocess
import sys

from pip._internal.models.index import PyPI


def package_index() -> str:
    """Return pip's configured index, or its built-in default."""
    for name in (":env:.index-url", "global.index-url"):
        answer = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0:
            return answer.stdout.strip()
    return PyPI.simple_url


if __name__ == "__main__":
    print(package_index())
