"""An application is imported without the libraries that only some settings or a server need."""

import subprocess
import sys

UNNEEDED = {
    "aiohttp",
    "click",
    "httpcore",
    "opentelemetry",
    "prometheus_client",
    "psycopg",
    "pygments",
    "pyreqwest",
    "redis",
    "rich",
    "uvicorn",
    "websockets",
}


def test_application_is_imported_without_them() -> None:
    code = "import sys, tests.project.asgi; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    imported = set(run.stdout.split())
    assert "django" in imported
    assert imported.isdisjoint(UNNEEDED), imported & UNNEEDED
