"""Whoever polls faster than the journal is written waits for it, for a while."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from exporter.logs import silent_logger
from exporter.recording import recorder as recording
from exporter.recording.recorder import MOST_UNWRITTEN, Recorder, Standing


async def opened(folder: Path) -> Recorder:
    recorder = Recorder(time.time, asyncio.sleep, silent_logger(), lambda _works: None)
    await recorder.adopt(folder, 3600.0, Standing(list, dict))
    return recorder


def test_while_much_is_unwritten_polls_wait_until_it_is_written(tmp_path: Path) -> None:
    async def act() -> tuple[bool, bool]:
        recorder, disk = await opened(tmp_path), threading.Event()
        stuck = asyncio.create_task(recorder.run(lambda _journal: disk.wait()))
        await asyncio.sleep(0)
        for number in range(MOST_UNWRITTEN + 2):
            recorder.forgotten([str(number)], first_hour=1)
        waiting = asyncio.create_task(recorder.room())
        await asyncio.sleep(0.05)
        waited = not waiting.done()
        disk.set()
        await asyncio.gather(stuck, waiting)
        at_once = asyncio.create_task(recorder.room())
        await asyncio.sleep(0)
        went_on = at_once.done()
        await at_once
        await recorder.aclose()
        return waited, went_on

    assert asyncio.run(act()) == (True, True)


def test_a_disk_that_does_not_answer_holds_polls_back_for_some_seconds_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "WAIT_SECONDS", 0.05)

    async def act() -> None:
        recorder, disk = await opened(tmp_path), threading.Event()
        stuck = asyncio.create_task(recorder.run(lambda _journal: disk.wait()))
        await asyncio.sleep(0)
        for number in range(MOST_UNWRITTEN + 2):
            recorder.forgotten([str(number)], first_hour=1)
        await asyncio.wait_for(recorder.room(), timeout=5)
        disk.set()
        await stuck
        await recorder.aclose()

    asyncio.run(act())
