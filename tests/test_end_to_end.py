"""The daemon as its users meet it: real processes, real sockets, a real Prometheus."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.simulator import Account, App, Simulator, World
from exporter.simulator.metrics import INSIGHT_METRICS, MEDIA_METRICS
from exporter.simulator.sample import SAMPLE_TOKEN
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import mint
from tests.processes import Running, exporter, finished, free_port, started

# The library gives this one no types.
parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}

HOUR = 3600
TOKEN = "t0ken-known-to-x"
PLANTED = "pl4nted-s3cret-th4t-must-not-sh0w"
ANY_PORT = ("--web.listen-address", "127.0.0.1:0")
# Sums leave out what does not add up.
SUMMED = [name for name in INSIGHT_METRICS.values() if name != "unique_video_views"]

VALUE_FAMILIES = {
    *(f"x_{kind}_{name}" for kind in ("media", "post") for name in ("28h_buckets", "info", "up")),
    *(
        f"x_{kind}_{name}_timestamp_seconds"
        for kind in ("media", "post")
        for name in ("bucket_start", "created")
    ),
    "x_media_analytics",
    "x_media_analytics_28h",
    "x_post_insights",
    "x_post_insights_28h",
    "x_post_insights_28h_reported",
}
SELF_FAMILIES = {
    f"x_exporter_{name}"
    for name in (
        "build_info",
        "config_last_reload_successful",
        "config_last_reload_success_timestamp_seconds",
        "poll_success",
        "polls_total",
        "poll_last_success_timestamp_seconds",
        "poll_last_duration_seconds",
        "poll_next_timestamp_seconds",
        "watched_items",
        "requests_total",
        "request_duration_seconds",
        "retries_total",
        "resources_returned_total",
        "item_errors_total",
        "endpoint_parked",
        "rate_limit_limit",
        "rate_limit_remaining",
        "rate_limit_reset_timestamp_seconds",
        "post_source",
        "token_expiry_timestamp_seconds",
        "token_refreshes_total",
        "login_required",
        "bucket_revisions_total",
    )
}
ABSENT_IN_DEMO = {
    "x_exporter_token_expiry_timestamp_seconds": "the demo's bearer token does not say when it ends"
}


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo at work: where it serves, and where its simulated X does."""

    running: Running
    url: str
    api: str

    def metrics(self, headers: dict[str, str] | None = None) -> str:
        return httpx.get(f"{self.url}/metrics", headers=headers, trust_env=False).raise_for_status().text


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "process"
    with started(exporter("demo", *ANY_PORT), folder) as running:
        url = running.says(r"(http://\S+)/metrics")[1]
        api = running.says(r"(http://\S+)/_simulator/knobs")[1]
        running.answers(f"{url}/-/ready")
        yield Demo(running, url, api)
        assert running.stop(signal.SIGINT) == 0
        assert "Traceback" not in running.stderr


# What the demo shows


