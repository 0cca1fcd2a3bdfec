"""Where jobs run: in each server, or in dedicated workers alone."""

import pytest
from django.apps import apps
from pytest_django import Settings

from onloop.tasks.worker import embedded_worker


@pytest.mark.parametrize("embedded", [True, False])
def test_server_runs_jobs_unless_that_is_left_to_workers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, embedded: bool
) -> None:
    resources: list[object] = []
    monkeypatch.setattr("onloop.tasks.apps.add_resource", resources.append)
    settings.JOBS_EMBEDDED = embedded

    apps.get_app_config("onloop_tasks").ready()

    assert resources == [embedded_worker] * embedded
