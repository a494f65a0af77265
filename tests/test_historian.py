"""Beside polling: what is learnt of how figures settle, and what is said of it."""

from __future__ import annotations

import asyncio
import io
import json
from array import array
from collections.abc import Callable
from pathlib import Path

from exporter.config.load import parse_config
from exporter.config.settings import Config, RemoteWriteSettings
from exporter.historian import Historian
from exporter.journal import Bucket, BucketState, JournalFile, Told
from exporter.logs import build_logger
from exporter.model import HOUR_SECONDS, Kind
from exporter.recording.recorder import Recorder, Standing
from exporter.remotewrite.writer import RemoteWriteStatus
from tests import virtual_time
from tests.simulated import FIVE_PAST_EIGHT, config_text

NOW_HOUR = int(FIVE_PAST_EIGHT // HOUR_SECONDS)
KEEP_SECONDS = 35 * 86400.0


class Noted:
    """Sends nothing, and notes what it is asked."""

    def __init__(self) -> None:
        self.settings: RemoteWriteSettings | None = None
        self.woken = 0

    async def adopt(self, settings: RemoteWriteSettings | None) -> None:
        self.settings = settings

    def wake(self) -> None:
        self.woken += 1

    async def aclose(self) -> None:
        self.settings = None

    @property
    def status(self) -> RemoteWriteStatus | None:
        if self.settings is None:
            return None
        return RemoteWriteStatus("sink", self.settings.settle_seconds, 3, NOW_HOUR, None, None, None)


def config(folder: Path, top: str = "") -> Config:
    return parse_config(config_text(1, top=top).encode(), "x.yaml", folder, {})


def write_past(folder: Path, *, late_seconds: float) -> None:
    """A journal in which every hour of the last days changed `late_seconds` after its end."""
    journal = JournalFile.open(folder / "state" / "journal" / "journal.sqlite3", FIVE_PAST_EIGHT)
    for hour in range(NOW_HOUR - 100, NOW_HOUR - 29):
        ids = [f"13_{number}" for number in range(5)]
        for amount, after_seconds in ((1.0, 300.0), (2.0, late_seconds)):
            buckets = [Bucket(item_id, hour, array("d", [amount]), BucketState.COMPLETE) for item_id in ids]
            seen_at = (hour + 1) * HOUR_SECONDS + after_seconds
            journal.write([Told("brand", Kind.MEDIA, "media_analytics", ("video_views",), seen_at, buckets)])
    journal.close()


def learnt(settings: Config) -> tuple[Historian, Noted, list[dict[str, object]]]:
    """What a historian makes of the journal of `settings` once something was written to it."""
    log, writer = io.StringIO(), Noted()

    async def act(clock: Callable[[], float]) -> Historian:
        logger = build_logger("info", "json", log)
        recorder = Recorder(clock, asyncio.sleep, logger, lambda _works: None)
        historian = Historian(recorder, writer, clock, logger)
        assert historian.view() is None
        standing = Standing(list, lambda: {"mark": "text"})
        await recorder.adopt(settings.state_dir, settings.history.keep_seconds, standing)
        await historian.adopt(settings)
        recorder.touched()
        await asyncio.sleep(1)
        await recorder.aclose()
        return historian

    historian = virtual_time.run(FIVE_PAST_EIGHT, act)
    return historian, writer, [json.loads(line) for line in log.getvalue().splitlines()]


def test_how_long_figures_take_to_settle_is_learnt_from_the_journal(tmp_path: Path) -> None:
    write_past(tmp_path, late_seconds=1800)
    historian, writer, _ = learnt(config(tmp_path))
    view = historian.view()
    assert view is not None
    settling = view.settling["media_analytics"]
    assert (settling.median_seconds, settling.p99_seconds) == (1800, 1800)
    assert settling.hours == settling.restated == 71 * 5
    assert (view.keep_seconds, view.trouble, view.remote_write) == (KEEP_SECONDS, None, None)
    assert writer.woken == 1


REMOTE = "remote_write: {url: 'http://127.0.0.1:9/write', settle: 1h}"


def test_a_settle_that_is_too_short_is_said_in_one_line(tmp_path: Path) -> None:
    write_past(tmp_path, late_seconds=5400)
    historian, _, lines = learnt(config(tmp_path, REMOTE))
    told = [line for line in lines if "remote_write.settle is shorter" in str(line["msg"])]
    assert [(line["endpoint"], line["p99_seconds"]) for line in told] == [("media_analytics", 5400)]
    view = historian.view()
    assert view is not None
    assert view.remote_write is not None
    assert view.remote_write.pending == 3


def test_a_settle_that_is_long_enough_is_not_complained_of(tmp_path: Path) -> None:
    write_past(tmp_path, late_seconds=1800)
    _, _, lines = learnt(config(tmp_path, REMOTE))
    assert [line for line in lines if line["level"] != "info"] == []
