"""deploy/compose.yaml: a valid compose file, whose parts find each other; without an engine to run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

import exporter
from tests.deploy_support import flags

CONFIG_DIR = "/srv/x-analytics"
OWN_PORTS = {"exporter": 9877, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def interpolated(text: str, environ: dict[str, str]) -> str:
    """The file as compose reads it: ${NAME:-default} and $$."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else environ.get(found[1]) or found[2]

    return re.sub(r"\$\$|\$\{(\w+):-([^}]*)\}", value, text)


@pytest.fixture
def folder(repo_root: Path) -> Path:
    return repo_root / "deploy"


@pytest.fixture(params=["", CONFIG_DIR], ids=["demo", "real"])
def text(request: pytest.FixtureRequest, folder: Path) -> str:
    environ = {"X_CONFIG_DIR": request.param} if request.param else {}
    return interpolated((folder / "compose.yaml").read_text(encoding="utf-8"), environ)


@pytest.fixture
def services(folder: Path) -> dict[str, Any]:
    text = interpolated((folder / "compose.yaml").read_text(encoding="utf-8"), {})
    return dict(yaml.safe_load(text)["services"])


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Source by target of the files and folders a service is given."""
    found = {}
    for volume in service["volumes"]:
        if isinstance(volume, str):
            source, target = volume.split(":")[:2]
        else:
            source, target = volume["source"], volume["target"]
        found[target] = source
    return found


def test_the_file_keeps_to_the_compose_specification(text: str) -> None:
    assert sorted(PyCompose.from_yaml(text).service_names()) == sorted(OWN_PORTS)


def test_the_check_sees_a_misspelt_key(text: str) -> None:
    with pytest.raises(ValueError, match="read_olny"):
        PyCompose.from_yaml(text.replace("read_only: true", "read_olny: true"))


def test_every_image_is_pinned_by_a_tag(services: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in services.items()}
    assert images.pop("exporter") == f"x-analytics-exporter:{exporter.__version__}"
    assert [
        image for image in images.values() if not re.fullmatch(r"docker\.io/\S+:v?\d+\.\d+\.\d+", image)
    ] == []


def test_every_file_given_to_a_service_exists(services: dict[str, Any], folder: Path) -> None:
    sources = [source for service in services.values() for source in mounts(service).values()]
    volumes = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))["volumes"]
    files = [source for source in sources if source.startswith(".")]
    assert {source for source in sources if source not in files} == volumes.keys()
    assert [source for source in files if not (folder / source).exists()] == []


def test_a_configuration_folder_that_is_missing_is_an_error(services: dict[str, Any]) -> None:
    (bind,) = (volume for volume in services["exporter"]["volumes"] if isinstance(volume, dict))
    assert bind["bind"] == {"create_host_path": False}
    assert bind["read_only"] is True


def test_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items()}
    assert ports == {name: [f"127.0.0.1:{port}:{port}"] for name, port in OWN_PORTS.items()}


def test_the_exporter_runs_unprivileged(services: dict[str, Any]) -> None:
    service = services["exporter"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "user" not in service


@pytest.mark.parametrize(
    ("config_dir", "expected"),
    [
        ("", "demo --web.listen-address=:9877"),
        (CONFIG_DIR, "run --config.file=/etc/x-analytics-exporter/config.yaml --config.watch"),
    ],
)
def test_one_variable_decides_between_the_demo_and_a_real_configuration(
    services: dict[str, Any], tmp_path: Path, config_dir: str, expected: str
) -> None:
    fake = tmp_path / "x-analytics-exporter"
    fake.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    service = services["exporter"]
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "X_CONFIG_DIR": config_dir}
    command = [*service["entrypoint"], *service["command"]]
    started = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    assert started.stdout.strip() == expected
    name, *arguments = expected.split()
    assert {argument.partition("=")[0] for argument in arguments} <= flags(name)
    assert "/etc/x-analytics-exporter" in mounts(service)


@pytest.fixture
def in_prometheus(services: dict[str, Any], folder: Path, tmp_path: Path) -> Path:
    """The files Prometheus is given, where it has them below its own folder."""
    for target, source in mounts(services["prometheus"]).items():
        if source.startswith("."):
            shutil.copy(folder / source, tmp_path / Path(target).name)
    return tmp_path / "prometheus.yml"


def test_promtool_accepts_prometheus_configuration_and_rules(
    part: Callable[[str], str], in_prometheus: Path
) -> None:
    command = [part("promtool"), "check", "config", "--lint=all", "--lint-fatal", str(in_prometheus)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rules found" in checked.stdout


def test_amtool_accepts_alertmanagers_configuration(part: Callable[[str], str], folder: Path) -> None:
    file = str(folder / "compose" / "alertmanager.yml")
    checked = subprocess.run(
        [part("amtool"), "check-config", file], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_takes_late_samples_and_finds_everyone(in_prometheus: Path) -> None:
    config = yaml.safe_load(in_prometheus.read_text(encoding="utf-8"))
    assert config["storage"]["tsdb"]["out_of_order_time_window"] == "36h"
    assert config["rule_files"] == ["rules.yaml"]
    groups = [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
    targets = {target for group in groups for each in group["static_configs"] for target in each["targets"]}
    assert targets == {"exporter:9877", "localhost:9090", "alertmanager:9093"}
    assert config["global"]["external_labels"] == {"grafana_url": "http://localhost:3000"}


def test_alertmanager_knows_every_severity_and_name_it_is_asked_about(folder: Path) -> None:
    rules = yaml.safe_load((folder / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    config = (folder / "compose" / "alertmanager.yml").read_text(encoding="utf-8")
    (severity,) = re.findall(r"severity = (\w+)", config)
    assert severity in {alert["labels"]["severity"] for alert in alerts}
    assert set(re.findall(r"\bX[A-Z]\w+", config)) <= {alert["alert"] for alert in alerts}


def test_grafana_finds_its_source_and_its_dashboards(services: dict[str, Any], folder: Path) -> None:
    grafana = services["grafana"]
    where = mounts(grafana)
    provisioning = folder / where["/etc/grafana/provisioning"]
    sources = [yaml.safe_load(file.read_text()) for file in (provisioning / "datasources").glob("*.yaml")]
    assert [each["url"] for source in sources for each in source["datasources"]] == ["http://prometheus:9090"]
    loaders = [yaml.safe_load(file.read_text()) for file in (provisioning / "dashboards").glob("*.yaml")]
    (path,) = (each["options"]["path"] for loader in loaders for each in loader["providers"])
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == path
    assert (folder / where[path] / home.name).is_file()
