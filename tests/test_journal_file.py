"""The journal's file: who may read it, what is refused, and what is said about it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import JournalError, JournalUnreadableError
from exporter.journal import JournalFile
from exporter.journal.database import Database
from exporter.journal.trouble import journal_error
from tests.journal_support import (
    COMPLETE,
    FILLING,
    HOUR,
    NOW,
    RUNNING,
    bucket,
    filled,
    opened,
    saved,
    standing,
    told,
)


def test_the_file_and_the_folders_made_for_it_are_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = tmp_path / "state" / "journal" / "journal.sqlite3"
        journal = JournalFile.open(path, NOW)
        journal.write(FILLING)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        journal.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"], 0o600)
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert (
        journal.write(FILLING, [saved("1"), saved("9", None)], {"channel/brand": "a", "plan": "b"}) == 28 * 40
    )
    journal.close()
    journal = opened(tmp_path)
    assert len(standing(journal)) == 28 * 40
    assert journal.newest_complete(["1", "77"]) == {"1": HOUR}
    states = journal.states(["1", "9", "77"])
    assert list(states) == ["1", "9"]
    assert states["1"].total is not None
    assert states["1"].total.tobytes() == saved("1").total.tobytes()  # type: ignore[union-attr]
    assert {key: (state.problems, state.up, state.metrics) for key, state in states.items()} == {
        key: (saved(key).problems, True, saved(key).metrics) for key in states
    }
    assert (states["1"].answered_at, states["9"].answered_at) == (NOW, None)
    assert journal.marks("") == {"channel/brand": "a", "plan": "b"}
    journal.close()


def test_marks_are_found_by_prefix_and_removed_with_none(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.set_marks({"a/1": "x", "a/2": "y", "ab": "z", "A/3": "w"})
        journal.set_marks({"a/2": None, "missing": None, "ab": "new"})
        assert (journal.marks("a/"), journal.mark("ab"), journal.mark("a/2")) == ({"a/1": "x"}, "new", None)


def test_a_write_that_fails_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        wrong = told(bucket("2", HOUR, 1.0))
        with pytest.raises(ValueError, match="1 figures for 3 metrics"):
            journal.write([*FILLING, wrong], [saved("1")], {"plan": "b"})
        assert (standing(journal), journal.states(["1"]), journal.marks("")) == ({}, {}, {})
        assert journal.write(FILLING) == 28 * 40


def test_what_is_told_again_unchanged_is_not_written(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write(FILLING)
        size = (tmp_path / "journal.sqlite3-wal").stat().st_size
        assert journal.write(FILLING) == 0
        assert (tmp_path / "journal.sqlite3-wal").stat().st_size == size


def test_a_number_of_a_running_hour_does_not_survive_as_one_of_the_whole(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(bucket("1", HOUR, 1, 2, 3, state=RUNNING))])
        journal.write([told(bucket("1", HOUR, 9, state=COMPLETE), metrics=("likes",))])
        assert standing(journal) == {("1", HOUR): {"likes": 9}}


def test_hours_stream_in_order_over_many_items(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        items = [str(item) for item in range(600)]
        journal.write(
            [told(*(bucket(item, HOUR - hour, hour, 0, 0) for item in items for hour in range(28)))]
        )
        keys = [(each.item_id, each.hour) for each in journal.buckets()]
        assert keys == sorted((item, HOUR - hour) for item in items for hour in range(28))


def test_a_disk_that_takes_no_more_is_told_and_what_was_written_before_stands(tmp_path: Path) -> None:
    # A process of its own, since a limit on the size of files holds for all it writes.
    script = """
import resource, sys
from pathlib import Path
from exporter.errors import JournalError, JournalUnreadableError
from tests.journal_support import HOUR, bucket, opened, told
journal = opened(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
for hour in range(1000):
    try:
        journal.write([told(*(bucket(str(item), HOUR + hour, 1, 2, 3) for item in range(100)))])
    except JournalError as error:
        print(hour, isinstance(error, JournalUnreadableError), error)
        break
"""
    process = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
    )
    hours, is_unreadable, sentence = process.stdout.split(maxsplit=2)
    assert is_unreadable == "False"
    assert "look for a quota, a size limit or a failing disk" in sentence
    with closing(opened(tmp_path)) as journal:
        assert len(standing(journal)) == int(hours) * 100


def test_a_full_disk_is_told_as_one() -> None:
    with closing(sqlite3.connect(":memory:")) as full:
        full.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.DatabaseError) as caught:
            full.execute("CREATE TABLE t (x)")
    error = journal_error(Path("j.sqlite3"), caught.value)
    assert str(error) == (
        "j.sqlite3: the journal cannot be used (database or disk is full): the disk is full; make room."
    )
    assert not isinstance(error, JournalUnreadableError)


def test_a_database_that_may_not_be_written_is_told_as_one(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as fixed,
        pytest.raises(sqlite3.DatabaseError) as caught,
    ):
        fixed.execute("DELETE FROM mark")
    error = journal_error(path, caught.value)
    assert "it may not be written" in str(error)
    assert not isinstance(error, JournalUnreadableError)


def test_a_short_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with (
        closing(opened(tmp_path)) as journal,
        closing(sqlite3.connect(path, check_same_thread=False)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.rollback)
        release.start()
        assert journal.write([told(bucket("1", HOUR + 1, 1, 2, 3))]) == 1
        release.join()


def test_a_lock_that_is_never_freed_is_told(tmp_path: Path) -> None:
    path = filled(tmp_path)
    impatient = JournalFile(Database(path, NOW, busy_seconds=0.2))
    with closing(sqlite3.connect(path)) as other, closing(impatient) as journal:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another process has held it locked too long") as caught:
            journal.write([told(bucket("1", HOUR + 1, 1, 2, 3))])
    assert not isinstance(caught.value, JournalUnreadableError)


def test_setting_aside_renames_all_its_files_and_overwrites_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    kept = []
    for content in ("first", "second", "third"):
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).write_text(content + ending)
        kept.append(JournalFile.set_aside(path, 1_763_788_000.9).name)
    assert kept == [f"journal-20251122T050640Z{count}.sqlite3" for count in ("", "-2", "-3")]
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        name + ending: content + ending
        for name, content in zip(kept, ("first", "second", "third"), strict=True)
        for ending in ("", "-wal", "-shm")
    }


def test_a_new_journal_begins_where_a_torn_one_was_set_aside(tmp_path: Path) -> None:
    path = filled(tmp_path)
    os.truncate(path, 10_000)
    with pytest.raises(JournalUnreadableError):
        opened(tmp_path)
    aside = JournalFile.set_aside(path, NOW)
    with closing(opened(tmp_path)) as journal:
        assert journal.write(FILLING) == 28 * 40
    assert aside.stat().st_size == 10_000


def test_the_log_of_a_torn_journal_is_kept_with_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    log = path.with_name(path.name + "-wal")
    # As a kill leaves it, and then something else writes over both files.
    path.write_bytes(path.read_bytes()[:100] + b"?" * 4000)
    log.write_bytes(b"what may be all that is left of an hour")
    with pytest.raises(JournalUnreadableError):
        opened(tmp_path)
    aside = JournalFile.set_aside(path, NOW)
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"what may be all that is left of an hour"
    assert [file.name for file in tmp_path.rglob("*") if "kept" in file.name] == []


def test_setting_aside_where_nothing_may_be_renamed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be used"):
        JournalFile.set_aside(tmp_path / "file" / "journal.sqlite3", NOW)
