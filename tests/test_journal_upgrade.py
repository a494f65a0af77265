"""Journals of older versions, and the steps that bring them up to date."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import JournalError
from exporter.journal import BucketState, StoredBucket
from exporter.journal.schema import STEPS, upgrade
from exporter.model import Kind
from tests.journal_support import HOUR, NOW, numbers, opened, saved

V1 = Path(__file__).parent / "data" / "journal" / "v1.sql"
MEDIA, POST, OTHER = "13_1880028106020515840", "1880028106020515841", "1879000000000000001"


def first_version(folder: Path) -> Path:
    path = folder / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as journal:
        journal.executescript(V1.read_text(encoding="utf-8"))
    return path


def test_a_journal_of_the_first_version_tells_all_it_knew(tmp_path: Path) -> None:
    first_version(tmp_path)
    with closing(opened(tmp_path)) as journal:
        stored = {(each.item_id, each.hour): each for each in journal.buckets()}
        assert {key: numbers(each) for key, each in stored.items()} == {
            (MEDIA, HOUR - 2): {"video_views": 12, "watch_time_ms": 4_500_000_000},
            (MEDIA, HOUR - 1): {"video_views": 0},
            (POST, HOUR - 1): {"impressions": 301, "likes": 2, "video_views": 0.5},
            (POST, HOUR): {"impressions": 1, "video_views": 0},
            (OTHER, HOUR - 27): {"impressions": 9, "likes": 9, "video_views": 9},
            (OTHER, HOUR): {"impressions": 70_000, "likes": 255, "video_views": -1},
        }
        assert about(stored[POST, HOUR - 1]) == (NOW - 3600.5, NOW, NOW - 3600.5, 1, BucketState.COMPLETE)
        assert about(stored[POST, HOUR]) == (NOW - 3600.5, NOW - 3600.5, None, 0, BucketState.RUNNING)
        assert about(stored[OTHER, HOUR - 27])[-1] is BucketState.CUT
        assert (stored[MEDIA, HOUR - 1].kind, stored[POST, HOUR].kind) == (Kind.MEDIA, Kind.POST)
        assert journal.newest_complete([MEDIA, POST, OTHER]) == {MEDIA: HOUR - 1, POST: HOUR - 1, OTHER: HOUR}
        states = journal.states([MEDIA, POST, OTHER])
        assert {key: (state.account, state.answered_at) for key, state in states.items()} == {
            POST: ("brand", NOW - 3600.5),
            OTHER: ("other", NOW),
        }
        assert states[POST].problems == saved(POST).problems
        total = states[POST].total
        assert total is not None
        assert (total[0], math.isnan(total[1]), total[2]) == (5, True, 2.5)
        assert journal.marks("") == {"channel/brand/insights_28hr": '{"a":1}'}


def about(stored: StoredBucket) -> tuple[float, float, float | None, int, BucketState]:
    return (stored.first_seen, stored.last_changed, stored.completed_at, stored.revisions, stored.state)


def test_hours_that_waited_in_a_journal_of_the_first_version_still_do(tmp_path: Path) -> None:
    first_version(tmp_path)
    with closing(opened(tmp_path)) as journal:
        taken = journal.outbox_take(HOUR, 10)
        assert sorted((each.hour, each.item_id) for each in taken) == [
            (HOUR - 2, MEDIA),
            (HOUR - 1, MEDIA),
            (HOUR - 1, POST),
            (HOUR, OTHER),
        ]


MORE_STEPS = (
    *STEPS,
    ("ALTER TABLE bucket ADD COLUMN weight INTEGER NOT NULL DEFAULT 7",),
    ("CREATE TABLE extra (x TEXT)", "INSERT INTO extra VALUES ('there')"),
)


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_the_steps_that_are_missing_are_taken_in_their_order_and_once(tmp_path: Path) -> None:
    path = first_version(tmp_path)
    with closing(connected(path)) as journal:
        for _ in range(2):
            upgrade(journal, path, NOW, MORE_STEPS)
        assert journal.execute("SELECT DISTINCT weight FROM bucket").fetchall() == [(7,)]
        assert journal.execute("SELECT x FROM extra").fetchall() == [("there",)]
        assert journal.execute("PRAGMA user_version").fetchone() == (len(MORE_STEPS),)


def test_a_new_journal_goes_through_all_steps(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with closing(connected(path)) as journal:
        upgrade(journal, path, NOW, MORE_STEPS)
        assert journal.execute("SELECT x FROM extra").fetchall() == [("there",)]
        assert journal.execute("SELECT text FROM journal").fetchall() == [(repr(NOW),)]


def test_a_step_that_fails_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = first_version(tmp_path)
    with closing(connected(path)) as journal:
        before = list(journal.iterdump())
        with pytest.raises(sqlite3.OperationalError):
            upgrade(journal, path, NOW, (*MORE_STEPS, ("CREATE TABLE more (x)", "not SQL")))
        assert list(journal.iterdump()) == before
        assert journal.execute("PRAGMA user_version").fetchone() == (1,)


def test_an_upgraded_journal_is_refused_by_the_program_that_wrote_it(tmp_path: Path) -> None:
    path = first_version(tmp_path)
    with closing(connected(path)) as journal:
        upgrade(journal, path, NOW, MORE_STEPS)
    with pytest.raises(JournalError, match=f"journal version {len(MORE_STEPS)}, this one knows {len(STEPS)}"):
        opened(tmp_path)


def test_the_first_version_is_what_the_first_step_makes(tmp_path: Path) -> None:
    path = first_version(tmp_path)
    query = "SELECT name, sql FROM sqlite_master ORDER BY name"
    with closing(connected(path)) as old, closing(connected(tmp_path / "new.sqlite3")) as new:
        upgrade(new, path, NOW, STEPS[:1])
        assert old.execute(query).fetchall() == new.execute(query).fetchall()
