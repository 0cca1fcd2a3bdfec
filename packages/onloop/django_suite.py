"""Run Django's own tests with Django's ASGI handler and with that of `onloop`, for `make suite`.

Downloads the source distribution of the installed Django into build/ and runs its tests on SQLite.
In both runs the synchronous test client too sends its requests through the asynchronous middleware,
so that the tests of sessions, messages, logins, CSRF and the admin run through it. In the second

* `django.core.handlers.asgi.ASGIHandler` and `get_asgi_application()` are EventLoopASGIHandler, and
* both test clients load the middleware and answer errors as EventLoopASGIHandler does.

Prints one line per run and each test whose outcome differs, and exits with 1 if there is one.
"""

import argparse
import atexit
import json
import runpy
import subprocess
import sys
import tarfile
import unittest
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import django.contrib.staticfiles.handlers
import django.core.asgi
import django.core.handlers.asgi
from asgiref.sync import async_to_sync
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test.client import AsyncClientHandler, ClientHandler

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent
CACHE = ROOT / "build" / "django-suite"
PIP = ROOT / ".tools" / "bin" / "pip"
LABELS = (
    *("asgi", "async", "handlers", "signals", "middleware", "middleware_exceptions"),
    *("csrf_tests", "sessions_tests", "messages_tests", "auth_tests", "admin_views.tests"),
    *("test_client", "test_client_regress", "conditional_processing", "view_tests", "decorators"),
    *("deprecation", "httpwrappers", "requests_tests", "responses", "file_uploads"),
    *("staticfiles_tests", "logging_tests", "urlpatterns_reverse", "context_processors"),
    *("i18n.tests", "i18n.patterns", "admin_custom_urls", "admin_docs", "flatpages_tests"),
    *("redirects_tests", "sites_tests", "generic_views", "servers.tests"),
)
OUTCOMES = {
    "addSuccess": "passed",
    "addFailure": "failed",
    "addError": "error",
    "addSkip": "skipped",
    "addExpectedFailure": "expected failure",
    "addUnexpectedSuccess": "unexpected success",
}
HANDLERS = ("Django", "event loop")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("labels", nargs="*", default=LABELS, metavar="label")
    labels = parser.parse_args().labels
    tests = download()
    outcomes = [run(handler, tests, labels) for handler in HANDLERS]
    differences = sorted(set(outcomes[0].items()) ^ set(outcomes[1].items()))
    for test in dict.fromkeys(test for test, _ in differences):
        print(f"differs: {test}: " + ", then ".join(o.get(test, "not run") for o in outcomes))
    return 1 if differences else 0


def download() -> Path:
    """Fetch the source distribution of the installed Django, unless it is there already."""
    version = django.get_version()
    tests = CACHE / f"django-{version}" / "tests"
    if not tests.exists():
        command = [
            "--python",
            sys.executable,
            "download",
            "--no-binary",
            "django",
            "--no-deps",
            "--dest",
            str(CACHE),
        ]
        subprocess.run([PIP, *command, f"django=={version}"], check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(CACHE / f"django-{version}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return tests


def run(handler: str, tests: Path, labels: Sequence[str]) -> dict[str, str]:
    """Run the tests in a process of their own. Returns the outcome of each by its name."""
    report = CACHE / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, __file__, handler, str(report), *labels]
    finished = subprocess.run(command, cwd=tests, capture_output=True, text=True)
    if not report.exists():
        sys.exit(
            f"Django's test suite did not finish with the {handler} handler:\n{finished.stderr}"
        )
    (CACHE / f"{handler}.log").write_text(finished.stderr)
    outcomes: dict[str, str] = json.loads(report.read_text())
    if not outcomes:
        sys.exit(f"Django's test suite ran no test:\n{finished.stderr}")
    counts = Counter(outcomes.values())
    numbers = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES.values())
    print(f"{handler:>10} handler: {numbers}", flush=True)
    return outcomes


def run_tests(handler: str, report: str, *labels: str) -> None:
    """Run Django's runtests.py in this process, and write the outcome of each test to `report`."""
    sys.path[:0] = [str(Path.cwd()), str(PACKAGE)]
    use_asynchronous_middleware()
    if handler != "Django":
        use_event_loop_handler()
    record_outcomes(Path(report))
    sys.argv = ["runtests.py", "--parallel=1", "--noinput", *labels]
    runpy.run_path("runtests.py", run_name="__main__")


def use_asynchronous_middleware() -> None:
    """Let the synchronous test client go through the middleware as an ASGI request does."""

    def load_middleware(self: ClientHandler, is_async: bool = True) -> None:
        AsyncClientHandler.load_middleware(self, is_async=True)

    def get_response(self: ClientHandler, request: HttpRequest) -> HttpResponseBase:
        return async_to_sync(self.get_response_async)(request)

    ClientHandler.load_middleware = load_middleware
    ClientHandler.get_response = get_response


def use_event_loop_handler() -> None:
    import test_sqlite  # The settings that runtests.py uses.

    from onloop.asgi.handler import EventLoopASGIHandler

    test_sqlite.SYNC_THREADS = 64
    django.core.asgi.ASGIHandler = EventLoopASGIHandler
    django.core.handlers.asgi.ASGIHandler = EventLoopASGIHandler
    AsyncClientHandler.load_middleware = EventLoopASGIHandler.load_middleware
    for client in (AsyncClientHandler, ClientHandler):
        client.get_response_async = EventLoopASGIHandler.get_response_async
        client._get_response_async = EventLoopASGIHandler._get_response_async


def record_outcomes(report: Path) -> None:
    outcomes: dict[str, str] = {}

    def record(method: str, outcome: str) -> None:
        original = getattr(unittest.TestResult, method)

        def recording(self: unittest.TestResult, test: unittest.TestCase, *args: object) -> None:
            outcomes[test.id()] = outcome
            original(self, test, *args)

        setattr(unittest.TestResult, method, recording)

    for method, outcome in OUTCOMES.items():
        record(method, outcome)
    atexit.register(lambda: report.write_text(json.dumps(outcomes)))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in HANDLERS:
        run_tests(*sys.argv[1:])
    else:
        sys.exit(main())
