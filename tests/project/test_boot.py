"""The rendered project answers over HTTP."""

import json
import shutil
from pathlib import Path

from tests.project.servers import booted, get, production, upstream
from tests.template import python, render, run


def test_defaults_answer(project: Path) -> None:
    run(project, str(python(project)), "manage.py", "migrate")
    with booted(project, python(project)) as url:
        pages = {path: get(url + path) for path in ("/", "/healthz", "/readyz", "/admin/login/")}
        _, sync = get(f"{url}/sync/api/?task_id=7")
        _, aggregated = get(f"{url}/async/api_aggregated/")

    assert {path: status for path, (status, _) in pages.items()} == dict.fromkeys(pages, 200)
    assert "<h1>Async Service</h1>" in pages["/"][1]
    assert json.loads(sync) == {"message": "Hello World!", "task_id": "7"}
    answer = json.loads(aggregated)
    assert answer["responses"] == [
        {"message": "Hello World!", "task_id": str(n)} for n in range(10)
    ]
    assert answer["debug_message"].startswith("fetch executed in ")
    assert set(answer) == {"responses", "debug_message"}


def test_production_settings_serve_collected_files(project: Path, tmp_path: Path) -> None:
    with production(project, python(project), tmp_path) as url:
        _, home = get(url)
        stylesheet = home.partition('rel="stylesheet" href="')[2].partition('"')[0]
        status, css = get(url + stylesheet)

    assert stylesheet.startswith("/static/site.")
    assert stylesheet != "/static/site.css"
    assert (status, "--accent" in css) == (200, True)


def test_prompts_act(project: Path, tmp_path: Path) -> None:
    with upstream() as (upstream_url, requested):
        name = "Zoë's <Café> 東京"
        url = f"{upstream_url}/slow?key=a%20b"
        answers = {
            "project_name": name,
            "project_slug": "cafe",
            "upstream_url": url,
            "fan_out": "3",
        }
        other = render(tmp_path, **answers).project
        with booted(other, python(project)) as served:
            _, aggregated = get(f"{served}/async/api_aggregated/")
            _, home = get(served)

    paths = [f"/slow?key=a%20b&task_id={n}" for n in range(3)]
    assert sorted(requested) == paths
    assert json.loads(aggregated)["responses"] == [{"requested": path} for path in paths]
    assert "<h1>Zoë&#x27;s &lt;Café&gt; 東京</h1>" in home


def test_environment_wins_over_prompts(project: Path) -> None:
    with upstream() as (upstream_url, requested):
        environment = {"AGGREGATOR_FAN_OUT": "2", "AGGREGATOR_UPSTREAM_URL": upstream_url}
        with booted(project, python(project), **environment) as served:
            get(f"{served}/async/api_aggregated/")

    assert sorted(requested) == ["/?task_id=0", "/?task_id=1"]


def test_without_hooks_one_step_is_needed(project: Path, tmp_path: Path) -> None:
    other = render(tmp_path, "--accept-hooks", "no").project
    shutil.copyfile(other / ".env.example", other / ".env")

    with booted(other, python(project)) as url:
        status, _ = get(f"{url}/healthz")

    assert status == 200


def test_application_is_imported_without_what_no_setting_needs(project: Path) -> None:
    """`onloop` has the same test. Here the project's own apps are imported, too."""
    code = "import sys, config.asgi; print(*sys.modules)"
    imported = set(run(project, str(python(project)), "-c", code).split())

    assert "live.websocket" in imported
    unneeded = {"aiohttp", "click", "opentelemetry", "prometheus_client", "pygments", "rich"}
    assert imported.isdisjoint(unneeded)
