"""What tests of remote write share: a journal with hours in it, a receiver that judges, a sender between."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
from array import array
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cramjam
import httpx
from prometheus_client.registry import CollectorRegistry

from exporter.config.settings import RemoteWriteSettings, Secret
from exporter.errors import JournalError
from exporter.journal import Bucket, BucketState, JournalFile, StoredBucket, Told
from exporter.logs import build_logger
from exporter.model import HOUR_SECONDS, Kind
from exporter.remotewrite.sender import Sender
from exporter.remotewrite.surroundings import Surroundings
from exporter.selfmetrics.remote_write import RemoteWriteMetrics
from tests import virtual_time

T = TypeVar("T")

HOUR = 480_000
EPOCH = float(HOUR * HOUR_SECONDS)
URL = "https://receiver.example/api/v1/write"
SETTINGS = RemoteWriteSettings(Secret(URL))
MEDIA = ("video_views", "watch_time_ms")

# Generated code, which has no types.
_remote: Any = importlib.import_module("remote_pb2.remote_pb2")

Series = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Got:
    """One sample as a receiver reads it."""

    series: Series
    timestamp_ms: int
    value: float

    @property
    def hour(self) -> int:
        return self.timestamp_ms // (HOUR_SECONDS * 1000)

    @property
    def id(self) -> str:
        return dict(self.series)["id"]


def read(body: bytes) -> list[Got]:
    """A message as Prometheus' own definitions read it; its series must be whole and in order."""
    request = _remote.WriteRequest()
    request.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    found = []
    for series in request.timeseries:
        names = [label.name for label in series.labels]
        assert names == sorted(set(names))
        times = [sample.timestamp for sample in series.samples]
        assert times == sorted(set(times))
        labels = frozenset((label.name, label.value) for label in series.labels)
        found += [Got(labels, sample.timestamp, sample.value) for sample in series.samples]
    assert len({each.series for each in found}) == len(request.timeseries)
    return found


@dataclass
class Sink:
    """A receiver that takes a message as a whole, or refuses it with what `judge` says of it."""

    judge: Callable[[list[Got]], httpx.Response | None] = lambda _: None
    stored: dict[tuple[Series, int], list[float]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked_at.append(self.clock())
        samples = read(request.content)
        answer = self.judge(samples)
        if answer is not None:
            return answer
        for sample in samples:
            self.stored.setdefault((sample.series, sample.timestamp_ms), []).append(sample.value)
        return httpx.Response(204)

    def values(self, item_id: str, metric: str = "video_views") -> dict[int, list[float]]:
        """What came for one series, by hour, as often as it came."""
        return {
            timestamp // (HOUR_SECONDS * 1000): values
            for (series, timestamp), values in self.stored.items()
            if ("id", item_id) in series and ("metric", metric) in series
        }


def refusing(*wrong: Callable[[Got], bool], status: int = 400, text: str = "bad request") -> Any:  # noqa: ANN401
    """A judge that refuses messages with a sample for which one of `wrong` holds."""

    def judge(samples: list[Got]) -> httpx.Response | None:
        bad = any(check(sample) for sample in samples for check in wrong)
        return httpx.Response(status, text=text) if bad else None

    return judge


def told(
    item_ids: Iterable[str],
    hours: Iterable[int],
    *,
    metrics: tuple[str, ...] = MEDIA,
    kind: Kind = Kind.MEDIA,
    value: Callable[[str, int, int], float] = lambda item_id, hour, column: (
        int(item_id) * 1000 + hour - HOUR + column
    ),
    seen_at: float = EPOCH,
) -> Told:
    """An answer with complete hours of some items."""
    whole = [(item_id, hour) for hour in hours for item_id in item_ids]
    buckets = [
        Bucket(
            item_id,
            hour,
            array("d", [value(item_id, hour, column) for column in range(len(metrics))]),
            BucketState.COMPLETE,
        )
        for item_id, hour in whole
    ]
    return Told("brand", kind, "media_analytics", metrics, seen_at, buckets)


def stored(
    item_id: str,
    hour: int,
    figures: Sequence[float],
    *,
    metrics: tuple[str, ...] | None = None,
    kind: Kind = Kind.MEDIA,
) -> StoredBucket:
    """A complete hour as the outbox hands it out."""
    names = metrics or tuple(f"m{column}" for column in range(len(figures)))
    row = array("d", figures)
    return StoredBucket(
        item_id, "brand", kind, hour, names, row, BucketState.COMPLETE, "media_analytics", 0.0, 0.0, 0.0, 0
    )


@dataclass
class Office:
    """A sender at work between a journal and a sink, in virtual time from `EPOCH` on."""

    sender: Sender
    journal: JournalFile
    registry: CollectorRegistry
    clock: Callable[[], float]
    waits: list[float]
    written: io.StringIO
    uses: list[float]

    def tell(self, *answers: Told) -> None:
        """Write answers, as the daemon would, and say so."""
        self.journal.write(answers)
        self.sender.wake()

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"x_exporter_remote_write_{name}", labels)

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]

    async def until(self, hours: float) -> None:
        """Let virtual time pass until so many hours after the beginning."""
        await asyncio.sleep(EPOCH + hours * HOUR_SECONDS - self.clock())


@dataclass(frozen=True)
class Play:
    """How an office is set up."""

    path: Path
    sink: Sink
    settings: RemoteWriteSettings = SETTINGS
    chance: float = 0.999
    before: tuple[Told, ...] = ()
    down: Callable[[float], bool] = lambda _: False
    runs: bool = True

    def run(self, act: Callable[[Office], Coroutine[Any, Any, T]]) -> T:
        """Do `act` while the sender runs, or with one that does not run by itself."""
        return virtual_time.run(EPOCH, lambda clock: self._main(clock, act))

    async def _main(self, clock: Callable[[], float], act: Callable[[Office], Coroutine[Any, Any, T]]) -> T:
        self.sink.clock = clock
        office = self._office(clock)
        if self.before:
            office.journal.write(self.before)
        task = asyncio.create_task(office.sender.run() if self.runs else asyncio.sleep(0))
        try:
            return await act(office)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            office.journal.close()

    def _office(self, clock: Callable[[], float]) -> Office:
        journal = JournalFile.open(self.path, clock())
        waits: list[float] = []
        uses: list[float] = []
        written = io.StringIO()

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(seconds)

        async def run(work: Callable[[JournalFile], Any], /) -> Any:  # noqa: ANN401 - whatever the work gives
            uses.append(clock())
            if self.down(clock()):
                raise JournalError("the journal is down")
            return work(journal)

        registry = CollectorRegistry()
        surroundings = Surroundings(
            clock, sleep, lambda: self.chance, self.open_http, build_logger("debug", "json", written)
        )
        sender = Sender(self.settings, run, surroundings, RemoteWriteMetrics(registry, clock))
        return Office(sender, journal, registry, clock, waits, written, uses)

    def open_http(self, _: RemoteWriteSettings) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answered))

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        """The sink's answer as it comes from a socket, not yet read."""
        answer = await self.sink(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content)
        )
