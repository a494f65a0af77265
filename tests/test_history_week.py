"""A compressed week in which exporter, sink and API are killed at random: each hour arrives exactly once.

The real daemon runs with its clock sped up by libfaketime, against the simulated X on the same fast clock,
and delivers to a real Prometheus or VictoriaMetrics, which keep real time.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import httpx
import pytest

from exporter.simulator import Account, Knobs, Simulator, World
from exporter.simulator.serving import Served
from tests.processes import Running, exporter, free_port, started

T = TypeVar("T")

HOUR = 3600
SETTLE_HOURS = 2
TOKEN = "token-of-brand"
MEDIA_METRICS = ("video_views", "watch_time_ms")
POST_METRICS = ("impressions", "likes")
SINKS = ("prometheus", "victoria-metrics")


@dataclass
class FastClock:
    """Unix seconds that pass `speed` times as fast as everybody else's."""

    epoch: float
    speed: float
    begun: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        return self.epoch + (time.monotonic() - self.begun) * self.speed

    def wait_until(self, moment: float) -> None:
        time.sleep(max(0.0, (moment - self()) / self.speed))


@dataclass(frozen=True)
class Outage:
    """What is killed, from when to when, Unix seconds of the fast clock."""

    what: str
    start: float
    end: float


def outages(seed: int, epoch: float, hours: int) -> list[Outage]:
    """Kills of each part, up to six hours long, none in the first half hour and the last six."""
    chance = random.Random(seed)
    found = []
    for what in ("exporter", "sink", "api"):
        at = epoch + HOUR / 2 + chance.random() * 4 * HOUR
        while (end := at + chance.uniform(0.1, 6) * HOUR) < epoch + (hours - 6) * HOUR:
            found.append(Outage(what, at, end))
            at = end + chance.uniform(1, 18) * HOUR
    return found


class Part(Generic[T]):
    """Something that can be killed and started again in the same place."""

    def __init__(self, start: Callable[[int], AbstractContextManager[T]], kill: Callable[[T], None]) -> None:
        self._start = start
        self._kill = kill
        self._runs = 0
        self._current: T | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_error: object) -> None:
        self.down()

    @property
    def current(self) -> T:
        assert self._current is not None
        return self._current

    def up(self) -> None:
        if self._current is None:
            self._runs += 1
            self._current = self._stack.enter_context(self._start(self._runs))

    def down(self) -> None:
        if self._current is not None:
            self._kill(self._current)
            self._stack.close()
            self._current = None


def kill(running: Running) -> None:
    running.process.send_signal(signal.SIGKILL)
    running.process.wait(10)


def end(running: Running) -> None:
    running.stop(signal.SIGTERM, 30)


# VictoriaMetrics keeps what it has taken in memory for some seconds, which are hours here: killed hard it
# loses what it acknowledged, as it says itself. Prometheus has its log.
ENDS = {"prometheus": kill, "victoria-metrics": end}


def sink_command(sink: str, program: str, folder: Path, port: int) -> list[str]:
    if sink == "prometheus":
        config = folder / "prometheus.yml"
        config.write_text("storage: {tsdb: {out_of_order_time_window: 36h}}\n")
        return [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        ]
    return [
        program,
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=12",
        "-search.latencyOffset=0s",
        "-dedup.minScrapeInterval=1ms",
        "-loggerLevel=ERROR",
    ]


