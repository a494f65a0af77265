"""docs/installing.md and docs/kubernetes.md: what they name exists, what they show works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

import exporter
from tests.deploy_support import (
    assert_pod_agrees_with_itself,
    deployed,
    flags,
    npm_part,
    of_kind,
    output,
)

PAGES = ("installing.md", "kubernetes.md")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, repo_root: Path) -> Path:
    return repo_root / "docs" / str(request.param)


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks of code in one language, without their indentation."""
    fenced = re.compile(rf"^( *)```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    found = fenced.findall(page.read_text(encoding="utf-8"))
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_every_command_shown_is_one_the_exporter_has(page: Path) -> None:
    shown = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    used = re.findall(r"x-analytics-exporter (run|check-config|login|demo|poll)\b([^\n]*)", shown)
    assert used
    for command, rest in used:
        assert set(re.findall(r"(?<= )(--[a-z.-]+)", rest)) <= flags(command)


def test_every_yaml_block_can_be_read(page: Path) -> None:
    assert [text for text in blocks(page, "yaml") if not yaml.safe_load(text)] == []


def test_the_image_shown_is_of_this_version(page: Path) -> None:
    tags = re.findall(r"x-analytics-exporter:(\d[\w.]*)", page.read_text(encoding="utf-8"))
    assert set(tags) <= {exporter.__version__}


def test_the_values_shown_render(repo_root: Path, missing: Callable[[str], NoReturn], tmp_path: Path) -> None:
    (values,) = (text for text in blocks(repo_root / "docs" / "kubernetes.md", "yaml") if "my-values" in text)
    file = tmp_path / "values.yaml"
    file.write_text(values, encoding="utf-8")
    chart = str(repo_root / "deploy" / "helm")
    found = deployed(output(npm_part("helm", missing), "template", "x", chart, "--values", str(file)))
    assert_pod_agrees_with_itself(found)
    assert len(of_kind(found.objects, "ServiceMonitor")) == len(of_kind(found.objects, "PrometheusRule")) == 1


def test_the_overlay_shown_builds(
    repo_root: Path, missing: Callable[[str], NoReturn], tmp_path: Path
) -> None:
    page = repo_root / "docs" / "kubernetes.md"
    (overlay,) = (text for text in blocks(page, "yaml") if "my-overlay" in text)
    (tmp_path / "deploy").symlink_to(repo_root / "deploy")
    (tmp_path / "my-overlay").mkdir()
    (tmp_path / "my-overlay" / "kustomization.yaml").write_text(overlay, encoding="utf-8")
    found = deployed(output(npm_part("kubectl", missing), "kustomize", str(tmp_path / "my-overlay")))
    (monitor,) = of_kind(found.objects, "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert {each["metadata"]["namespace"] for each in found.objects} == {"media"}
