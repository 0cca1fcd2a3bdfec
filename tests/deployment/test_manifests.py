"""The Dockerfile, compose.yaml and the Kubernetes manifests: valid and consistent."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.container import instructions
from tests.machine import skip_or_fail
from tests.template import FOLDER, render, run

TOOLS = Path(sys.executable).parent
KUBERNETES = "1.37.0"
# The maximum of Lifespan(shutdown_timeout=...), after uvicorn's own grace period.
LIFESPAN_SECONDS = 10


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose slug is not a Kubernetes name, with the secret that its docs require."""
    project = render(tmp_path_factory.mktemp("out"), project_slug="my_big_shop_2").project
    manifests = project / "deploy" / "kubernetes"
    shutil.copyfile(manifests / "secret.env.example", manifests / "secret.env")
    return project


@pytest.fixture(scope="module")
def compose(rendered: Path) -> dict[str, Any]:
    """The services of compose.yaml."""
    services: dict[str, Any] = yaml.safe_load((rendered / "compose.yaml").read_text())["services"]
    return services


@pytest.fixture(scope="module")
def manifests(rendered: Path) -> dict[tuple[str, str], Any]:
    """The Kubernetes resources by kind and name."""
    files = (rendered / "deploy" / "kubernetes").glob("*.yaml")
    loaded = [yaml.safe_load(file.read_text()) for file in sorted(files)]
    return {
        (one["kind"], one["metadata"]["name"]): one
        for one in loaded
        if one["kind"] != "Kustomization"
    }


@pytest.fixture(scope="module")
def kustomization(rendered: Path) -> dict[str, Any]:
    """The contents of kustomization.yaml."""
    file = rendered / "deploy" / "kubernetes" / "kustomization.yaml"
    contents: dict[str, Any] = yaml.safe_load(file.read_text())
    return contents


