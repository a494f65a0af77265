"""From a simulated X to somebody's pager, without a mock in between.

Our exporter, the shipped rules in a real Prometheus, a real Alertmanager, and the webhook it calls. A day
and a half passes in moments, is handed to Prometheus as its past, and ends now.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.model import Kind
from exporter.simulator import Simulator
from exporter.simulator.sample import sample_world
from tests.alert_day import HOUR, Fate, Played, Story, play
from tests.alert_pager import Page, Prometheus, Webhook, alertmanager, prometheus, webhook
from tests.alert_past import Past, Programs, remember

# 2026-10-07T00:00:00Z
MIDNIGHT = 1_791_331_200.0
VIDEO = (Kind.MEDIA, "Teaser: something quiet is coming")
YOUNG_POST = (Kind.POST, "Mika's first 100 km")
GONE = (Kind.MEDIA, "Aurora E2: first ride with Mika")
BACK = (Kind.MEDIA, "Workshop: true a wheel in four minutes")
# The hour from six is the first that is wholly low, or wholly back. It is polled at five past seven, so that
# pages begin, or end, at ten past eight.
FATES = {
    VIDEO: Fate(falls=MIDNIGHT + 17.5 * HOUR),
    YOUNG_POST: Fate(falls=MIDNIGHT + 17.5 * HOUR),
    GONE: Fate(deleted=MIDNIGHT + 17.6 * HOUR),
    BACK: Fate(falls=MIDNIGHT + 11.5 * HOUR, recovers=MIDNIGHT + 18 * HOUR),
}
TWELVE_PAST_EIGHT = MIDNIGHT + 20.2 * HOUR
STORY = Story(TWELVE_PAST_EIGHT - 36 * HOUR, TWELVE_PAST_EIGHT, FATES)
LAST_HOUR = int(MIDNIGHT + 19 * HOUR)

VIDEO_DROPPED = ("firing", "XMediaViewsDropped", VIDEO[1])
POST_DROPPED = ("firing", "XPostImpressionsDropped", YOUNG_POST[1])
NOT_REPORTED = ("firing", "XItemNotReported", GONE[1])
PAGES = {VIDEO_DROPPED, POST_DROPPED, NOT_REPORTED}

# Rules are evaluated once a minute; a busy machine takes longer to get there.
PATIENCE_SECONDS = 150.0

Act = Callable[[Prometheus, Webhook], None]
Stage = Callable[[Story, Path, Act], Played]


@pytest.fixture(scope="module")
def stage(part: Callable[[str], str], repo_root: Path) -> Stage:
    """Plays a story, and then has somebody watch who is paged."""
    programs = Programs(part("prometheus"), part("promtool"))
    # The package that brings amtool brings this one as well.
    manager = str(Path(part("amtool")).with_name("prometheus-alertmanager"))
    deploy = repo_root / "deploy"
    rules = rules_of(deploy / "prometheus" / "rules.yaml")
    families = sorted({name for rule in rules for name in re.findall(r"\bx_\w+", rule["expr"])})

    def watch(played: Played, story: Story, folder: Path, act: Act) -> None:
        shift = time.time() - story.end
        samples = played.openmetrics(shift, "x-analytics-exporter")
        data = remember(Past(samples, rules, story.start + shift, story.end + shift), programs, folder)
        with (
            webhook() as hook,
            alertmanager(manager, deploy / "compose" / "alertmanager.yml", hook.url, folder) as pager,
            prometheus(
                programs.prometheus,
                deploy / "prometheus" / "prometheus.yml",
                data,
                {"exporter": played.address, "alertmanager": pager},
                folder,
            ) as asked,
        ):
            act(asked, hook)

    def run(story: Story, folder: Path, act: Act) -> Played:
        seen: list[Played] = []

        async def then(played: Played) -> None:
            seen.append(played)
            await asyncio.to_thread(watch, played, story, folder, act)

        play(story, families, folder, then)
        return seen[0]

    return run


def rules_of(path: Path) -> list[dict[str, Any]]:
    """All rules of a rule file, in their order."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@dataclass(frozen=True, slots=True)
class Evening:
    """What came of the story: who was paged for what, what fires, and what X said of each hour."""

    pages: list[Page]
    firing: set[tuple[str, str]]
    truth: Callable[[str, str, int], int | None]

    def page(self, what: tuple[str, str, str]) -> Page:
        return next(page for page in self.pages if page.what == what)