def samples(families: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Values by series; a series that stands twice is refused."""
    found = [sample for family in families for sample in family.samples]
    series = Counter((sample.name, frozenset(sample.labels.items())) for sample in found)
    assert [each for each, count in series.items() if count > 1] == []
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}


def test_text_and_openmetrics_agree_and_have_no_series_twice(demo: Demo) -> None:
    before, openmetrics, after = (demo.metrics(), demo.metrics(OPENMETRICS), demo.metrics())
    assert openmetrics.endswith("# EOF\n")
    texts = [samples(parse_text(text)) for text in (before, after)]
    values = [{series: text[series] for series in text if series[0] in VALUE_FAMILIES} for text in texts]
    read = samples(parse_openmetrics(openmetrics))
    # A poll between two scrapes may change figures, so one of the two neighbours agrees.
    assert {series: read[series] for series in read if series[0] in VALUE_FAMILIES} in values
    assert {name for name, _ in values[0]} == VALUE_FAMILIES
    assert {series[0] for series in read} == {series[0] for series in texts[0]}


def test_every_family_of_the_design_is_there_or_absent_for_a_reason(demo: Demo) -> None:
    text = demo.metrics()
    shown = {
        re.sub("_(bucket|count|sum)$", "", name) if "duration_seconds_" in name else name
        for name, _ in samples(parse_text(text))
    }
    assert (VALUE_FAMILIES | SELF_FAMILIES) - shown == set(ABSENT_IN_DEMO)
    documented = set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    typed = set(re.findall(r"^# TYPE (\S+) \S", text, re.MULTILINE))
    assert VALUE_FAMILIES | SELF_FAMILIES <= documented == typed


def test_promtool_finds_nothing_to_say(demo: Demo, part: Callable[[str], str]) -> None:
    checked = subprocess.run(
        [part("promtool"), "check", "metrics"],
        input=demo.metrics(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_demo_says_what_to_look_at_and_what_it_says_works(demo: Demo) -> None:
    text = demo.metrics()
    shown = demo.running.says(r"curl -s (\S+) \| grep '([^']+)'")
    assert shown[1] == f"{demo.url}/metrics"
    assert len([line for line in text.splitlines() if line.startswith(shown[2])]) == len(MEDIA_METRICS)
    script = demo.running.says(r"curl -s (\S+/_simulator/knobs) -d '(.+)'")
    changed = httpx.post(script[1], content=script[2], trust_env=False)
    assert changed.status_code == 200


def test_the_status_page_and_the_probes_answer(demo: Demo) -> None:
    with httpx.Client(base_url=demo.url, trust_env=False) as client:
        page = client.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "brand" in page.text
        assert SAMPLE_TOKEN not in page.text
        assert client.get("/-/healthy").status_code == 200
        assert client.get("/-/ready").status_code == 200
        assert client.post("/-/reload").status_code == 403


# A real Prometheus

# What one scrape stored, by family, id and metric.
Scrape: TypeAlias = dict[tuple[str, str, str], float]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that scrapes the demo every second."""

    running: Running
    url: str

    def ask(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        response = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=30, trust_env=False)
        return response.raise_for_status().json()["data"]

    def values(self, query: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=query)["result"]
        return found


@pytest.fixture(scope="module")
def prometheus(
    demo: Demo, part: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n  - job_name: exporter\n"
        f"    static_configs: [{{targets: ['{demo.url.removeprefix('http://')}']}}]\n",
        encoding="utf-8",
    )
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        # The package that brings promtool brings this one as well.
        str(Path(part("promtool")).with_name("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with started(command, folder / "process") as running:
        running.answers(f"{url}/-/ready")
        yield Prometheus(running, url)


def test_prometheus_stores_the_truth(demo: Demo, prometheus: Prometheus) -> None:
    prometheus.running.until(
        lambda: prometheus.values("count_over_time(up{job='exporter'}[10m]) >= 2") or None
    )
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    scrapes: dict[float, Scrape] = defaultdict(dict)
    for series in prometheus.values('{__name__=~"x_media_.*|x_post_.*"}[10m]'):
        labels = series["metric"]
        for at, value in series["values"]:
            scrapes[at][labels["__name__"], labels["id"], labels.get("metric", "")] = float(value)
    assert len(scrapes) >= 2
    with httpx.Client(base_url=demo.api, trust_env=False) as client:
        truth = Truth(client)
        for stored in scrapes.values():
            assert_true(stored, truth)


class Truth:
    """What the simulated X says really happened; asked once for each item and metric."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str, int], dict[int, int | None]] = {}

    def window(self, item_id: str, metric: str, start: int) -> dict[int, int | None]:
        """The 28 hours that end with the one from `start`, by their start, oldest first."""
        key = (item_id, metric, start)
        if key not in self._known:
            query = {"id": item_id, "metric": metric, "start": str(start - 27 * HOUR), "hours": "28"}
            answer = self._client.get("/_simulator/truth", params=query).raise_for_status().json()
            self._known[key] = {int(hour): value for hour, value in answer["values"].items()}
        return self._known[key]


def assert_true(stored: Scrape, truth: Truth) -> None:
    """Every value and sum of one scrape is the truth, and none is missing."""
    watched = Counter(name for name, _, _ in stored)
    assert (watched["x_media_info"], watched["x_post_info"]) == (12, 20)
    for name, item_id, _ in stored:
        if name == "x_media_info":
            assert_item_true(stored, truth, "media", "x_media_analytics", item_id)
        elif name == "x_post_info":
            assert_item_true(stored, truth, "post", "x_post_insights", item_id)


def assert_item_true(stored: Scrape, truth: Truth, kind: str, values: str, item_id: str) -> None:
    metrics = MEDIA_METRICS if kind == "media" else tuple(INSIGHT_METRICS.values())
    # The sliding 28 hours that X answers for posts hold 27 whole ones; the next poll adds one.
    least = 28 if kind == "media" else 27
    start = int(stored[f"x_{kind}_bucket_start_timestamp_seconds", item_id, ""])
    hours = {metric: truth.window(item_id, metric, start) for metric in metrics}
    lived = [hour for hour, value in hours[metrics[0]].items() if value is not None]
    covered = int(stored[f"x_{kind}_28h_buckets", item_id, ""])
    assert min(least, len(lived)) <= covered <= len(lived)
    assert by_metric(stored, values, item_id) == {metric: hours[metric][start] for metric in metrics}
    assert by_metric(stored, f"{values}_28h", item_id) == {
        metric: sum(hours[metric][hour] or 0 for hour in lived[-covered:])
        for metric in metrics
        if metric != "unique_video_views"
    }
    assert stored[f"x_{kind}_up", item_id, ""] == 1


def by_metric(stored: Scrape, family: str, item_id: str) -> dict[str, float]:
    return {
        metric: value for (name, each, metric), value in stored.items() if (name, each) == (family, item_id)
    }


# The daemon against a simulated X


@pytest.fixture
def x() -> Iterator[Served]:
    account = Account("brand", "1", "brand", (TOKEN,))
    world = World((account,), apps=(App("app", "app-secret"),), any_id=True)
    with Served(Simulator(world, clock=time.time)) as served:
        yield served


def ids(count: int, first: int = 0) -> list[str]:
    """Ids of things that are two days old."""
    return [str(mint(time.time() - 50 * HOUR, first + number)) for number in range(count)]


def write_config(
    folder: Path, base_url: str, *, media: int = 1, posts: int = 1, auth: str = f"bearer_token: {TOKEN}"
) -> Path:
    # Polled at the start, and next in twelve hours.
    offset = int(time.time() + 12 * HOUR) % (24 * HOUR)
    lines = [f"api: {{base_url: '{base_url}'}}", f"poll: {{every: 24h, offset: {offset}s, stale_after: 7d}}"]
    lines += ["accounts:", "  - name: brand", f"    auth: {{{auth}}}"]
    lines += ["    media:", *(f"      - 13_{each}" for each in ids(media))]
    lines += ["    posts:", *(f"      - {each}" for each in ids(posts, first=media))]
    path = folder / "config.yaml"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def daemon(config: Path, *flags: str) -> list[str]:
    return exporter("run", "--config.file", str(config), *ANY_PORT, *flags)


def address(running: Running) -> str:
    """Where it serves, from its log."""
    port = running.says(r"\bport\W+(\d+)")[1]
    return f"http://127.0.0.1:{port}"


def test_two_hundred_media_and_a_hundred_posts_cost_six_requests_and_a_thousand_scrapes_none(
    x: Served, tmp_path: Path
) -> None:
    config = write_config(tmp_path, x.base_url, media=200, posts=100)
    with started(daemon(config), tmp_path / "run") as running:
        url = address(running)
        running.until(lambda: len(re.findall("poll finished", running.stderr)) == 2 or None)
        asked = {"media_analytics": 2, "insights_28hr": 4}
        assert x.simulator.counts == asked
        with httpx.Client(base_url=url, trust_env=False) as client:
            for _ in range(1000):
                with client.stream("GET", "/metrics") as scrape:
                    assert sum(map(len, scrape.iter_raw())) == int(scrape.headers["content-length"])
            shown = samples(parse_text(client.get("/metrics").text))
        assert x.simulator.counts == asked
        assert sum(value for (name, _), value in shown.items() if name in {"x_media_up", "x_post_up"}) == 300
        assert sum(name == "x_media_analytics" for name, _ in shown) == 200 * len(MEDIA_METRICS)
        assert sum(name == "x_post_insights_28h" for name, _ in shown) == 100 * len(SUMMED)
        assert running.stop() == 0


def test_the_simulated_api_and_the_daemon_are_two_programs(tmp_path: Path) -> None:
    with started(exporter("simulate-api", "--listen", "127.0.0.1:0"), tmp_path / "api") as api:
        base_url = api.says(r"listens on (http://\S+);")[1]
        token = api.says(r"bearer token +(\S+)")[1]
        config = write_config(tmp_path, base_url, auth=f"bearer_token: {token}")
        with started(daemon(config, "--log.format", "json"), tmp_path / "run") as running:
            url = address(running)
            running.until(lambda: len(re.findall("poll finished", running.stderr)) == 2 or None)
            text = httpx.get(f"{url}/metrics", trust_env=False).text
            assert {name for name, _ in samples(parse_text(text))} >= VALUE_FAMILIES
            log = httpx.get(f"{base_url}/_simulator/requests", trust_env=False).json()
            assert sorted((call["endpoint"], call["status"]) for call in log) == [
                ("insights_28hr", 200),
                ("media_analytics", 200),
            ]
            assert running.stop() == 0
            assert token not in running.output + text
        assert api.stop() == 0
        assert "Traceback" not in api.stderr + running.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_that_x_leaves_hanging_is_healthy_not_ready_and_stops_at_once(
    number: signal.Signals, x: Served, tmp_path: Path
) -> None:
    x.simulator.fail("hang")
    with started(daemon(write_config(tmp_path, x.base_url), "--config.watch"), tmp_path / "run") as running:
        url = address(running)
        running.until(lambda: len(x.simulator.requests) == 2 or None)
        running.answers(f"{url}/-/healthy")
        running.answers(f"{url}/-/ready", 503)
        shown = {name for name, _ in samples(parse_text(httpx.get(f"{url}/metrics", trust_env=False).text))}
        # Nothing is known yet but what the configuration says.
        assert shown & VALUE_FAMILIES == {
            f"x_{kind}_{name}" for kind in ("media", "post") for name in ("info", "created_timestamp_seconds")
        }
        assert running.stop(number) == 0
        assert "Traceback" not in running.stderr
        assert "ResourceWarning" not in running.stderr


def test_a_daemon_whose_x_is_down_is_ready_and_shows_no_figures(tmp_path: Path) -> None:
    config = write_config(tmp_path, f"http://127.0.0.1:{free_port()}")
    with started(daemon(config), tmp_path / "run") as running:
        url = address(running)
        running.answers(f"{url}/-/ready")
        running.answers(f"{url}/-/healthy")
        shown = samples(parse_text(httpx.get(f"{url}/metrics", trust_env=False).text))
        names = {name for name, _ in shown}
        assert not names & {"x_media_analytics", "x_media_up", "x_post_insights", "x_post_up"}
        failed = frozenset({("account", "brand"), ("endpoint", "media_analytics"), ("code", "connect")})
        assert shown["x_exporter_requests_total", failed] >= 1
        assert "X could not be reached" in httpx.get(url, trust_env=False).text
        assert running.stop() == 0
        assert "Traceback" not in running.stderr


def test_no_secret_is_told_anywhere_when_x_refuses_it(x: Served, tmp_path: Path) -> None:
    config = write_config(tmp_path, x.base_url, auth=f"bearer_token: {PLANTED}")
    with started(daemon(config, "--log.level", "debug"), tmp_path / "run") as running:
        url = address(running)
        running.until(lambda: len(re.findall("reason=unauthorized", running.stderr)) == 2 or None)
        assert {call.status for call in x.simulator.requests} == {401}
        with httpx.Client(base_url=url, trust_env=False) as client:
            pages = [
                client.get(path).text for path in ("/", "/metrics", "/-/ready", "/api/v1/status", "/nowhere")
            ]
        assert "X did not accept the account" in pages[0]
        assert running.stop() == 0
        assert PLANTED not in running.output + "".join(pages)


# Tokens


def signed_in(x: Served, folder: Path) -> Path:
    """A configuration whose account has just been signed in, with an access token that is over."""
    (folder / "token").write_text(issued(x), encoding="utf-8")
    auth = "oauth2: {client_id: app, client_secret: app-secret, client_type: confidential}"
    config = write_config(folder, x.base_url, auth=auth)
    x.simulator.turn(access_token_seconds=1.0)
    ended = finished(
        "login",
        "--config.file",
        str(config),
        "--account",
        "brand",
        "--refresh-token-file",
        str(folder / "token"),
    )
    assert ended.returncode == 0, ended.stderr
    x.simulator.turn(access_token_seconds=7200.0)
    return config


def issued(x: Served) -> str:
    scopes = frozenset({"tweet.read", "users.read", "offline.access"})
    refresh_token = x.simulator.tokens.issue("brand", "app", scopes).refresh_token
    assert refresh_token is not None
    return refresh_token


def refreshing(x: Served, before: int) -> bool | None:
    """Whether X has been sent another refresh token."""
    return x.simulator.counts["token"] > before or None


def test_a_stop_waits_for_a_token_refresh_and_keeps_what_comes(x: Served, tmp_path: Path) -> None:
    config = signed_in(x, tmp_path)
    before = x.simulator.counts["token"]
    x.simulator.turn(latency_seconds=1.0)
    with started(daemon(config), tmp_path / "run") as running:
        running.until(lambda: refreshing(x, before))
        assert running.stop(seconds=30) == 0
    x.simulator.turn(latency_seconds=0.0)
    # The stored pair serves, so the answer to the refresh that the stop fell into was kept.
    polled = finished("poll", "--config.file", str(config))
    assert (polled.returncode, polled.stderr) == (0, "")
    assert x.simulator.counts["token"] == before + 1
    assert {event.outcome for event in x.simulator.tokens.events} == {"ok"}


def test_a_second_signal_stops_at_once_whatever_is_waited_for(x: Served, tmp_path: Path) -> None:
    config = signed_in(x, tmp_path)
    before = x.simulator.counts["token"]
    x.simulator.fail("hang", "token")
    with started(daemon(config), tmp_path / "run") as running:
        running.until(lambda: refreshing(x, before))
        running.process.terminate()
        running.says("stopping")
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(0.3)
        assert running.stop(seconds=2) == -signal.SIGTERM