def pods(manifests: dict[tuple[str, str], Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the pod specification of each Deployment and Job."""
    for (kind, name), manifest in manifests.items():
        if kind in {"Deployment", "Job"}:
            yield name, manifest["spec"]["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def uvicorn_grace() -> int:
    """Return the seconds that uvicorn waits for requests when the image's command is stopped."""
    command = json.loads(dict(instructions(FOLDER / "Dockerfile"))["CMD"])
    assert command[:4] == ["python", "-m", "onloop.server", "config.asgi:application"]
    assert "--timeout-graceful-shutdown" not in command
    options = (FOLDER / "onloop" / "server" / "__init__.py").read_text()
    (grace,) = re.findall(r'"timeout_graceful_shutdown": (\d+),', options)
    return int(grace)


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_dockerfile_passes_hadolint(rendered: Path) -> None:
    run(rendered, str(TOOLS / "hadolint"), "--failure-threshold", "style", "Dockerfile")


def test_compose_file_follows_its_schema(rendered: Path) -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    run(rendered, str(TOOLS / "check-jsonschema"), *schema, "compose.yaml")


def test_manifests_follow_the_schemas_of_kubernetes(
    rendered: Path, kustomization: dict[str, Any]
) -> None:
    validate = [str(TOOLS / "kubernetes-validate"), "--strict", "--kubernetes-version", KUBERNETES]
    run(rendered / "deploy" / "kubernetes", *validate, *kustomization["resources"])


def test_kustomize_builds_valid_manifests(rendered: Path, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        skip_or_fail("No kustomize: kubectl is not installed.")
    built = run(rendered, kubectl, "kustomize", "deploy/kubernetes")
    (tmp_path / "built.yaml").write_text(built)
    validate = [str(TOOLS / "kubernetes-validate"), "--strict", "--kubernetes-version", KUBERNETES]
    run(tmp_path, *validate, "built.yaml")

    names = {one["metadata"]["name"] for one in yaml.safe_load_all(built)}
    assert {"my-big-shop-2-web", "my-big-shop-2-worker", "my-big-shop-2-migrate"} <= names
    assert re.search(r"name: my-big-shop-2-settings-\w{10}\n", built)
    assert "image: registry.example.com/my-big-shop-2:" in built


def test_kustomization_lists_every_file(rendered: Path, kustomization: dict[str, Any]) -> None:
    there = {path.name for path in (rendered / "deploy" / "kubernetes").iterdir()}

    generators = kustomization["configMapGenerator"] + kustomization["secretGenerator"]
    listed = {*kustomization["resources"], *(env for one in generators for env in one["envs"])}
    assert there == listed | {"kustomization.yaml", "secret.env.example"}
    assert kustomization["namePrefix"] == "my-big-shop-2-"


def test_secret_is_kept_out_of_git(rendered: Path) -> None:
    run(rendered, "git", "init", "--quiet")

    assert "secret.env" in run(rendered, "git", "check-ignore", "deploy/kubernetes/secret.env")


def test_references_between_manifests_resolve(
    manifests: dict[tuple[str, str], Any], kustomization: dict[str, Any]
) -> None:
    settings = {one["name"] for one in kustomization["configMapGenerator"]}
    secrets = {one["name"] for one in kustomization["secretGenerator"]}
    images = {one["name"] for one in kustomization["images"]}
    for _, pod in pods(manifests):
        for container in containers(pod):
            assert container["image"] in images
            sources = container["envFrom"]
            assert {s["configMapRef"]["name"] for s in sources if "configMapRef" in s} == settings
            assert {s["secretRef"]["name"] for s in sources if "secretRef" in s} == secrets

    web = manifests["Deployment", "web"]["spec"]
    labels = web["template"]["metadata"]["labels"]
    budget = manifests["PodDisruptionBudget", "web"]["spec"]
    service = manifests["Service", "web"]["spec"]
    target = manifests["HorizontalPodAutoscaler", "web"]["spec"]["scaleTargetRef"]
    policy = manifests["NetworkPolicy", "web"]["spec"]
    assert web["selector"]["matchLabels"] == labels == service["selector"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert budget["selector"]["matchLabels"] == labels
    assert (target["kind"], target["name"]) in manifests
    assert "replicas" not in web
    (port,) = web["template"]["spec"]["containers"][0]["ports"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert policy["ingress"][0]["ports"] == [{"port": port["name"]}]


def test_pods_are_hardened(manifests: dict[tuple[str, str], Any]) -> None:
    user = int(dict(instructions(FOLDER / "Dockerfile"))["USER"].partition(":")[0])
    for name, pod in pods(manifests):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"].keys() == {"requests", "limits"}


def test_settings_are_documented(rendered: Path, compose: dict[str, Any]) -> None:
    pages = [(rendered / "docs" / name).read_text() for name in ("settings.md", "running.md")]
    named = {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"}
    for file in ("settings.env", "secret.env.example"):
        lines = (rendered / "deploy" / "kubernetes" / file).read_text().splitlines()
        named |= {line.partition("=")[0] for line in lines if not line.startswith("#")}

    assert named <= set(compose["web"]["environment"])
    assert all(f"`{name}`" in "".join(pages) for name in compose["worker"]["environment"])


def test_only_the_proxy_is_trusted_for_client_addresses(
    rendered: Path, compose: dict[str, Any]
) -> None:
    networks = yaml.safe_load((rendered / "compose.yaml").read_text())["networks"]
    (edge,) = networks["edge"]["ipam"]["config"]
    proxy = ip_address(compose["proxy"]["networks"]["edge"]["ipv4_address"])
    lines = (rendered / "deploy" / "kubernetes" / "settings.env").read_text().splitlines()

    assert compose["web"]["environment"]["FORWARDED_ALLOW_IPS"] == str(proxy)
    assert proxy in ip_network(edge["subnet"])
    assert proxy not in ip_network(edge["ip_range"])
    assert [name for name, one in compose.items() if "edge" in one.get("networks", [])] == [
        "proxy",
        "web",
    ]
    assert "FORWARDED_ALLOW_IPS=192.0.2.10" in lines  # Of nobody (RFC 5737), until it is set.


def test_full_redis_evicts_keys_with_an_expiry(compose: dict[str, Any]) -> None:
    command = compose["redis"]["command"]

    assert command[command.index("--maxmemory-policy") + 1] == "volatile-lru"
    assert command[command.index("--maxmemory") + 1] == "256mb"


def test_probes_request_existing_endpoints(
    rendered: Path, manifests: dict[tuple[str, str], Any]
) -> None:
    (web,) = manifests["Deployment", "web"]["spec"]["template"]["spec"]["containers"]
    lines = (rendered / "deploy" / "kubernetes" / "settings.env").read_text().splitlines()
    hosts = dict(line.split("=", 1) for line in lines if not line.startswith("#"))["ALLOWED_HOSTS"]

    requests = {
        probe: web[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")
    }
    assert {probe: get["path"] for probe, get in requests.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    for get in requests.values():
        (host,) = get["httpHeaders"]
        assert host["name"] == "Host"
        assert host["value"] in hosts.split(",")


def test_worker_is_alive_while_its_heartbeat_is_fresh(
    compose: dict[str, Any], manifests: dict[tuple[str, str], Any], tmp_path: Path
) -> None:
    (worker,) = manifests["Deployment", "worker"]["spec"]["template"]["spec"]["containers"]
    probe = worker["livenessProbe"]["exec"]["command"]
    heartbeat = tmp_path / "heartbeat"
    here = [part.replace(worker["command"][-1], str(heartbeat)) for part in probe]

    def passes() -> bool:
        return subprocess.run(here, capture_output=True, check=False).returncode == 0

    assert worker["command"][-2] == "--heartbeat"
    assert [part.replace("$$", "$") for part in compose["worker"]["healthcheck"]["test"]] == [
        "CMD",
        *probe,
    ]
    assert not passes()
    heartbeat.touch()
    assert passes()
    os.utime(heartbeat, (1, 1))
    assert not passes()


def test_port_is_the_same_everywhere(
    compose: dict[str, Any], manifests: dict[tuple[str, str], Any]
) -> None:
    image = dict(instructions(FOLDER / "Dockerfile"))
    command = json.loads(image["CMD"])
    port = int(command[command.index("--port") + 1])
    pod = manifests["Deployment", "web"]["spec"]["template"]["spec"]

    assert image["EXPOSE"] == str(port)
    assert f"'127.0.0.1', {port}," in image["HEALTHCHECK"]
    assert pod["containers"][0]["ports"][0]["containerPort"] == port
    assert f"name web\n\t\t\tport {port}\n" in (FOLDER / "deploy" / "Caddyfile").read_text()
    assert "web" in compose


def test_grace_periods_cover_the_graceful_shutdown(
    compose: dict[str, Any], manifests: dict[tuple[str, str], Any]
) -> None:
    ends = uvicorn_grace() + LIFESPAN_SECONDS
    pod = manifests["Deployment", "web"]["spec"]["template"]["spec"]
    pre_stop = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    caddyfile = (FOLDER / "deploy" / "Caddyfile").read_text()
    proxy = re.search(r"grace_period (\d+)s", caddyfile)
    assert proxy

    assert pod["terminationGracePeriodSeconds"] > pre_stop + ends
    assert seconds(compose["web"]["stop_grace_period"]) > ends
    assert seconds(compose["proxy"]["stop_grace_period"]) > int(proxy[1])


def test_grace_periods_cover_running_jobs(
    compose: dict[str, Any], manifests: dict[tuple[str, str], Any]
) -> None:
    pod = manifests["Deployment", "worker"]["spec"]["template"]["spec"]
    (setting,) = pod["containers"][0]["env"]

    assert setting["name"] == "JOBS_GRACE_SECONDS"
    assert pod["terminationGracePeriodSeconds"] > float(setting["value"])
    assert seconds(compose["worker"]["stop_grace_period"]) > float(
        compose["worker"]["environment"]["JOBS_GRACE_SECONDS"]
    )


def test_compose_refuses_to_start_without_secrets(rendered: Path) -> None:
    required = re.findall(r"\$\{(\w+):\?", (rendered / "compose.yaml").read_text())

    assert set(required) == {"SECRET_KEY", "POSTGRES_PASSWORD"}


def test_compose_services_are_hardened(compose: dict[str, Any]) -> None:
    for name, service in compose.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert ("ports" in service) == (name == "proxy"), name


def test_compose_waits_for_migrations_and_builds_once(compose: dict[str, Any]) -> None:
    for name in ("web", "worker"):
        depends = {on: how["condition"] for on, how in compose[name]["depends_on"].items()}
        assert depends == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
        assert compose[name]["image"] == compose["migrate"]["image"]
        assert compose[name]["environment"]["JOBS_EMBEDDED"] == "false"
    assert [name for name, service in compose.items() if "build" in service] == ["migrate"]
    assert compose.keys() >= {on for one in compose.values() for on in one.get("depends_on", {})}


def test_compose_and_kubernetes_run_the_same_commands(
    compose: dict[str, Any], manifests: dict[tuple[str, str], Any]
) -> None:
    for name, pod in pods(manifests):
        assert pod["containers"][0].get("command") == compose[name].get("command")