def fast_environment(part: Callable[[str], str], clock: FastClock) -> dict[str, str]:
    """The environment in which a program that starts now has the fast clock's time."""
    preload = subprocess.run(
        [part("faketime"), "-m", "-f", "+0s", "printenv", "LD_PRELOAD"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    start = datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%d %H:%M:%S")
    fake = {"LD_PRELOAD": preload, "FAKETIME": f"@{start} x{clock.speed:g}", "TZ": "UTC"}
    return {**os.environ, **fake}


def config(base_url: str, sink_url: str, media: list[str], posts: list[str]) -> str:
    return f"""
api: {{base_url: {base_url}, timeout: 1h}}
poll: {{stale_after: 24h}}
state_dir: state
remote_write: {{url: {sink_url}/api/v1/write, settle: {SETTLE_HOURS}h, timeout: 1h}}
accounts:
  - name: brand
    auth: {{bearer_token: {TOKEN}}}
    media: {media}
    posts: {posts}
    media_metrics: {list(MEDIA_METRICS)}
    post_metrics: {list(POST_METRICS)}
"""


@dataclass
class Week:
    """All the parts at work."""

    clock: FastClock
    x: Simulator
    media: list[str]
    posts: list[str]
    sink_url: str
    exporter: Part[Running]
    parts: Mapping[str, Part[Any]]

    def first_answers(self) -> float:
        """Wait until everything was asked once; the time then."""
        for endpoint in ("media_analytics", "insights_28hr"):
            self.exporter.current.says(rf"poll finished.*{endpoint}.*outcome=success")
        return self.clock()

    def truth(self, hour: int) -> dict[tuple[str, str], int]:
        """What ends up true of every series for the hour that starts at `hour`, Unix seconds."""
        wanted = [(item, name) for item in self.media for name in MEDIA_METRICS]
        wanted += [(item, name) for item in self.posts for name in POST_METRICS]
        return {
            (item, name): value
            for item, name in wanted
            if (value := self.x.truth(item, name, hour)) is not None
        }

    def stored(self) -> dict[tuple[str, str], list[tuple[float, float]]]:
        """Every sample the sink has, by id and metric."""
        found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for family in ("x_media_analytics_hourly", "x_post_insights_hourly"):
            parameters = {"query": f"{family}[12d]", "time": str(self.clock() + HOUR)}
            response = httpx.get(
                f"{self.sink_url}/api/v1/query", params=parameters, trust_env=False, timeout=60
            )
            for series in response.raise_for_status().json()["data"]["result"]:
                labels = series["metric"]
                found[labels["id"], labels["metric"]] += [
                    (float(at), float(value)) for at, value in series["values"]
                ]
        return found

    def own(self, name: str) -> dict[str, float]:
        """One of the daemon's own metrics: values by the text of its labels."""
        url = self.exporter.current.says(r"port=(\d+)")[1]
        text = self.exporter.current.answers(f"http://127.0.0.1:{url}/metrics").text
        lines = (line for line in text.splitlines() if line.startswith(name))
        return {line.split(" ")[0]: float(line.split(" ")[1]) for line in lines}


def snowflake(born: float, number: int) -> int:
    return (int((born * 1000) - 1288834974657) << 22) + number


@contextmanager
def week(sink: str, part: Callable[[str], str], folder: Path, speed: float) -> Iterator[Week]:
    # In the past, so that nothing lies in the future of a sink that keeps real time.
    epoch = (time.time() - 9 * 24 * HOUR) // HOUR * HOUR + 180
    media = [f"13_{snowflake(epoch - 50 * HOUR, number)}" for number in range(3)]
    posts = [str(snowflake(epoch - 50 * HOUR, number + 10)) for number in range(3)]
    world = World((Account("brand", "1", "brand", (TOKEN,)),), any_id=True)
    clock = FastClock(epoch, speed)
    x = Simulator(world, clock=clock, knobs=Knobs(revision_hours=1.0, shuffle=True), seed=7)
    api_port, sink_port = free_port(), free_port()
    sink_url = f"http://127.0.0.1:{sink_port}"
    (folder / "x.yaml").write_text(config(f"http://127.0.0.1:{api_port}", sink_url, media, posts))
    run = exporter("run", "--config.file", str(folder / "x.yaml"), "--web.listen-address", "127.0.0.1:0")
    store = sink_command(sink, part(sink), folder, sink_port)
    daemon = Part(
        lambda number: started(run, folder / f"exporter-{number}", fast_environment(part, clock)), kill
    )
    parts: dict[str, Part[Any]] = {
        "api": Part(lambda _run: Served(x, api_port), lambda _served: None),
        "sink": Part(lambda run: started(store, folder / f"sink-{run}"), ENDS[sink]),
        "exporter": daemon,
    }
    with parts["sink"], parts["api"], daemon:
        yield Week(clock, x, media, posts, sink_url, daemon, parts)


def live_through(stage: Week, troubles: list[Outage]) -> None:
    moments = [(outage.start, outage.what, False) for outage in troubles]
    moments += [(outage.end, outage.what, True) for outage in troubles]
    for moment, what, comes_up in sorted(moments):
        stage.clock.wait_until(moment)
        part = stage.parts[what]
        (part.up if comes_up else part.down)()


# A simulated X that is taken down in the middle of an answer leaves its connections as they are.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("sink", SINKS)
def test_every_hour_arrives_once_at_its_own_time_whatever_is_killed(
    sink: str, part: Callable[[str], str], tmp_path: Path, *, soak: bool
) -> None:
    hours, speed = (7 * 24, 1800.0) if soak else (14, 2400.0)
    with week(sink, part, tmp_path, speed) as stage:
        begun = stage.first_answers()
        live_through(stage, outages(1, begun, hours))
        stage.clock.wait_until(begun + hours * HOUR)
        # By then these hours have ended, settled, been read again and delivered; X told 27 before the first.
        last = int((begun + (hours - SETTLE_HOURS - 2) * HOUR) // HOUR * HOUR)
        first = int(begun // HOUR * HOUR) - 26 * HOUR
        expected: Counter[tuple[str, str, float]] = Counter()
        values: dict[tuple[str, str, float], float] = {}
        for hour in range(first, last + 1, HOUR):
            for (item, name), value in stage.truth(hour).items():
                expected[item, name, hour + HOUR - 0.001] = 1
                values[item, name, hour + HOUR - 0.001] = value
        stage.exporter.current.until(lambda: set(expected) <= set(_counted(stage)) or None, seconds=60)
        stored = stage.stored()
        counted = _counted(stage)
        assert {key: counted[key] for key in expected} == expected
        assert max(counted.values()) == 1
        told = {(*series, at): value for series, samples in stored.items() for at, value in samples}
        assert {key: told[key] for key in values} == values
        assert sum(stage.own("x_exporter_remote_write_skipped_total").values()) == 0


def _counted(stage: Week) -> Counter[tuple[str, str, float]]:
    return Counter((*series, at) for series, samples in stage.stored().items() for at, _ in samples)
