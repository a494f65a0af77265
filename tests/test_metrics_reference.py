from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.exposition.families import FAMILIES
from exporter.model import ItemErrorType, Kind
from exporter.selfmetrics.instruments import PollOutcome
from exporter.signin.scheme import RefreshOutcome
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS
from exporter.xapi.failure_reasons import rule
from exporter.xapi.failures import PARK_REASONS, Reason
from exporter.xapi.limits import Window
from tests.simulated import Play, config_text, play

OF_THE_LIBRARY = re.compile(r"process_|python_")
ROW = re.compile(r"^\| `(\w+)` \| (gauge|counter|histogram) \|([^|]*)\|", re.MULTILINE)


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "metrics.md").read_text()


def documented(page: str) -> dict[str, tuple[str, frozenset[str]]]:
    return {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(page)
    }


def served(folder: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels of every family that has a sample once everything has been polled."""

    async def act(play: Play) -> dict[str, tuple[str, frozenset[str]]]:
        await play.poll()
        await play.poll(Kind.POST)
        play.engine.metrics.poll_next_timestamp_seconds.labels("brand", "media_analytics").set(1)
        play.engine.metrics.config_last_reload_success_timestamp_seconds.set(1)
        found = {}
        for family in play.engine.metrics.registry.collect():
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, frozenset(labels))
        for line in play.text().splitlines():
            if not line.startswith("#"):
                name = line.split("{")[0]
                found[name] = ("gauge", frozenset(re.findall(r'[{,](\w+)="', line)))
        return found

    return play(act, text=config_text(media=1, posts=1), folder=folder)


def test_every_metric_is_documented_with_its_type_and_labels(page: str, tmp_path: Path) -> None:
    ours = {name: what for name, what in served(tmp_path).items() if not OF_THE_LIBRARY.match(name)}
    # Only accounts that sign in with OAuth 2.0 have tokens that expire.
    ours["x_exporter_token_expiry_timestamp_seconds"] = ("gauge", frozenset({"account"}))
    assert documented(page) == ours


def test_every_family_is_served_once_it_has_something_to_say(tmp_path: Path) -> None:
    assert {family.name for family in FAMILIES} <= set(served(tmp_path))


def test_every_label_value_of_a_closed_set_is_documented(page: str) -> None:
    values = {*Reason, *ItemErrorType, *PollOutcome, *RefreshOutcome, *Window}
    assert [value for value in values if f"`{value.value}`" not in page] == []


def test_every_reason_is_documented_as_people_are_told_it(page: str) -> None:
    for reason in Reason:
        parks = "yes" if reason in PARK_REASONS else "no"
        assert f"| `{reason.value}` | {parks} | {rule(reason).sentence} |" in page


def test_every_metric_of_x_is_documented(page: str) -> None:
    for metric in MEDIA_METRICS:
        assert f"| `{metric.name}` | {metric.unit} | {metric.meaning} |" in page
    for metric in POST_METRICS:
        twin = "yes" if metric.twin else "no"
        row = f"| `{metric.name}` | `{metric.wire}` | {metric.unit} | {metric.meaning} | {twin} |"
        assert row in page
