"""deploy/helm: the chart passes Helm's own checks, and what it renders is held to what the manifests are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

import exporter
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
from tests.processes import finished

EVERYTHING: dict[str, Any] = {
    "imagePullSecrets": ["registry"],
    "extraArgs": ["--log.format=json", "--web.enable-lifecycle"],
    "persistence": {"size": "1Gi", "storageClassName": "fast"},
    "podAnnotations": {"example.org/owner": "media"},
    "podLabels": {"team": "media"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "low",
    "service": {"port": 80, "annotations": {"example.org/owner": "media"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "kube-prometheus-stack"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "kube-prometheus-stack"}},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "X analytics"}},
    "networkPolicy": {"enabled": True},
}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "demo": {"demo": True},
    "without-volume": {"persistence": {"enabled": False}},
}
Render = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="module")
def helm(missing: Callable[[str], NoReturn]) -> str:
    return npm_part("helm", missing)


@pytest.fixture(scope="module")
def chart(repo_root: Path) -> str:
    return str(repo_root / "deploy" / "helm")


@pytest.fixture
def values_file(tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    def write(values: dict[str, Any]) -> str:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return str(file)

    return write


@pytest.fixture
def render(helm: str, chart: str, values_file: Callable[[dict[str, Any]], str]) -> Render:
    """What `helm template` makes of the chart with some values."""
    return lambda values: output(helm, "template", "shop", chart, "--values", values_file(values))


@pytest.fixture(params=VALUES)
def rendered(request: pytest.FixtureRequest, render: Render) -> str:
    return render(VALUES[request.param])


@pytest.fixture
def everything(render: Render) -> Deployed:
    return deployed(render(EVERYTHING))


@pytest.mark.parametrize("values", VALUES)
def test_helm_finds_nothing_to_say(
    helm: str, chart: str, values_file: Callable[[dict[str, Any]], str], values: str
) -> None:
    output(helm, "lint", "--strict", chart, "--values", values_file(VALUES[values]))


@pytest.mark.parametrize("version", KUBERNETES)
def test_what_is_rendered_is_valid_in_the_strict_sense(rendered: str, version: str) -> None:
    assert complaints(rendered, version) == []


def test_the_pod_runs_alone_and_unprivileged(rendered: str) -> None:
    assert_runs_alone_and_unprivileged(deployed(rendered))


def test_the_pods_parts_agree(rendered: str) -> None:
    assert_pod_agrees_with_itself(deployed(rendered))


def test_selectors_and_ports_lead_to_the_pod(rendered: str) -> None:
    assert_found_by_prometheus(deployed(rendered))


def test_every_object_of_a_release_has_its_name(rendered: str) -> None:
    names = {each["metadata"]["name"] for each in deployed(rendered).objects}
    assert names <= {"shop-x-analytics-exporter", "shop-x-analytics-exporter-dashboards"}


def test_a_plain_release_needs_no_operator(render: Render) -> None:
    kinds = {each["kind"] for each in deployed(render({})).objects}
    assert kinds == {"ConfigMap", "Service", "StatefulSet"}


def test_the_configuration_is_right_and_its_ids_are_whole(render: Render, tmp_path: Path) -> None:
    found = deployed(render({}))
    _, config, *_ = found.command_line(tmp_path)
    checked = finished("check-config", config)
    assert checked.returncode == 0, checked.stderr
    (account,) = yaml.safe_load(found.config_text())["accounts"]
    assert [account["media"][0]["id"], account["posts"][0]["id"]] == [
        "13_1880028106020515840",
        "1880028106020515841",
    ]


def test_tokens_lie_below_the_root_of_the_volume(render: Render) -> None:
    found = deployed(render({}))
    assert Path(found.mounted("claim")) in Path(yaml.safe_load(found.config_text())["state_dir"]).parents


def test_the_demo_has_no_configuration_and_no_secret(render: Render) -> None:
    found = deployed(render({"demo": True}))
    assert found.container["args"] == ["demo", "--web.listen-address=:9877"]
    assert found.volumes.keys() == {"state"}
    assert of_kind(found.objects, "ConfigMap") == []


def test_a_release_can_go_from_the_demo_to_real_figures(render: Render) -> None:
    # Of a StatefulSet, Kubernetes lets only these be changed.
    mutable = {"replicas", "template", "updateStrategy", "minReadySeconds"}
    demo, real = (deployed(render(values)).workload["spec"] for values in ({"demo": True}, {}))
    assert {key: demo[key] for key in demo.keys() - mutable} == {
        key: real[key] for key in real.keys() - mutable
    }


def test_the_rules_are_the_rules(everything: Deployed, repo_root: Path) -> None:
    rules = yaml.safe_load((repo_root / "deploy" / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))
    rule = the(everything.objects, "PrometheusRule")
    assert rule["spec"] == rules
    assert rule["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_the_dashboards_are_the_dashboards(everything: Deployed, repo_root: Path) -> None:
    files = (repo_root / "grafana" / "dashboards").glob("*.json")
    (found,) = (
        each for each in of_kind(everything.objects, "ConfigMap") if "dashboards" in each["metadata"]["name"]
    )
    assert found["data"] == {file.name: file.read_text(encoding="utf-8") for file in files}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_chart_is_of_this_version(repo_root: Path) -> None:
    about = yaml.safe_load((repo_root / "deploy" / "helm" / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["appVersion"] == exporter.__version__


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("config: {accounts: [{name: a, auth: {}, posts: [1880028106020515841]}]}", "posts/0.*got number"),
        ("config: {accounts: [{name: a, auth: {}, media: [13_1880028106020515840]}]}", "media/0.*got number"),
        ("config: {accounts: [{name: a, auth: {}, media: [{id: 13_1880028106020515840}]}]}", "media/0"),
        ("config: {accounts: []}", "accounts.*minItems"),
        ("config: {accounts: [{name: a, auth: {}}]}", "missing property 'media'"),
        ("config: {state_dir: /tmp}", "additional properties 'state_dir' not allowed"),
        ("replicas: 2", "additional properties 'replicas' not allowed"),
        ("image: {tag: 1.10}", "image/tag.*got number, want string"),
        ("extraArgs: [run]", "extraArgs/0"),
        ("service: {port: 70000}", "service/port"),
        ("persistence: {size: small}", "persistence/size"),
    ],
)
def test_values_that_would_do_harm_are_refused(
    helm: str, chart: str, tmp_path: Path, values: str, complaint: str
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(values, encoding="utf-8")
    command = [helm, "template", "shop", chart, "--values", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert re.search(complaint, done.stderr), done.stderr


def test_the_schema_knows_every_value(repo_root: Path) -> None:
    folder = repo_root / "deploy" / "helm"
    values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))
    schema = yaml.safe_load((folder / "values.schema.json").read_text(encoding="utf-8"))
    assert values.keys() == schema["properties"].keys() - {"global", "nameOverride", "fullnameOverride"}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "create secret generic x-analytics-exporter-credentials --from-file=bearer-token"),
        ({"demo": True}, "every figure is made up"),
        ({"persistence": {"enabled": False}}, "every new pod needs a new login"),
        ({"service": {"port": 80}}, "scrape shop-x-analytics-exporter.default:80"),
    ],
)
def test_the_notes_tell_what_to_do_next(
    helm: str,
    chart: str,
    values_file: Callable[[dict[str, Any]], str],
    values: dict[str, Any],
    told: str,
) -> None:
    command = [helm, "install", "shop", chart, "--namespace", "default", "--dry-run=client"]
    notes = output(*command, "--values", values_file(values)).partition("NOTES:")[2]
    assert told in notes
    assert set(re.findall(r"(?<= )--config\.file|--callback\.port", notes)) <= flags("check-config")
