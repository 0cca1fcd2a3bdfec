"""Take the pictures of the README from a real run, for `make pictures`.

1. Record `make demo`, and curl requesting the aggregator, into docs/demo.svg. An unrecorded run
   before it installs what the demo needs.
2. Photograph the page after a run of sixteen calls, a quarter of which fail, into docs/live.png
   and docs/live-dark.png.
3. Write the numbers of both into docs/pictures.json, and the alternative texts in the README.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import expect, sync_playwright

from scripts.terminal import Line, drawing
from tests.browser.conftest import chromium
from tests.browser.slow_upstream import slow_upstream
from tests.browser.test_live_page import DESKTOP
from tests.browser.visit import Visit, states
from tests.project.servers import booted
from tests.template import ENVIRONMENT, TEMPLATE, python

DEMO = TEMPLATE / "build" / "demo" / "async_service"
DOCS = TEMPLATE / "docs"
README = TEMPLATE / "README.md"
URL = "http://127.0.0.1:8000/async/api_aggregated/"
CALLS = 16
CONCURRENCY = 8
PACE = 0.2
LOOK = DESKTOP | {"device_scale_factor": 1.5}
SCHEMES: dict[str, Literal["light", "dark"]] = {"live.png": "light", "live-dark.png": "dark"}


@contextmanager
def demo() -> Iterator[list[Line]]:
    """Run `make demo`; yield what it printed, once it serves."""
    began = time.monotonic()
    lines = [Line(0, "$ make demo")]
    server = subprocess.Popen(
        ["make", "demo"],
        cwd=TEMPLATE,
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        for text in server.stdout or ():
            shown = text.rstrip().replace(f"{TEMPLATE}/", "")
            lines.append(Line(time.monotonic() - began, shown))
            if "Application startup complete" in text:
                break
        else:
            sys.exit("\n".join(line.text for line in lines))
        yield lines
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGINT)
        server.communicate()


def request_aggregation(lines: list[Line]) -> dict[str, Any]:
    """Request the aggregator of the demo by curl, a second after the last line; return the answer.

    What is typed and answered is added to the lines.
    """
    typed = lines[-1].seconds + 1
    began = time.monotonic()
    answer = subprocess.run(["curl", "--silent", URL], capture_output=True, check=True).stdout
    answered = typed + time.monotonic() - began
    lines += [Line(typed, f"$ curl {URL}"), Line(answered, answer.decode())]
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


def photograph_page(project: Path) -> dict[str, Any]:
    """Photograph the page after one run, light and dark; return the numbers of the run."""
    settings = {"AGGREGATOR_CONCURRENCY": str(CONCURRENCY)}
    with slow_upstream() as upstream, sync_playwright() as playwright:
        upstream.pace = PACE
        settings["AGGREGATOR_UPSTREAM_URL"] = upstream.url
        browser = playwright.chromium.launch(executable_path=chromium())
        with booted(project, python(project), **settings) as url:
            page = Visit(browser, url, LOOK).start("SSE", CALLS)
            status = page.get_by_role("status")
            expect(status).to_contain_text("The slowest took ", timeout=30_000)
            for name, scheme in SCHEMES.items():
                page.emulate_media(color_scheme=scheme)
                page.screenshot(path=DOCS / name, full_page=True)
            failed = states(page, "failed").count()
            numbers = {"calls": CALLS, "failed": failed, "status": status.text_content()}
        browser.close()
    return numbers


def alternative_texts(numbers: dict[str, Any]) -> dict[str, str]:
    """Return the alternative text of each picture, by its file."""
    demo, page = numbers["demo"], numbers["page"]
    return {
        "docs/demo.svg": (
            "make demo, and curl requesting the aggregator: "
            f"{demo['responses']} responses, {demo['debug_message'].removesuffix('.')}"
        ),
        "docs/live.png": (
            f"The page at /: {page['calls']} calls as bars on one timeline,"
            f" {page['failed']} of them failed. {page['status']}"
        ),
    }


def with_alternative_texts(readme: str, texts: dict[str, str]) -> str:
    """Return the README with these alternative texts for its pictures."""
    for file, text in texts.items():
        place = re.escape(file)
        readme = re.sub(rf"!\[[^]]*\]\({place}\)", f"![{text}]({file})", readme)
        readme = re.sub(rf'(src="{place}"[^>]*? alt=)"[^"]*"', rf'\1"{text}"', readme)
    return readme


def main() -> None:
    """Take all pictures."""
    with demo():  # It installs what the recorded one needs.
        pass
    with demo() as lines:
        answer = request_aggregation(lines)
    (DOCS / "demo.svg").write_text(drawing(lines))
    numbers = {
        "demo": {
            "responses": len(answer["responses"]),
            "debug_message": answer["debug_message"],
        },
        "page": photograph_page(DEMO),
    }
    (DOCS / "pictures.json").write_text(json.dumps(numbers, indent=4) + "\n")
    README.write_text(with_alternative_texts(README.read_text(), alternative_texts(numbers)))


if __name__ == "__main__":
    main()
