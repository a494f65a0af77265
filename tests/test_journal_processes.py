"""Real processes on one journal: killed at any moment, and several at once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from exporter.journal import JournalFile
from tests.journal_support import HOUR, opened
from tests.journal_worker import ITEMS

ROOT = Path(__file__).parent.parent
DEADLINE_SECONDS = 60.0


@contextmanager
def worker(folder: Path, name: str, first: int, hours: int = 0) -> Iterator[subprocess.Popen[str]]:
    arguments = ["-m", "tests.journal_worker", str(folder), name, str(first), str(hours)]
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told_of(process: subprocess.Popen[str]) -> int:
    """The next hour that the process says it wrote."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def assert_whole(journal: JournalFile, name: str) -> int:
    """Every write is there as a whole, up to one; returns the hour of that."""
    last = int(journal.mark(name) or 0)
    ids = [f"{name}{item:02}" for item in range(ITEMS)]
    stored = list(journal.buckets(item_ids=ids))
    hours = Counter(each.hour for each in stored)
    assert hours == dict.fromkeys(range(HOUR, last + 1), ITEMS)
    assert all(list(each.figures) == [each.hour] * 3 for each in stored)
    assert {state.answered_at for state in journal.states(ids).values()} == {last}
    return last


@pytest.mark.soak
def test_100_kills(tmp_path: Path) -> None:
    for seed in range(10):
        survive_kills(tmp_path / str(seed), 10, seed)


def test_kills_at_random_moments_leave_whole_writes_and_lose_none_that_was_done(tmp_path: Path) -> None:
    survive_kills(tmp_path, 6, 11)


def survive_kills(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    first = HOUR
    for _ in range(kills):
        with worker(folder, "a", first) as process:
            done = told_of(process)
            until = time.monotonic() + chance.random() * 0.3
            while time.monotonic() < until:
                done = told_of(process)
            process.kill()
            assert process.stdout is not None
            # What it still said before it was gone; the last line may be cut.
            said = process.stdout.read().splitlines(keepends=True)
            done = max([done, *(int(line) for line in said if line.endswith("\n"))])
        with closing(opened(folder)) as journal:
            last = assert_whole(journal, "a")
        assert last >= done
        first = last + 1


def test_processes_that_begin_and_write_at_once_all_get_it_in(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    with ExitStack() as running:
        for process in [running.enter_context(worker(tmp_path, name, HOUR, 25)) for name in names]:
            process.communicate(timeout=DEADLINE_SECONDS)
            assert process.returncode == 0
    with closing(opened(tmp_path)) as journal:
        assert [assert_whole(journal, name) for name in names] == [HOUR + 24] * 3


def test_a_reader_beside_a_writer_sees_whole_writes_and_holds_up_nothing(tmp_path: Path) -> None:
    with worker(tmp_path, "a", HOUR) as process:
        told_of(process)
        with closing(opened(tmp_path)) as journal:
            for _ in range(20):
                before = told_of(process)
                stored = list(journal.buckets(last_hour=before))
                assert Counter(each.hour for each in stored) == dict.fromkeys(range(HOUR, before + 1), ITEMS)
            # A reader that stops in the middle holds nothing open.
            streaming = journal.buckets()
            next(streaming)
            first, last = told_of(process), told_of(process)
            assert last > first


def test_many_processes_may_make_the_journal_at_once(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.journal_worker", str(tmp_path), f"w{number}", str(HOUR), "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(6)
    ]
    said = [process.communicate(timeout=DEADLINE_SECONDS) for process in workers]
    assert said == [(f"{HOUR}\n", "")] * 6
    with closing(opened(tmp_path)) as journal:
        assert len(list(journal.buckets())) == 6 * ITEMS
