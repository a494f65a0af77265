"""Every query of the dashboards, asked of a real Prometheus that knows the demo's last day and scrapes it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import Simulator
from exporter.simulator.sample import SAMPLE_SEED, sample_world
from grafana import generate
from grafana.preview.history import HOUR, Span, history
from grafana.preview.reading import (
    Chosen,
    Json,
    Option,
    Prometheus,
    Series,
    fill,
    legend,
    options,
    panels,
    variables,
)
from grafana.preview.reading import Span as Range
from grafana.preview.stack import JOB, demo, free_address, prometheus
from grafana.queries import MEDIA, POST

# Enough for the same hour yesterday, and for what was up to seven hours before now.
HISTORY_HOURS = 32
RANGE = 6 * HOUR
STEP = 300
START_SECONDS = 60.0
ALL = Chosen((Option("All", ".*"),), multi=True)

# Queries that find nothing while all is well, and why. Each is a panel's title and a query's place in it.
NOTHING_WHILE_WELL = {
    ("Alerts firing", "A"): "no rules are loaded, so no alert fires",
    ("Alerts", "A"): "no rules are loaded, so no alert is pending or firing",
    ("Per hour, against the day before", "C"): "no rules are loaded; the panel says that it does without",
    ("Least limit left", "A"): "the window of the last poll is over, so nothing is spent",
    ("Limit left", "A"): "the windows of the last polls are over, so nothing is spent",
    ("Polls by account and endpoint", "E"): "no endpoint is parked",
    ("Items X does not report", "A"): "X reports every item of the demo",
    ("Errors per hour", "A"): "X answers every request with 200",
    ("Errors per hour", "B"): "no request had to be sent again",
    ("Errors per hour", "C"): "no item was answered with a problem",
    ("Access token ends in", "A"): "the demo's token does not end",
    ("Remote write failures per hour", "A"): "the receiver takes everything, once it is there",
    ("Remote write failures per hour", "B"): "the receiver refuses nothing",
    ("How late X is", "A"): "no hour has come since the exporter started",
    ("How late X is", "B"): "no hour has come since the exporter started",
    ("Rising videos", "A"): "at night nothing may rise",
    ("Rising posts", "A"): "at night nothing may rise",
    ("Falling videos", "A"): "in the morning nothing may fall",
    ("Falling posts", "A"): "in the morning nothing may fall",
}
# Beside those: what X does not report for one kind of item.
NOTHING_FOR_A_POST = {("Watch time per view", "A")}
NOTHING_FOR_A_VIDEO = {("Sum of 28 hours", "B")}


@dataclass(frozen=True, slots=True)
class Stack:
    """The Prometheus, the demo's own text, when both were ready (Unix seconds), and the X behind them."""

    asked: Prometheus
    scrape: str
    now: float
    x: Simulator

    @property
    def range(self) -> Range:
        """The time range the dashboards look at."""
        return Range(self.now - RANGE, self.now, STEP)

    def answer(self, target: Json, chosen: Mapping[str, Chosen]) -> list[Series]:
        """What a panel's query finds."""
        expression = fill(target["expr"], chosen)
        if target.get("instant"):
            return self.asked.instant(expression, self.now)
        return self.asked.over(expression, self.range)

    def last_hour(self, family: str, metric: str) -> float:
        """The sum of `metric` over all items, as the exporter says itself."""
        return sum(
            sample.value
            for found in text_string_to_metric_families(self.scrape)
            for sample in found.samples
            if sample.name == family and sample.labels["metric"] == metric
        )


