"""Remote write is on, off or elsewhere as the configuration says now."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from prometheus_client.registry import CollectorRegistry

from exporter.config.settings import RemoteWriteSettings, Secret
from exporter.errors import JournalError
from exporter.journal import JournalFile
from exporter.logs import build_logger
from exporter.model import HOUR_SECONDS
from exporter.remotewrite.surroundings import Surroundings
from exporter.remotewrite.writer import RemoteWriter
from exporter.selfmetrics.remote_write import RemoteWriteMetrics, SendFailure, SkipReason
from tests import virtual_time
from tests.remotewrite_support import EPOCH, HOUR, SETTINGS, URL, Sink, told

T = TypeVar("T")

ROW = re.compile(r"^\| `(x_exporter_remote_write_\w+)` \| (gauge|counter) \|([^|]*)\|", re.MULTILINE)


@dataclass
class Desk:
    """A writer over a journal with 28 hours in it; `sinks` listen by their address."""

    writer: RemoteWriter
    journal: JournalFile
    registry: CollectorRegistry
    sinks: dict[str, Sink]
    clock: Callable[[], float]
    log: io.StringIO

    def names(self) -> set[str]:
        """The families of remote write on the registry."""
        return {family.name for family in self.registry.collect()}

    async def until(self, hours: float) -> None:
        await asyncio.sleep(EPOCH + hours * HOUR_SECONDS - self.clock())


def play(
    path: Path, act: Callable[[Desk], Coroutine[Any, Any, T]], sinks: dict[str, Sink] | None = None
) -> T:
    """Do `act` in virtual time."""

    async def main(clock: Callable[[], float]) -> T:
        desk = _desk(path, clock, sinks or {URL: Sink()})
        try:
            return await act(desk)
        finally:
            await desk.writer.aclose()
            desk.journal.close()

    return virtual_time.run(EPOCH, main)


def _desk(path: Path, clock: Callable[[], float], sinks: dict[str, Sink]) -> Desk:
    journal = JournalFile.open(path / "journal.sqlite3", clock())
    journal.write([told(["1"], range(HOUR - 28, HOUR))])

    async def run(work: Callable[[JournalFile], Any], /) -> Any:  # noqa: ANN401 - whatever the work gives
        return work(journal)

    def open_http(settings: RemoteWriteSettings) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            found = await sinks[settings.address](request)
            return httpx.Response(found.status_code, stream=httpx.ByteStream(found.content))

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    registry = CollectorRegistry()
    log = io.StringIO()
    surroundings = Surroundings(
        clock, asyncio.sleep, lambda: 0.5, open_http, build_logger("debug", "json", log)
    )
    return Desk(RemoteWriter(run, surroundings, registry), journal, registry, sinks, clock, log)


def test_there_are_no_metrics_and_no_status_while_nothing_is_sent(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        await desk.writer.adopt(None)
        assert desk.names() == set()
        assert desk.writer.status is None
        desk.writer.wake()
        await desk.writer.adopt(SETTINGS)
        assert "x_exporter_remote_write_sent" in desk.names()
        await desk.writer.adopt(None)
        assert desk.names() == set()
        assert desk.writer.status is None

    play(tmp_path, act)


def test_the_status_says_how_it_fares(tmp_path: Path) -> None:
    sink = Sink(lambda _: httpx.Response(503, text="starting"))

    async def act(desk: Desk) -> None:
        await desk.writer.adopt(replace(SETTINGS, url=Secret(f"{URL}?token=made-up")))
        await desk.until(0.1)
        down = desk.writer.status
        assert down is not None
        assert (down.address, down.settle_seconds) == (URL, 7200)
        assert (down.pending, down.oldest_hour, down.last_success_at) == (26, HOUR - 28, None)
        assert down.error == f"{URL} fails (503: starting); it is tried again"
        assert down.error_at is not None
        assert EPOCH + 330 < down.error_at <= EPOCH + 360
        sink.judge = lambda _: None
        await desk.until(0.2)
        up = desk.writer.status
        assert up is not None
        assert (up.pending, up.oldest_hour, up.error, up.error_at) == (0, None, None, None)
        assert up.last_success_at is not None
        assert "made-up" not in repr(down)

    play(tmp_path, act, {URL: sink})


def test_a_reload_that_changes_nothing_here_disturbs_nothing(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        await desk.writer.adopt(SETTINGS)
        await desk.until(0.1)
        before = desk.writer.status
        await desk.writer.adopt(replace(SETTINGS))
        assert desk.writer.status == before
        await desk.until(0.2)
        assert len(desk.sinks[URL].requests) == 1

    play(tmp_path, act)


def test_what_waits_goes_to_the_new_receiver_and_the_counters_go_on(tmp_path: Path) -> None:
    old, new = Sink(lambda _: httpx.Response(401)), Sink()
    elsewhere = "https://other.example/write"

    async def act(desk: Desk) -> None:
        await desk.writer.adopt(SETTINGS)
        await desk.until(0.1)
        failed = desk.registry.get_sample_value(
            "x_exporter_remote_write_failed_total", {"reason": "unauthorized"}
        )
        assert failed == len(old.requests) > 0
        await desk.writer.adopt(replace(SETTINGS, url=Secret(elsewhere)))
        await desk.until(0.2)
        assert len(new.values("1")) == 26
        assert failed == desk.registry.get_sample_value(
            "x_exporter_remote_write_failed_total", {"reason": "unauthorized"}
        )
        assert len(old.requests) == failed

    play(tmp_path, act, {URL: old, elsewhere: new})


def test_nothing_waits_any_more_once_remote_write_is_taken_out(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        await desk.writer.adopt(SETTINGS)
        await desk.until(0.1)
        assert desk.journal.outbox_size()[0] == 2
        await desk.writer.adopt(None)
        assert desk.journal.outbox_size() == (0, None)
        desk.journal.write([told(["2"], range(HOUR - 28, HOUR))])
        assert desk.journal.outbox_size() == (0, None)

    play(tmp_path, act)


def test_a_journal_that_is_down_when_remote_write_is_taken_out_is_no_trouble() -> None:
    async def main(clock: Callable[[], float]) -> None:
        def down(_: Callable[[JournalFile], T], /) -> Awaitable[T]:
            raise JournalError("down")

        surroundings = Surroundings(
            clock, asyncio.sleep, lambda: 0.5, lambda _: httpx.AsyncClient(), build_logger("debug", "json")
        )
        writer = RemoteWriter(down, surroundings, CollectorRegistry())  # type: ignore[arg-type]
        await writer.adopt(None)
        assert writer.status is None
        await writer.aclose()

    virtual_time.run(EPOCH, main)


def test_what_the_journal_was_told_goes_out_as_soon_as_the_writer_is_woken(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        await desk.writer.adopt(SETTINGS)
        await desk.until(0.1)
        desk.journal.write([told(["2"], range(HOUR - 5, HOUR))])
        await desk.until(0.2)
        assert desk.sinks[URL].values("2") == {}
        desk.writer.wake()
        await desk.until(0.21)
        assert sorted(desk.sinks[URL].values("2")) == [HOUR - 5, HOUR - 4, HOUR - 3]

    play(tmp_path, act)


def test_a_fault_of_our_own_is_logged_and_the_next_reload_begins_anew(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        sink = desk.sinks.pop(URL)
        await desk.writer.adopt(SETTINGS)
        await desk.until(0.1)
        assert "remote write has stopped" in desk.log.getvalue()
        desk.sinks[URL] = sink
        await desk.writer.adopt(SETTINGS)
        await desk.until(0.2)
        assert len(sink.values("1")) == 26

    play(tmp_path, act)


# The metrics and their page


def test_every_metric_and_every_reason_stands_on_the_page(repo_root: Path) -> None:
    page = (repo_root / "docs" / "remote-write.md").read_text(encoding="utf-8")
    registry = CollectorRegistry()
    metrics = RemoteWriteMetrics(registry, lambda: 0.0)
    metrics.sent(1, 1.0)
    served = {}
    for family in registry.collect():
        labels = {label for sample in family.samples for label in sample.labels}
        served[f"{family.name}_total" if family.type == "counter" else family.name] = (family.type, labels)
    assert {
        name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(page)
    } == served
    for reason in (*SendFailure, *SkipReason):
        assert f"| `{reason.value}` |" in page


def test_counters_stand_at_0_and_the_time_of_the_last_success_is_absent_until_there_was_one() -> None:
    registry = CollectorRegistry()
    metrics = RemoteWriteMetrics(registry, lambda: 0.0)
    for reason in SendFailure:
        assert (
            registry.get_sample_value("x_exporter_remote_write_failed_total", {"reason": reason.value}) == 0
        )
    for skip in SkipReason:
        assert registry.get_sample_value("x_exporter_remote_write_skipped_total", {"reason": skip.value}) == 0
    name = "x_exporter_remote_write_last_success_timestamp_seconds"
    assert registry.get_sample_value(name) is None
    metrics.sent(3, 17.0)
    assert registry.get_sample_value(name) == 17


@pytest.mark.parametrize(("now", "lag"), [(100.0, 0), (160.0, 60), (90.0, 0)])
def test_the_lag_grows_by_itself_while_something_waits(now: float, lag: float) -> None:
    registry = CollectorRegistry()
    metrics = RemoteWriteMetrics(registry, lambda: now)
    metrics.waiting(5, 100.0)
    assert registry.get_sample_value("x_exporter_remote_write_lag_seconds") == lag
    assert registry.get_sample_value("x_exporter_remote_write_pending") == 5
    metrics.waiting(0, None)
    assert registry.get_sample_value("x_exporter_remote_write_lag_seconds") == 0
