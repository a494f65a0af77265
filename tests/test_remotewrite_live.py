"""Real receivers: what a Prometheus and a VictoriaMetrics hold after hours were sent to them."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import bcrypt
import httpx
import pytest
from prometheus_client.registry import CollectorRegistry

from exporter.config.settings import BasicAuth, RemoteWriteSettings, Secret, TlsSettings
from exporter.journal import JournalFile
from exporter.logs import build_logger
from exporter.remotewrite.receiver import open_receiver_http
from exporter.remotewrite.sender import Sender
from exporter.remotewrite.surroundings import Progress, Surroundings
from exporter.selfmetrics.remote_write import RemoteWriteMetrics, SkipReason
from tests.processes import Running, free_port, started
from tests.remotewrite_support import told
from tests.web_support import Certificates

T = TypeVar("T")

HOUR = 3600
PASSWORD = "correct horse, battery"
ITEMS = ("1", "2", "3")
WINDOW = "storage: {tsdb: {out_of_order_time_window: 36h}}\n"
# Prometheus' own scrape gives it a newest time; without one it takes samples of any age.
OWN_SCRAPE = (
    "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
    "scrape_configs: [{job_name: self, static_configs: [{targets: ['ADDRESS']}]}]\n"
)


@dataclass(frozen=True, slots=True)
class Store:
    """A receiver at work; `client` may ask it things."""

    running: Running
    client: httpx.Client
    url: str

    def ask(self, query: str, at: float) -> dict[tuple[str, str], Any]:
        """An instant query's results by item and metric: a value, or the raw samples of a range."""
        answer = self.client.get("/api/v1/query", params={"query": query, "time": f"{at:.3f}"})
        results = answer.raise_for_status().json()["data"]["result"]
        return {
            (each["metric"].get("id", ""), each["metric"].get("metric", "")): each.get("values")
            or each["value"]
            for each in results
        }

    def number(self, query: str, at: float) -> float | None:
        """The one number that `query` gives, None where it gives none."""
        return next((float(value) for _, value in self.ask(query, at).values()), None)

    def hours(self, item_id: str, now: float) -> list[tuple[int, float]]:
        """Every sample of an item's views, as the hour it stands for and its value."""
        name = f'x_media_analytics_hourly{{id="{item_id}",metric="video_views"}}[60h]'
        samples = self.ask(name, now).get((item_id, "video_views"), [])
        found = [(round(float(at) * 1000) + 1, float(value)) for at, value in samples]
        assert all(end % (HOUR * 1000) == 0 for end, _ in found)
        return [(end // (HOUR * 1000) - 1, value) for end, value in found]


@contextmanager
def prometheus(
    part: Callable[[str], str],
    folder: Path,
    config: str,
    *flags: str,
    **how: Any,  # noqa: ANN401
) -> Iterator[Store]:
    """A Prometheus that goes by `config`; `how` is for the client."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    (folder / "prometheus.yml").write_text(config.replace("ADDRESS", f"127.0.0.1:{port}"), encoding="utf-8")
    command = [
        part("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    scheme = "https" if how.get("verify") else "http"
    url = f"{scheme}://{'localhost' if how.get('verify') else '127.0.0.1'}:{port}"
    with (
        started(command, folder / "process") as running,
        httpx.Client(base_url=url, trust_env=False, **how) as client,
    ):
        running.until(lambda: _ready(client))
        yield Store(running, client, f"{url}/api/v1/write")


@contextmanager
def victoria(part: Callable[[str], str], folder: Path) -> Iterator[Store]:
    """A VictoriaMetrics that shows at once what it has taken."""
    folder.mkdir()
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        part("victoria-metrics"),
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr={url.removeprefix('http://')}",
        "-retentionPeriod=12",
        "-search.latencyOffset=0s",
        "-dedup.minScrapeInterval=1ms",
    ]
    with (
        started(command, folder / "process") as running,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        running.until(lambda: _ready(client, "/health"))
        yield Store(running, client, f"{url}/api/v1/write")


def _ready(client: httpx.Client, path: str = "/-/ready") -> bool | None:
    try:
        return True if client.get(path).is_success else None
    except httpx.TransportError:
        return None


@dataclass(slots=True)
class Office:
    """A sender between a journal and a real receiver, by this machine's clock."""

    journal: JournalFile
    log: io.StringIO

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def deliver(self, settings: RemoteWriteSettings, seconds: float = 60.0) -> Progress:
        """Send all that is settled; what came of it after at most so many seconds."""
        return asyncio.run(self._deliver(settings, seconds))

    async def _deliver(self, settings: RemoteWriteSettings, seconds: float) -> Progress:
        async def run(work: Callable[[JournalFile], T], /) -> T:
            return work(self.journal)

        surroundings = Surroundings(
            time.time, asyncio.sleep, lambda: 0.1, open_receiver_http, build_logger("debug", "json", self.log)
        )
        sender = Sender(settings, run, surroundings, RemoteWriteMetrics(CollectorRegistry(), time.time))
        try:
            async with asyncio.timeout(seconds):
                await sender.drain()
        except TimeoutError:
            pass
        return sender.progress


def value_of(item_id: str, hour: int) -> float:
    return float(int(item_id) * 1_000_000 + hour)


def office(tmp_path: Path, first: int, end: int) -> Office:
    """One whose journal has the hours from `first` to before `end`, all waiting."""
    journal = JournalFile.open(tmp_path / "journal.sqlite3", time.time())
    answer = told(
        ITEMS, range(first, end), value=lambda item_id, hour, column: value_of(item_id, hour) + column
    )
    journal.write([answer])
    journal.open_outbox(first)
    return Office(journal, io.StringIO())


def expected(item_id: str, hours: range) -> list[tuple[int, float]]:
    return [(hour, value_of(item_id, hour)) for hour in hours]


@pytest.fixture
def now() -> int:
    """The hour that runs."""
    return int(time.time() // HOUR)


def at_once(store: Store) -> RemoteWriteSettings:
    return RemoteWriteSettings(Secret(store.url), settle_seconds=0)


def assert_sums_are_exact(store: Store, end: int) -> None:
    """A day's sum holds exactly 24 hours, on the hour as between."""
    for item_id in ITEMS:
        for hour in (end, end - 1, end - 2):
            true = sum(value_of(item_id, each) for each in range(hour - 24, hour))
            name = f'x_media_analytics_hourly{{id="{item_id}",metric="video_views"}}[24h]'
            for at in (hour * HOUR, hour * HOUR + 1, hour * HOUR + 1800, hour * HOUR + 3599):
                if at <= end * HOUR:
                    assert store.number(f"sum_over_time({name})", at) == true
                    assert store.number(f"count_over_time({name})", at) == 24


def test_a_prometheus_with_a_window_has_each_hour_once_at_its_own_time(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    hours = range(now - 30, now)
    with prometheus(
        part, tmp_path / "prometheus", OWN_SCRAPE + WINDOW, "--web.enable-remote-write-receiver"
    ) as store:
        store.running.until(lambda: store.number("up", time.time()))
        desk = office(tmp_path, hours[0], hours.stop)
        progress = desk.deliver(at_once(store))
        assert (progress.taken, progress.skipped, progress.error) == (30 * 3 * 2, {}, None)
        # As after a kill between an answer and the note of it.
        desk.journal.close_outbox()
        desk.journal.open_outbox(hours[0])
        again = desk.deliver(at_once(store))
        assert (again.taken, again.skipped) == (30 * 3 * 2, {})
        for item_id in ITEMS:
            assert store.hours(item_id, now * HOUR) == expected(item_id, hours)
        assert_sums_are_exact(store, now)


def test_what_is_older_than_the_window_is_counted_and_the_rest_is_there(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    with prometheus(
        part, tmp_path / "prometheus", OWN_SCRAPE + WINDOW, "--web.enable-remote-write-receiver"
    ) as store:
        store.running.until(lambda: store.number("up", time.time()))
        desk = office(tmp_path, now - 50, now)
        progress = desk.deliver(at_once(store))
        # An hour that ended 36 h ago has just left the window, or is about to.
        kept = [hour for hour, _ in store.hours("1", now * HOUR)]
        assert kept in (list(range(now - 36, now)), list(range(now - 37, now)))
        assert progress.skipped == {SkipReason.TOO_OLD: (50 - len(kept)) * 3 * 2}
        assert progress.taken == len(kept) * 3 * 2
        assert [line for line in desk.lines if "out_of_order_time_window: 36h" in line["msg"]]


def test_a_default_prometheus_takes_the_last_hour_and_the_log_names_the_cure(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    with prometheus(part, tmp_path / "prometheus", OWN_SCRAPE, "--web.enable-remote-write-receiver") as store:
        store.running.until(lambda: store.number("up", time.time()))
        desk = office(tmp_path, now - 28, now)
        progress = desk.deliver(at_once(store))
        kept = store.hours("1", now * HOUR)
        assert kept in (expected("1", range(now - 1, now)), [])
        assert progress.skipped.total() == (28 - len(kept)) * 3 * 2
        assert set(progress.skipped) <= {SkipReason.OUT_OF_BOUNDS, SkipReason.TOO_OLD}
        assert progress.taken == len(kept) * 3 * 2
        cures = [line for line in desk.lines if "out_of_order_time_window: 36h" in line["msg"]]
        assert len(cures) == 1


def test_a_receiver_that_is_not_enabled_is_told_how_to_be(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    with prometheus(part, tmp_path / "prometheus", WINDOW) as store:
        progress = office(tmp_path, now - 3, now).deliver(at_once(store), 5)
        assert progress.taken == 0
        assert "--web.enable-remote-write-receiver" in str(progress.error)
    with prometheus(part, tmp_path / "prometheus2", WINDOW, "--web.enable-remote-write-receiver") as store:
        desk = Office(JournalFile.open(tmp_path / "journal.sqlite3", time.time()), io.StringIO())
        desk.deliver(at_once(store))
        assert store.hours("2", now * HOUR) == expected("2", range(now - 3, now))


def test_a_wrong_password_is_put_right_without_a_loss(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{exporter: '{hashed}'}}\n")
    file = tmp_path / "password"
    flags = (f"--web.config.file={web}", "--web.enable-remote-write-receiver")
    with prometheus(part, tmp_path / "prometheus", WINDOW, *flags, auth=("exporter", PASSWORD)) as store:
        settings = replace(at_once(store), basic_auth=BasicAuth("exporter", None, file))
        desk = office(tmp_path, now - 5, now)
        file.write_text("wr0ng-one\n")
        refused = desk.deliver(settings, 5)
        assert "(401" in str(refused.error)
        assert "wr0ng-one" not in str(refused) + desk.log.getvalue()
        file.write_text(f"{PASSWORD}\n")
        assert desk.deliver(settings).error is None
        assert store.hours("3", now * HOUR) == expected("3", range(now - 5, now))


def test_a_receiver_that_wants_a_client_certificate_gets_it(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    certificates = Certificates(tmp_path)
    certificates.issue("server")
    certificates.issue("client", "exporter")
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem,"
        " client_auth_type: RequireAndVerifyClientCert}\n"
    )
    flags = (f"--web.config.file={tmp_path / 'web.yml'}", "--web.enable-remote-write-receiver")
    with prometheus(
        part, tmp_path / "prometheus", WINDOW, *flags, verify=certificates.trusting("client")
    ) as store:
        desk = office(tmp_path, now - 5, now)
        trusting = TlsSettings(ca_file=tmp_path / "ca.pem")
        showing = replace(trusting, cert_file=tmp_path / "client.pem", key_file=tmp_path / "client.key")
        for tls in (TlsSettings(), trusting):
            failed = desk.deliver(replace(at_once(store), tls=tls), 5)
            assert "remote_write.tls_config" in str(failed.error)
        assert desk.deliver(replace(at_once(store), tls=showing)).error is None
        assert store.hours("3", now * HOUR) == expected("3", range(now - 5, now))


def test_a_victoriametrics_has_each_hour_once_at_its_own_time(
    part: Callable[[str], str], tmp_path: Path, now: int
) -> None:
    hours = range(now - 200, now)
    with victoria(part, tmp_path / "victoria") as store:
        desk = office(tmp_path, hours[0], hours.stop)
        for _ in range(2):
            progress = desk.deliver(at_once(store))
            assert (progress.taken, progress.skipped) == (200 * 3 * 2, {})
            # As after a kill between an answer and the note of it.
            desk.journal.close_outbox()
            desk.journal.open_outbox(hours[0])
        newest = 'last_over_time(x_media_analytics_hourly{id="3",metric="video_views"}[2h])'
        store.running.until(lambda: store.number(newest, now * HOUR))
        for item_id in ITEMS:
            stored = store.hours(item_id, now * HOUR)
            assert stored == expected(item_id, range(now - 60, now))
        assert_sums_are_exact(store, now)