@pytest.fixture(scope="module")
def stack(part: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    program, folder = part("prometheus"), tmp_path_factory.mktemp("stack")
    receiver = free_address()
    with demo(folder, receiver) as address, httpx.Client(trust_env=False, timeout=START_SECONDS) as http:
        scrape = http.get(f"http://{address}/metrics").text
        now = int(time.time())
        x = Simulator(sample_world(now), clock=time.time, seed=SAMPLE_SEED)
        lines = history(scrape, x, Span(now - HISTORY_HOURS * HOUR, now), {"job": JOB, "instance": address})
        # Two addresses of one exporter look to Prometheus like two replicas.
        targets = [address, address.replace("127.0.0.1", "localhost")]
        with prometheus(folder, lines, targets=targets, program=program, address=receiver) as url:
            asked = Prometheus(url, http)
            arrived(asked)
            ready = scraped(asked, int(time.time()), len(targets))
            yield Stack(asked, http.get(f"http://{address}/metrics").text, ready, x)


def scraped(asked: Prometheus, since: float, targets: int) -> float:
    """Wait until all targets were scraped twice, and give the time then."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        now = time.time()
        window = max(1, int(now - since))
        found = asked.instant(f"count_over_time(x_exporter_build_info[{window}s]) >= 2", now)
        if len(found) == targets:
            return now
        time.sleep(0.2)
    raise TimeoutError("Prometheus does not scrape the demo")


def arrived(asked: Prometheus) -> None:
    """Wait until the exporter has sent hours of both kinds, which it tries ever again while it cannot."""
    deadline = time.monotonic() + START_SECONDS
    families = [f"{subject.values}_hourly" for subject in (MEDIA, POST)]
    while not all(asked.instant(f"count(last_over_time({each}[2h]))", time.time()) for each in families):
        if time.monotonic() > deadline:
            raise TimeoutError("no hour arrives by remote write")
        time.sleep(0.2)


def read(name: str) -> Json:
    loaded: Json = json.loads((generate.FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def choices(stack: Stack, dashboard: Json, wanted: Mapping[str, str]) -> dict[str, Chosen]:
    """All of everything, but `wanted` where it names a variable's value."""
    chosen: dict[str, Chosen] = {}
    for variable in variables(dashboard):
        if variable["type"] == "query":
            listed = options(variable, chosen, stack.asked, stack.range)
            assert listed, variable["name"]
            named = [option for option in listed if option.value == wanted.get(variable["name"])]
            chosen[variable["name"]] = Chosen((named[0],)) if named else ALL
    return chosen


def without_data(stack: Stack, dashboard: Json, chosen: Mapping[str, Chosen]) -> set[tuple[str, str]]:
    """The queries that find nothing, and aren't expected to."""
    return {
        (panel["title"], target["refId"])
        for panel in panels(dashboard)
        for target in panel["targets"]
        if not stack.answer(target, chosen)
    } - NOTHING_WHILE_WELL.keys()


def item_of(stack: Stack, ending: str, query: str) -> str:
    """The oldest item that `query` finds and whose shown name ends so."""
    ids = sorted(series.labels["id"] for series in stack.asked.instant(query, stack.now))
    (variable,) = (each for each in variables(read("item.json")) if each["name"] == "id")
    listed = options(variable, {"account": ALL}, stack.asked, stack.range)
    shown = {option.value for option in listed if option.text.endswith(ending)}
    return next(item for item in ids if item in shown)


@pytest.mark.parametrize("label", ["account", "campaign"])
def test_every_query_of_the_overview_finds_data(stack: Stack, label: str) -> None:
    dashboard = read("overview.json")
    assert without_data(stack, dashboard, choices(stack, dashboard, {"label": label})) == set()


def test_every_query_of_a_videos_page_finds_data(stack: Stack) -> None:
    dashboard = read("item.json")
    video = item_of(stack, " · video", 'x_media_analytics{metric="video_views"}')
    chosen = choices(stack, dashboard, {"id": video})
    assert without_data(stack, dashboard, chosen) == NOTHING_FOR_A_VIDEO


def test_every_query_of_a_posts_page_finds_data(stack: Stack) -> None:
    dashboard = read("item.json")
    # In a quiet hour a post may have no likes at all; one of them has some at any time.
    liked = 'and on (id) x_post_insights{metric="likes"} > 0'
    post = item_of(stack, " · post", f'x_post_insights_28h{{metric="video_starts"}} > 0 {liked}')
    chosen = choices(stack, dashboard, {"id": post})
    assert without_data(stack, dashboard, chosen) == NOTHING_FOR_A_POST


def test_every_query_of_the_exporters_page_finds_data(stack: Stack) -> None:
    dashboard = read("exporter.json")
    assert without_data(stack, dashboard, choices(stack, dashboard, {})) == set()


def test_a_variable_lists_every_item_by_name_and_gives_its_id(stack: Stack) -> None:
    (variable,) = (each for each in variables(read("item.json")) if each["name"] == "id")
    listed = {
        option.value: option.text for option in options(variable, {"account": ALL}, stack.asked, stack.range)
    }
    expected = {
        sample.labels["id"]: f"{sample.labels['name']} · {kind}"
        for family in text_string_to_metric_families(stack.scrape)
        for name, kind in (("x_media_info", "video"), ("x_post_info", "post"))
        for sample in family.samples
        if sample.name == name
    }
    assert listed == expected


def test_legends_show_names_and_never_an_id(stack: Stack) -> None:
    dashboard = read("overview.json")
    chosen = choices(stack, dashboard, {"label": "campaign"})
    shown = {
        panel["title"]: {legend(target, chosen, series.labels) for series in stack.answer(target, chosen)}
        for panel in panels(dashboard)
        for target in panel["targets"]
        if panel["type"] in {"timeseries", "bargauge"}
    }
    names = {
        sample.labels["name"]
        for family in text_string_to_metric_families(stack.scrape)
        for sample in family.samples
        if sample.name in {"x_media_info", "x_post_info"}
    }
    for title, texts in shown.items():
        by_label = "by $label" in title
        assert all(texts), title
        assert by_label or texts <= names, title
    assert len(shown["The 8 videos with most views now"]) == 8


def test_two_replicas_count_once(stack: Stack) -> None:
    dashboard = read("overview.json")
    chosen = choices(stack, dashboard, {"label": "campaign"})
    totals = {panel["title"]: panel["targets"][0] for panel in panels(dashboard)}
    for title, family, metric in (
        ("Views, last hour", "x_media_analytics", "video_views"),
        ("Impressions, last hour", "x_post_insights", "impressions"),
        ("Views, 28 h", "x_media_analytics_28h", "video_views"),
    ):
        (series,) = stack.answer(totals[title], chosen)
        assert series.points[-1][1] == stack.last_hour(family, metric), title


def test_a_total_is_not_shown_once_its_figures_are_withdrawn(stack: Stack) -> None:
    later = Range(stack.now - RANGE, stack.now + 2 * HOUR, STEP)
    video = item_of(stack, " · video", 'x_media_analytics{metric="video_views"}')
    trends = 0
    for name in ("overview.json", "item.json"):
        dashboard = read(name)
        chosen = choices(stack, dashboard, {"label": "account", "id": video})
        for panel in panels(dashboard):
            if panel["type"] == "stat" and not panel["targets"][0]["instant"]:
                trends += 1
                assert stack.asked.over(fill(panel["targets"][0]["expr"], chosen), later) == [], panel[
                    "title"
                ]
    assert trends == 8


def test_one_value_of_an_own_label_narrows_the_totals(stack: Stack) -> None:
    dashboard = read("overview.json")
    chosen = choices(stack, dashboard, {"label": "campaign", "value": "workshop"})
    curves = {panel["title"]: panel["targets"][0] for panel in panels(dashboard)}
    found = stack.answer(curves["Views per hour, by $label"], chosen)
    assert [dict(series.labels) for series in found] == [{"campaign": "workshop"}]


def test_an_item_without_the_label_is_counted_under_none(stack: Stack) -> None:
    dashboard = read("overview.json")
    chosen = {**choices(stack, dashboard, {"label": "account"}), "label": Chosen((Option("team", "team"),))}
    curves = {panel["title"]: panel["targets"][0] for panel in panels(dashboard)}
    found = stack.answer(curves["Views per hour, by $label"], chosen)
    assert [dict(series.labels) for series in found] == [{"team": "none"}]
    assert found[0].points[-1][1] == stack.last_hour("x_media_analytics", "video_views")


def test_a_bar_stands_for_each_hour_where_it_was(stack: Stack) -> None:
    dashboard = read("item.json")
    video = item_of(stack, " · video", 'x_media_analytics{metric="video_views"}')
    chosen = choices(stack, dashboard, {"id": video})
    (panel,) = (each for each in panels(dashboard) if each["title"] == "Each hour at its own time")
    assert panel["interval"] == "1h"
    # A poll just before the hour does not know of it yet.
    end = int(stack.now - 120) // HOUR * HOUR
    day = Range(end - 23 * HOUR, end, HOUR)
    (series,) = stack.asked.over(fill(panel["targets"][0]["expr"], chosen), day)
    hours = range(end - 23 * HOUR, end + 1, HOUR)
    assert series.points == tuple((hour, stack.x.truth(video, "video_views", hour - HOUR)) for hour in hours)


def test_a_query_that_prometheus_refuses_is_told_in_its_words(stack: Stack) -> None:
    with pytest.raises(ValueError, match="parse error"):
        stack.asked.instant("sum(", stack.now)