@pytest.fixture(scope="module")
def evening(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Evening:
    firing: set[tuple[str, str]] = set()
    pages: list[Page] = []

    def act(asked: Prometheus, hook: Webhook) -> None:
        asked.running.until(lambda: asked.evaluated() or None, PATIENCE_SECONDS)
        asked.running.until(lambda: {page.what for page in hook.pages} >= PAGES or None, PATIENCE_SECONDS)
        firing.update(asked.firing())
        pages.extend(hook.pages)

    played = stage(STORY, tmp_path_factory.mktemp("evening"), act)
    return Evening(pages, firing, played.truth)


def test_a_fall_and_a_takedown_page_and_nothing_else_does(evening: Evening) -> None:
    assert {page.what for page in evening.pages} == PAGES
    assert evening.firing == {(alert, name) for _, alert, name in PAGES}
    assert {page.receiver for page in evening.pages} == {"on-call"}


def test_a_page_says_which_item_it_is_about(evening: Evening) -> None:
    for what, (kind, name) in ((VIDEO_DROPPED, VIDEO), (POST_DROPPED, YOUNG_POST), (NOT_REPORTED, GONE)):
        assert evening.page(what).labels == {
            "alertname": what[1],
            "severity": "critical",
            "account": "brand",
            "kind": kind.value,
            "id": STORY.id(kind, name),
            "name": name,
        }


@pytest.mark.parametrize(
    ("what", "item", "metric"),
    [(VIDEO_DROPPED, VIDEO, "video_views"), (POST_DROPPED, YOUNG_POST, "impressions")],
)
def test_a_page_says_what_came_and_what_should_have(
    evening: Evening, what: tuple[str, str, str], item: tuple[Kind, str], metric: str
) -> None:
    item_id = STORY.id(*item)
    said = evening.page(what).annotations["description"]
    figures = re.search(
        r"had (\d+) (?:\w+ )+in the last reported hour, where about (\d+) were expected", said
    )
    assert figures is not None, said
    assert int(figures[1]) == evening.truth(item_id, metric, LAST_HOUR)
    # The same X, in which nothing befell anybody.
    healthy = Simulator(sample_world(STORY.end), clock=lambda: STORY.end).truth(item_id, metric, LAST_HOUR)
    assert healthy is not None
    assert healthy / 2 < int(figures[2]) < healthy * 2


def test_a_page_says_where_to_look_and_what_to_check(evening: Evening) -> None:
    for what in PAGES:
        page = evening.page(what)
        item_id = page.labels["id"]
        assert (
            page.annotations["dashboard_url"] == f"http://localhost:3000/d/x-analytics-item?var-id={item_id}"
        )
        assert page.annotations["runbook_url"] == f"docs/runbooks.md#{page.labels['alertname'].lower()}"
        assert "heck first" in page.annotations["description"]
        assert re.match(re.escape(page.labels["name"]) + ": ", page.annotations["summary"])
    summary = evening.page(VIDEO_DROPPED).annotations["summary"]
    assert re.fullmatch(r".+: video views dropped to \d% of what was expected", summary)


@pytest.mark.soak
def test_pages_come_in_time_and_end_with_a_notice_once_an_item_is_back(stage: Stage, tmp_path: Path) -> None:
    story = replace(STORY, end=MIDNIGHT + 20 * HOUR + 450)
    on, off = ("XMediaViewsDropped", BACK[1]), ("resolved", "XMediaViewsDropped", BACK[1])
    begun = time.time()

    def act(asked: Prometheus, hook: Webhook) -> None:
        def wait_for(pages: set[tuple[str, str, str]]) -> None:
            asked.running.until(
                lambda: pages <= {page.what for page in hook.pages} or None, 2 * PATIENCE_SECONDS
            )

        wait_for({("firing", *on)})
        assert {page.what for page in hook.pages} <= {("firing", *on), NOT_REPORTED}
        wait_for({off, *PAGES})
        assert story.end + time.time() - begun < MIDNIGHT + 21 * HOUR
        assert asked.firing() == {(alert, name) for _, alert, name in PAGES}

    stage(story, tmp_path, act)
