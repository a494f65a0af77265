"""Reading what is deployed: rendered objects, the exporter's pod in them, and what must agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

import exporter
from exporter.cli import cli

ROOT = Path(__file__).parent.parent

Object = dict[str, Any]

# The oldest Kubernetes that is promised to work, and a current one.
KUBERNETES = ("1.25", "1.35")


def npm_part(name: str, missing: Callable[[str], NoReturn]) -> str:
    """Where helm or kubectl is: as .ci/install-helm put it, else on the path."""
    path = shutil.which(name, path=str(ROOT / ".cache" / "bin")) or shutil.which(name)
    if path is None:
        missing(f"{name} is not installed (.ci/install-helm)")
    return path


def output(*command: str, env: dict[str, str] | None = None) -> str:
    """What the command prints; its complaints are in the failure."""
    environ = {**os.environ, **(env or {})}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(rendered: str) -> list[Object]:
    """The objects of a rendered stream of YAML documents."""
    return [found for found in yaml.safe_load_all(rendered) if found]


def complaints(rendered: str, version: str) -> list[str]:
    """What kubernetes-validate has against `rendered`, a line each."""
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--quiet", "-k", version, "-"]
    done = subprocess.run(command, input=rendered, check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    # It knows no schema for the Prometheus operator's kinds.
    return [line for line in lines if "with api version monitoring.coreos.com/v1 " not in line]


def of_kind(found: Sequence[Object], kind: str) -> list[Object]:
    """The objects of one kind."""
    return [each for each in found if each["kind"] == kind]


def the(found: Sequence[Object], kind: str) -> Object:
    """The one object of its kind."""
    (only,) = of_kind(found, kind)
    return only


@dataclass(frozen=True, slots=True)
class Deployed:
    """The workload that runs the exporter, and everything rendered with it."""

    objects: Sequence[Object]
    workload: Object

    @property
    def pod(self) -> Object:
        """The pod's spec."""
        return dict(self.workload["spec"]["template"]["spec"])

    @property
    def pod_labels(self) -> dict[str, str]:
        """What selectors find the pod by."""
        return dict(self.workload["spec"]["template"]["metadata"]["labels"])

    @property
    def container(self) -> Object:
        """The exporter's container: the one whose name says so."""
        (found,) = (each for each in self.pod["containers"] if "exporter" in each["name"])
        return dict(found)

    @property
    def volumes(self) -> dict[str, Object]:
        """The pod's volumes by name, claims of a StatefulSet among them."""
        claims = self.workload["spec"].get("volumeClaimTemplates", [])
        claimed = {claim["metadata"]["name"]: {"claim": claim["spec"]} for claim in claims}
        return {volume["name"]: volume for volume in self.pod.get("volumes", [])} | claimed

    def mounted(self, kind: str) -> str:
        """Where the exporter has its one volume of `kind`: configMap, secret, claim."""
        kinds = {kind, "persistentVolumeClaim"} if kind == "claim" else {kind}
        (path,) = (
            mount["mountPath"]
            for mount in self.container["volumeMounts"]
            if kinds & self.volumes[mount["name"]].keys()
        )
        return str(path)

    def config_text(self) -> str:
        """The configuration that the exporter's ConfigMap holds."""
        (volume,) = (each for each in self.volumes.values() if "configMap" in each)
        named = {each["metadata"]["name"]: each for each in of_kind(self.objects, "ConfigMap")}
        return str(named[volume["configMap"]["name"]]["data"]["config.yaml"])

    def command_line(self, folder: Path) -> list[str]:
        """The exporter's arguments with its files laid out below `folder`, made-up secrets among them."""
        config, secrets = self.mounted("configMap"), self.mounted("secret")
        text = self.config_text().replace(secrets, f"{folder}/secrets")
        text = text.replace(self.mounted("claim"), f"{folder}/state")
        (folder / "secrets").mkdir(parents=True)
        (folder / "secrets" / "bearer-token").write_text("demo-token\n", encoding="utf-8")
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        return [argument.replace(config, str(folder)) for argument in self.container["args"]]


def deployed(rendered: str) -> Deployed:
    """The exporter in what was rendered."""
    found = objects(rendered)
    (workload,) = (each for each in found if each["kind"] in ("Deployment", "StatefulSet"))
    return Deployed(found, workload)


def flags(command: str) -> set[str]:
    """The flags of one of the exporter's commands."""
    return {name for parameter in cli.commands[command].params for name in parameter.opts}


def image_user() -> int:
    """The number of the user the image runs as."""
    (user,) = re.findall(r"^USER (\d+):\d+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    return int(user)


def assert_runs_alone_and_unprivileged(found: Deployed) -> None:
    """One pod at a time, without rights, with room measured out."""
    spec, pod = found.workload["spec"], found.pod
    assert spec["replicas"] == 1
    if found.workload["kind"] == "Deployment":
        assert spec["strategy"] == {"type": "Recreate"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] > 35
    pod_security = pod["securityContext"]
    assert pod_security["runAsNonRoot"] is True
    assert pod_security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod_security["fsGroup"] == image_user()
    assert pod_security["fsGroupChangePolicy"] == "OnRootMismatch"
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"].keys() == {"requests", "limits"}
    own = found.container["securityContext"]
    assert own.get("runAsUser", pod_security.get("runAsUser")) == image_user()


def assert_pod_agrees_with_itself(found: Deployed) -> None:
    """Volumes, mounts, ports, probes and flags name what is there."""
    container, pod = found.container, found.pod
    for each in pod["containers"]:
        assert {mount["name"] for mount in each.get("volumeMounts", [])} <= found.volumes.keys()
    mounts = [mount for each in pod["containers"] for mount in each.get("volumeMounts", [])]
    assert {mount["name"] for mount in mounts} == found.volumes.keys()
    assert [mount for mount in mounts if "subPath" in mount] == []
    assert found.workload["spec"]["selector"]["matchLabels"].items() <= found.pod_labels.items()
    assert container["image"].endswith(f"x-analytics-exporter:{exporter.__version__}")
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [("metrics", 9877)]
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "metrics"}
    command, *arguments = container["args"]
    assert {argument.partition("=")[0] for argument in arguments} <= flags(command)


def assert_found_by_prometheus(found: Deployed) -> None:
    """Every selector, and every port named elsewhere, leads to the exporter's pod."""
    ports = {port["name"] for port in found.container["ports"]}
    for service in of_kind(found.objects, "Service"):
        assert service["spec"]["selector"].items() <= found.pod_labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for policy in of_kind(found.objects, "NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= found.pod_labels.items()
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= ports
    for monitor in of_kind(found.objects, "PodMonitor"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= found.pod_labels.items()
        _assert_labels_survive(monitor["spec"]["podMetricsEndpoints"], ports)
    for monitor in of_kind(found.objects, "ServiceMonitor"):
        service = the(found.objects, "Service")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        _assert_labels_survive(
            monitor["spec"]["endpoints"], {port["name"] for port in service["spec"]["ports"]}
        )


def _assert_labels_survive(endpoints: Sequence[Object], ports: set[str]) -> None:
    """The operator adds a label `endpoint` of its own, which must not push the exporter's aside."""
    (endpoint,) = endpoints
    assert endpoint["port"] in ports
    assert endpoint["path"] == "/metrics"
    assert endpoint["honorLabels"] is True
    assert {"action": "labeldrop", "regex": "endpoint"} in endpoint["relabelings"]
