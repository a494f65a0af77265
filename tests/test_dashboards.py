"""The dashboards as files: what the code makes, queries that parse, units, links, names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from exporter.exposition.families import FAMILIES
from exporter.remotewrite.series import FAMILIES as HOURLY
from exporter.selfmetrics.collectors import RateLimits, SignIns
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.selfmetrics.remote_write import RemoteWriteMetrics
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS
from grafana import generate
from grafana.names import MEDIA_ENGAGEMENT, NAMES, POST_ENGAGEMENT
from grafana.preview.reading import Chosen, Json, Option, Prometheus, Span, fill, options, panels, variables

NAMES_OF_FILES = tuple(generate.DASHBOARDS)
UIDS = {"x-analytics-overview", "x-analytics-item", "x-analytics-exporter"}
COLUMNS = 24
SPAN = Span(0, 3600, 60)
# Of Prometheus itself, and of deploy/prometheus/rules.yaml where a panel says that it does without.
NOT_OURS = {
    "ALERTS",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "x:media_views:expected",
    "x:post_impressions:expected",
}
SAMPLE = {
    "account": Chosen((Option("brand", "brand"), Option("a.b", "a.b")), multi=True),
    "label": Chosen((Option("campaign", "campaign"),)),
    "value": Chosen((Option("All", ".*"),), multi=True),
    "id": Chosen((Option("A video", "13_1880028106020515840"),)),
    "instance": Chosen((Option("127.0.0.1:9877", "127.0.0.1:9877"),), multi=True),
}


def read(name: str) -> Json:
    loaded: Json = json.loads((generate.FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def targets() -> Iterator[tuple[Json, Json]]:
    for name in NAMES_OF_FILES:
        for panel in panels(read(name)):
            for target in panel["targets"]:
                yield panel, target


def strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - walks whatever JSON holds
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def keep(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(promql_parser.parse(expression), keep)
    return found


@pytest.fixture(scope="module")
def known_names() -> set[str]:
    """Every series name that can stand on /metrics, and those that are sent."""
    metrics = SelfMetrics(CollectorRegistry(), version="0", revision="")
    metrics.watch_journal()
    RemoteWriteMetrics(metrics.registry, lambda: 0.0).sent(1, 0.0)
    own = [
        *metrics.registry.collect(),
        *RateLimits(lambda: ()).describe(),
        *SignIns(lambda: ()).describe(),
    ]
    # What a counter or histogram family is called, with what its series may end in.
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    names = {family.name + end for family in own for end in endings.get(family.type, ("",))}
    return names | {family.name for family in FAMILIES} | set(HOURLY.values())


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_a_file_is_what_the_code_makes(name: str) -> None:
    assert (generate.FOLDER / name).read_text(encoding="utf-8") == generate.text(generate.DASHBOARDS[name])


def test_the_check_names_a_file_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "item.json").write_text("{}", encoding="utf-8")
    assert generate.main(["--check"]) == 1
    assert "item.json" in capsys.readouterr().err


def test_the_dashboards_are_found_where_alerts_and_links_point() -> None:
    made = [read(name) for name in NAMES_OF_FILES]
    assert {dashboard["uid"] for dashboard in made} == UIDS
    for dashboard in made:
        assert (dashboard["timezone"], dashboard["refresh"]) == ("browser", "1m")
        assert dashboard["time"] == {"from": "now-48h", "to": "now"}
        assert dashboard["tags"] == ["x-analytics"]


def test_every_panel_says_what_it_shows_and_what_it_means_when_it_is_empty() -> None:
    for panel, target in targets():
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        assert defaults["noValue"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["interval"] == ("1h" if "_hourly" in target["expr"] else "1m")
        assert target["expr"], panel["title"]


def test_the_queries_of_a_panel_are_told_apart() -> None:
    for name in NAMES_OF_FILES:
        for panel in panels(read(name)):
            ids = [target["refId"] for target in panel["targets"]]
            assert ids == [chr(ord("A") + place) for place in range(len(ids))], panel["title"]


def test_lines_and_bars_carry_a_legend() -> None:
    drawn = {"timeseries", "bargauge", "state-timeline"}
    assert [
        p["title"] for p, target in targets() if p["type"] in drawn and not target.get("legendFormat")
    ] == []


def test_panels_fill_the_grid_without_overlap() -> None:
    for name in NAMES_OF_FILES:
        dashboard = read(name)
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + right, place["y"] + down)
                for right in range(place["w"])
                for down in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < COLUMNS, panel["title"]
            taken |= cells
        lines = {y for _, y in taken}
        assert {(x, y) for x in range(COLUMNS) for y in lines} == taken
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(numbers)) == len(numbers)


def test_grafana_knows_every_unit(repo_root: Path) -> None:
    listed = repo_root / "grafana" / "preview" / "draw" / "units.json"
    known = set(json.loads(listed.read_text(encoding="utf-8")))
    used: set[str] = set()
    for panel, _ in targets():
        config = panel["fieldConfig"]
        used.add(config["defaults"]["unit"])
        for override in config["overrides"]:
            used |= {each["value"] for each in override["properties"] if each["id"] == "unit"}
    assert used
    assert used - known == set()


def test_every_query_is_promql_about_series_that_exist(known_names: set[str]) -> None:
    vocabulary = {metric.name for metric in (*MEDIA_METRICS, *POST_METRICS)}
    asked: set[str] = set()
    for panel, target in targets():
        expression = fill(target["expr"], SAMPLE)
        assert "$" not in expression.replace('"$1"', ""), panel["title"]
        for selector in selectors(expression):
            assert selector.name in known_names | NOT_OURS, panel["title"]
            asked.add(str(selector.name))
            for matcher in selector.matchers.matchers:
                if matcher.name == "metric":
                    assert set(matcher.value.split("|")) <= vocabulary, panel["title"]
    # Whoever adds a family finds here that no panel shows it.
    assert {name for name in known_names if name.startswith(("x_media", "x_post"))} <= asked | {
        "x_media_info",
        "x_post_info",
    }


def test_variables_are_defined_before_they_are_used() -> None:
    builtin = {"__rate_interval", "__url_time_range", "__field", "__data"}
    for name in NAMES_OF_FILES:
        dashboard = read(name)
        defined: set[str] = set()
        for variable in variables(dashboard):
            if variable["type"] == "query":
                assert set(re.findall(r"\$(\w+)", variable["query"]["query"])) <= defined
            defined.add(variable["name"])
        text = "\n".join(strings([dashboard["panels"], dashboard["links"]]))
        used = {plain or braced for plain, braced in re.findall(r"\$([a-z_]\w*)|\$\{(\w+)", text)}
        assert used - builtin <= defined, name


def test_links_lead_to_a_dashboard_and_set_variables_it_has() -> None:
    made = {dashboard["uid"]: dashboard for dashboard in map(read, NAMES_OF_FILES)}
    links = [text for dashboard in made.values() for text in strings(dashboard) if text.startswith("/d/")]
    assert links
    for link in links:
        found = re.fullmatch(r"/d/([\w-]+)(?:\?(.*))?", link)
        assert found is not None, link
        has = {variable["name"] for variable in variables(made[found[1]])}
        assert set(re.findall(r"var-(\w+)=", found[2] or "")) <= has


def test_each_dashboard_links_to_the_others() -> None:
    for name in NAMES_OF_FILES:
        dashboard = read(name)
        linked = {link["url"].removeprefix("/d/") for link in dashboard["links"]}
        assert linked == UIDS - {dashboard["uid"]}
        assert all(link["includeVars"] and link["keepTime"] for link in dashboard["links"])


def test_alerts_link_to_a_dashboard_and_set_variables_it_has(repo_root: Path) -> None:
    rules = (repo_root / "deploy" / "prometheus" / "rules.yaml").read_text(encoding="utf-8")
    made = {dashboard["uid"]: dashboard for dashboard in map(read, NAMES_OF_FILES)}
    links = re.findall(r"/d/([\w-]+)(?:\?var-(\w+)=)?", rules)
    assert links
    for uid, variable in links:
        assert uid in made
        assert not variable or variable in {each["name"] for each in variables(made[uid])}


def test_the_alerts_shown_are_those_of_the_rules(repo_root: Path) -> None:
    rules = yaml.safe_load((repo_root / "deploy" / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))
    named = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    shown = {
        matcher.value
        for _, target in targets()
        for selector in selectors(fill(target["expr"], SAMPLE))
        for matcher in selector.matchers.matchers
        if matcher.name == "alertname"
    }
    assert [set(names.split("|")) for names in shown] == [named]


def test_engagement_is_made_of_metrics_that_do_not_contain_one_another() -> None:
    totals = {"engagements", "impressions", "video_views", "link_clicks", "profile_visits"}
    assert set(POST_ENGAGEMENT).isdisjoint(totals)
    assert set(MEDIA_ENGAGEMENT) <= {metric.name for metric in MEDIA_METRICS}
    assert set(POST_ENGAGEMENT) <= {metric.name for metric in POST_METRICS}


def test_every_metric_is_called_differently_within_its_kind() -> None:
    for metrics in (MEDIA_METRICS, POST_METRICS):
        assert len({NAMES[metric.name] for metric in metrics}) == len(metrics)


def asked_of(series: list[dict[str, str]]) -> Prometheus:
    """A Prometheus whose every instant query finds `series`, with labels in Prometheus' order."""
    result = [{"metric": dict(sorted(labels.items())), "value": [1.0, "1"]} for labels in series]
    body = {"status": "success", "data": {"resultType": "vector", "result": result}}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=body))
    return Prometheus("http://prometheus", httpx.Client(transport=transport))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
