"""The rules in deploy/prometheus: proven, documented, and the same for media and posts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alert_scenarios import document
from tests.alert_scenarios_exporter import SEVERITIES, cases

Rule = dict[str, Any]

FOR_POSTS = (
    ('x_media_analytics{metric="video_views"}', 'x_post_insights{metric="impressions"}'),
    ("XMediaViewsDropped", "XPostImpressionsDropped"),
    ("xmediaviewsdropped", "xpostimpressionsdropped"),
    ('endpoint="media_analytics"', 'endpoint=~"insights_28hr|tweets_analytics"'),
    ("x:media_views:", "x:post_impressions:"),
    ("x:media_", "x:post_"),
    ("x_media_", "x_post_"),
)


@pytest.fixture(scope="module")
def folder(repo_root: Path) -> Path:
    return repo_root / "deploy" / "prometheus"


@pytest.fixture(scope="module")
def groups(folder: Path) -> dict[str, list[Rule]]:
    content = yaml.safe_load((folder / "rules.yaml").read_text(encoding="utf-8"))
    return {group["name"]: group["rules"] for group in content["groups"]}


@pytest.fixture(scope="module")
def alerts(groups: dict[str, list[Rule]]) -> list[Rule]:
    return [rule for rules in groups.values() for rule in rules if "alert" in rule]


def promtool(path: str, *arguments: str, cwd: Path) -> None:
    done = subprocess.run([path, *arguments], cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def document_sections(text: str) -> dict[str, str]:
    """What stands below each second-level heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def expressions(groups: dict[str, list[Rule]]) -> Iterator[str]:
    for rules in groups.values():
        yield from (rule["expr"] for rule in rules)


def test_prometheus_accepts_the_sample_configuration_and_its_rules(
    part: Callable[[str], str], folder: Path
) -> None:
    promtool(part("promtool"), "check", "config", "prometheus.yml", cwd=folder)


def test_every_proof_of_the_rules_holds(part: Callable[[str], str], folder: Path) -> None:
    promtool(part("promtool"), "test", "rules", "rules.test.yaml", cwd=folder)


def test_the_proofs_are_those_of_the_scenarios(folder: Path) -> None:
    assert (folder / "rules.test.yaml").read_text(encoding="utf-8") == document()


def test_the_alerts_are_those_that_are_promised(alerts: list[Rule]) -> None:
    found = {rule["alert"]: rule["labels"]["severity"] for rule in alerts}
    assert found == SEVERITIES


def test_every_alert_about_the_exporter_is_proven_both_ways(groups: dict[str, list[Rule]]) -> None:
    names = {rule["alert"] for rule in groups["x-exporter"]}
    assert {case.alert for case in cases() if case.fires is not None} == names
    assert {case.alert for case in cases() if case.fires is None} == names


def test_rules_about_posts_are_those_about_media_with_other_names(groups: dict[str, list[Rule]]) -> None:
    def renamed(expression: str) -> str:
        for media, post in FOR_POSTS:
            expression = expression.replace(media, post)
        return expression

    def named(rule: Rule) -> tuple[str, str, str]:
        return str(rule.get("record") or rule["alert"]), str(rule["expr"]), str(rule.get("for", ""))

    media = [named(rule) for rule in groups["x-media"] if "watch_time" not in rule.get("record", "")]
    expected = [tuple(renamed(part) for part in rule) for rule in media]
    assert [named(rule) for rule in groups["x-posts"]] == expected


def test_every_alert_says_what_is_wrong_and_what_to_check_and_leads_to_its_runbook(
    alerts: list[Rule], repo_root: Path
) -> None:
    runbooks = document_sections((repo_root / "docs" / "runbooks.md").read_text(encoding="utf-8"))
    for rule in alerts:
        annotations = rule["annotations"]
        assert set(annotations) == {"summary", "description", "dashboard_url", "runbook_url"}
        assert "Check first" in " ".join(annotations["description"].split())
        assert annotations["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"
        assert rule["alert"] in runbooks
    assert set(runbooks) == set(SEVERITIES)


def test_alerts_link_to_dashboards_that_exist(alerts: list[Rule], repo_root: Path) -> None:
    dashboards = (repo_root / "grafana" / "dashboards").glob("*.json")
    uids = {yaml.safe_load(path.read_text(encoding="utf-8"))["uid"] for path in dashboards}
    for rule in alerts:
        link = re.fullmatch(
            r"\{\{ \$externalLabels\.grafana_url \}\}/d/([a-z-]+).*", rule["annotations"]["dashboard_url"]
        )
        assert link is not None
        assert link[1] in uids


def test_the_documented_thresholds_are_those_of_the_rules(
    groups: dict[str, list[Rule]], repo_root: Path
) -> None:
    text = (repo_root / "docs" / "alerts.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(x:threshold:\w+)` \| `([^`]+)` \|", text, re.MULTILINE))
    assert documented == {rule["record"]: rule["expr"] for rule in groups["x-thresholds"]}


def test_the_documented_alerts_and_severities_are_those_of_the_rules(repo_root: Path) -> None:
    text = (repo_root / "docs" / "alerts.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| \[`(X\w+)`\]\(runbooks\.md#(\w+)\) \| (\w+) \|", text, re.MULTILINE)
    assert {name: severity for name, _, severity in documented} == SEVERITIES
    assert all(anchor == name.lower() for name, anchor, _ in documented)


def test_the_rules_read_nothing_but_documented_metrics(
    groups: dict[str, list[Rule]], repo_root: Path
) -> None:
    texts = [
        (repo_root / "docs" / name).read_text(encoding="utf-8") for name in ("metrics.md", "remote-write.md")
    ]
    known = {name for text in texts for name in re.findall(r"x_\w+", text)}
    read = {name for expression in expressions(groups) for name in re.findall(r"\bx_\w+", expression)}
    assert read <= known
