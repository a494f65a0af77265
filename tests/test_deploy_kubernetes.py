"""deploy/kubernetes: builds, is valid, and its parts agree with each other and with the exporter."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from exporter.simulator import Simulator
from exporter.simulator.sample import sample_world
from exporter.simulator.serving import Served
from tests.deploy_support import (
    KUBERNETES,
    Deployed,
    assert_found_by_prometheus,
    assert_pod_agrees_with_itself,
    assert_runs_alone_and_unprivileged,
    complaints,
    deployed,
    flags,
    npm_part,
    of_kind,
    output,
    the,
)
from tests.processes import exporter, finished, started

# The folder that is built, and the components switched on in it.
BUILDS = {
    "sidecar": ("sidecar", []),
    "sidecar-monitored": ("sidecar", ["sidecar/monitoring"]),
    "standalone": ("standalone", []),
    "standalone-with-rules": ("standalone", ["rules"]),
}


@pytest.fixture(scope="module")
def rendered(
    repo_root: Path, missing: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What `kubectl kustomize` makes of each build, as an overlay of one's own would have it."""
    kubectl = npm_part("kubectl", missing)
    folder = tmp_path_factory.mktemp("kustomize")
    shutil.copytree(repo_root / "deploy" / "kubernetes", folder, dirs_exist_ok=True)
    texts = {}
    for name, (base, components) in BUILDS.items():
        overlay = folder / f"overlay-{name}"
        overlay.mkdir()
        lists = {"resources": [f"../{base}"], "components": [f"../{each}" for each in components]}
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(lists), encoding="utf-8")
        texts[name] = output(kubectl, "kustomize", str(overlay))
    return texts


@pytest.fixture(params=BUILDS)
def build(request: pytest.FixtureRequest, rendered: dict[str, str]) -> str:
    return rendered[request.param]


@pytest.fixture(params=["sidecar", "standalone"])
def pod(request: pytest.FixtureRequest, rendered: dict[str, str]) -> Deployed:
    return deployed(rendered[request.param])


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_build_is_valid_in_the_strict_sense(build: str, version: str) -> None:
    assert complaints(build, version) == []


def test_the_strict_check_sees_a_misspelt_key_and_an_unknown_version(rendered: dict[str, str]) -> None:
    misspelt = rendered["standalone"].replace("serviceName:", "serviceNames:")
    outdated = rendered["standalone"].replace("apiVersion: apps/v1", "apiVersion: apps/v1beta1")
    assert complaints(misspelt, KUBERNETES[-1]) != []
    assert complaints(outdated, KUBERNETES[-1]) != []


def test_the_pod_runs_alone_and_unprivileged(build: str) -> None:
    assert_runs_alone_and_unprivileged(deployed(build))


def test_the_pods_parts_agree(build: str) -> None:
    assert_pod_agrees_with_itself(deployed(build))


def test_selectors_and_ports_lead_to_the_pod(build: str) -> None:
    assert_found_by_prometheus(deployed(build))


def test_each_build_holds_what_it_promises(rendered: dict[str, str]) -> None:
    kinds = {name: {each["kind"] for each in deployed(text).objects} for name, text in rendered.items()}
    sidecar = {"ConfigMap", "Deployment", "PersistentVolumeClaim"}
    standalone = {"ConfigMap", "NetworkPolicy", "Service", "ServiceMonitor", "StatefulSet"}
    assert kinds == {
        "sidecar": sidecar,
        "sidecar-monitored": sidecar | {"PodMonitor", "PrometheusRule"},
        "standalone": standalone,
        "standalone-with-rules": standalone | {"PrometheusRule"},
    }


def test_the_sidecar_stands_beside_an_app(rendered: dict[str, str]) -> None:
    names = [container["name"] for container in deployed(rendered["sidecar"]).pod["containers"]]
    assert names == ["app", "x-analytics-exporter"]


def test_the_configuration_keeps_its_name_so_that_a_change_restarts_nothing(pod: Deployed) -> None:
    assert "--config.watch" in pod.container["args"]
    assert the(pod.objects, "ConfigMap")["metadata"]["name"] == "x-analytics-exporter-config"


def test_tokens_lie_below_the_root_of_a_volume_that_outlives_the_pod(pod: Deployed) -> None:
    state_dir = Path(yaml.safe_load(pod.config_text())["state_dir"])
    assert Path(pod.mounted("claim")) in state_dir.parents


def test_the_secret_is_read_from_a_file_and_is_not_in_the_repository(pod: Deployed) -> None:
    (account,) = yaml.safe_load(pod.config_text())["accounts"]
    assert Path(account["auth"]["bearer_token_file"]).parent == Path(pod.mounted("secret"))
    assert of_kind(pod.objects, "Secret") == []


def test_the_configuration_is_right(pod: Deployed, tmp_path: Path) -> None:
    command, *arguments = pod.command_line(tmp_path)
    config = [argument for argument in arguments if argument.startswith("--config.file=")]
    checked = finished("check-config", *config)
    assert command == "run"
    assert checked.returncode == 0, checked.stderr


def test_the_pods_own_command_line_answers_its_probes(pod: Deployed, tmp_path: Path) -> None:
    arguments = pod.command_line(tmp_path / "files")
    probes = [pod.container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
    simulator = Simulator(sample_world(time.time(), any_id=True), clock=time.time)
    with Served(simulator) as x, (tmp_path / "files" / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(f"api: {{base_url: '{x.base_url}'}}\n")
        config.flush()
        with started(exporter(*arguments, "--web.listen-address=127.0.0.1:0"), tmp_path / "run") as running:
            port = running.says(r" port=(\d+)")[1]
            for path in [*probes, "/metrics"]:
                running.answers(f"http://127.0.0.1:{port}{path}")


def test_the_port_of_the_pod_is_the_one_that_run_listens_on() -> None:
    assert "--web.listen-address" in flags("run")
    assert ":9877" in finished("run", "--help").stdout


def test_the_embedded_rules_are_the_rules(repo_root: Path, rendered: dict[str, str]) -> None:
    rules = yaml.safe_load((repo_root / "deploy" / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))
    for name in ("sidecar-monitored", "standalone-with-rules"):
        assert the(deployed(rendered[name]).objects, "PrometheusRule")["spec"] == rules


def test_copies_of_rules_and_dashboards_are_current(repo_root: Path, tmp_path: Path) -> None:
    output(str(repo_root / "deploy" / "embed"), str(tmp_path))
    made = {
        str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()
    }
    standing = {name for name in made if (repo_root / name).is_file()}
    outdated = [name for name in made if name not in standing or (repo_root / name).read_text() != made[name]]
    chart_files = (repo_root / "deploy" / "helm" / "files").rglob("*")
    left_over = {str(path.relative_to(repo_root)) for path in chart_files if path.is_file()} - made.keys()
    assert (outdated, left_over) == ([], set()), "run deploy/embed"


@pytest.mark.parametrize("folder", ["sidecar", "standalone"])
def test_the_reason_for_one_replica_is_written_where_it_is_set(repo_root: Path, folder: str) -> None:
    texts = [
        path.read_text(encoding="utf-8") for path in (repo_root / "deploy/kubernetes" / folder).glob("*.yaml")
    ]
    (manifest,) = (text for text in texts if "\n  replicas: 1\n" in text)
    before = manifest.partition("\n  replicas: 1\n")[0]
    reason = before[before.rindex("spec:") :]
    assert "refresh token" in reason
    assert "pay for it once more" in reason