def test_an_item_is_chosen_by_any_name_it_may_have(name: str) -> None:
    (variable,) = (each for each in variables(read("item.json")) if each["name"] == "id")
    found = options(variable, SAMPLE, asked_of([{"id": "13_1", "shown": f"{name} · video"}]), SPAN)
    assert found == [Option(f"{name} · video", "13_1")]


def test_an_own_label_can_be_grouped_by_and_a_target_label_cannot() -> None:
    (variable,) = (each for each in variables(read("overview.json")) if each["name"] == "label")
    labels = ["__name__", "account", "campaign", "id", "instance", "job", "name", "names", "pod"]
    body = {"status": "success", "data": labels}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=body))
    asked = Prometheus("http://prometheus", httpx.Client(transport=transport))
    assert [option.value for option in options(variable, {}, asked, SPAN)] == ["account", "campaign", "names"]


def test_several_values_are_one_regular_expression_and_all_is_any() -> None:
    assert fill('{account=~"$account"}', SAMPLE) == r'{account=~"(brand|a\\.b)"}'
    assert fill('{x=~"${value}"}', SAMPLE) == '{x=~".*"}'
    assert fill("${id:text}", SAMPLE) == "A video"


def test_provisioning_finds_the_dashboards_where_the_compose_file_puts_them(repo_root: Path) -> None:
    folder = repo_root / "grafana" / "provisioning"
    provider = yaml.safe_load((folder / "dashboards" / "x-analytics.yaml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((repo_root / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    (path,) = (each["options"]["path"] for each in provider["providers"])
    assert f"../grafana/dashboards:{path}:ro" in compose["services"]["grafana"]["volumes"]
    source = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text(encoding="utf-8"))
    (prometheus,) = source["datasources"]
    assert (prometheus["type"], prometheus["isDefault"]) == ("prometheus", True)
