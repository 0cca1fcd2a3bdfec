"""Versions of Python and of the packages of interest, printed as JSON.

Standard library only: it runs on the rendered project's interpreter as well.
"""

import json
import platform
from importlib.metadata import PackageNotFoundError, version

# What both interpreters must have in the same version for the contenders to be comparable.
SHARED = ("python", "uvicorn", "uvloop", "httptools", "httpx", "aiohttp")
SHOWN = (*SHARED, "django", "asgiref", "httpx-aiohttp", "fastapi", "starlette", "pydantic")


def installed() -> dict[str, str]:
    """The versions this interpreter has; packages that are not installed are left out."""
    versions = {"python": platform.python_version()}
    for name in SHOWN[1:]:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


if __name__ == "__main__":
    print(json.dumps(installed()))
