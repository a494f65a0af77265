"""Files that are torn, of another program, or in the way: refused, told, and left as they are."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import JournalError, JournalUnreadableError
from exporter.journal import JournalFile
from exporter.journal.database import Database
from tests.journal_support import FILLING, HOUR, NOW, filled, opened, saved

NOT_JOURNALS = {
    "a text": b"hello, I am somebody's diary\n" * 100,
    "a short text": b"x",
    "zeros": bytes(8192),
    "a torn beginning": b"SQLite format 3\x00" + b"\xff" * 8000,
}


@pytest.mark.parametrize("content", NOT_JOURNALS.values(), ids=NOT_JOURNALS)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(content)
    with pytest.raises(JournalUnreadableError, match=r"journal\.sqlite3: .* Move it away"):
        opened(tmp_path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("application_id", [0, 252006674])
def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path, application_id: int) -> None:
    path = tmp_path / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.executescript(f"CREATE TABLE diary (day TEXT); PRAGMA application_id = {application_id}")
    content = path.read_bytes()
    with pytest.raises(JournalUnreadableError, match="a database of another kind"):
        opened(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("page", range(1, 20))
def test_a_file_with_an_overwritten_page_is_refused(tmp_path: Path, page: int) -> None:
    path = filled(tmp_path)
    content = bytearray(path.read_bytes())
    assert len(content) >= 20 * 4096
    content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)
    with pytest.raises(JournalUnreadableError):
        opened(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kept", [100, 4096, 10_000, 40_960])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = filled(tmp_path)
    os.truncate(path, kept)
    with pytest.raises(JournalUnreadableError):
        opened(tmp_path)


def test_a_page_torn_while_the_journal_is_open_is_told_by_whatever_reads_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    journal = opened(tmp_path)
    with closing(sqlite3.connect(path)) as other:
        # What another process changes makes the first one read anew.
        other.executescript("INSERT INTO mark VALUES ('x', 'y'); PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)
    calls = (
        lambda: list(journal.buckets()),
        lambda: journal.write(FILLING),
        lambda: journal.states(["1"]),
        lambda: journal.newest_complete(["1"]),
        lambda: journal.forget_hours(["1"], 0),
        lambda: journal.prune(HOUR),
        lambda: journal.settling(0, HOUR),
        lambda: journal.marks(""),
        lambda: journal.mark("x"),
        lambda: journal.set_marks({"x": "y"}),
        lambda: journal.open_outbox(0),
        journal.close_outbox,
        journal.outbox_size,
        lambda: journal.outbox_take(HOUR, 5),
        lambda: journal.outbox_done([("1", HOUR)]),
    )
    for call in calls:
        with pytest.raises(JournalUnreadableError, match=r"journal\.sqlite3"):
            call()
    journal.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM source", "unknown state or source"),
        ("UPDATE bucket SET state = 9", "unknown state or source"),
        ("DELETE FROM metric_list", "unknown metric list"),
        ("UPDATE bucket SET figures = CAST(x'99' || substr(figures, 2) AS BLOB)", "unknown code"),
        ("UPDATE bucket SET figures = x'11'", "wrong length"),
        ("UPDATE item SET kind = 'song'", "unknown kind"),
        ("UPDATE state SET problems = '['", "no JSON"),
    ],
)
def test_rows_that_the_journal_never_wrote_are_told_as_a_torn_file(
    tmp_path: Path, statement: str, found: str
) -> None:
    journal = opened(tmp_path)
    journal.write(FILLING, [saved("1")])
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as other, other:
        other.execute(statement)
    with closing(opened(tmp_path)) as journal, pytest.raises(JournalUnreadableError, match=found):
        _ = (journal.states(["1"]), list(journal.buckets()))


def test_an_hour_that_waits_for_an_item_nobody_knows_is_told_as_a_torn_file(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.open_outbox(0)
    journal.write(FILLING)
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as other, other:
        other.execute("DELETE FROM item WHERE id = '7'")
    with closing(opened(tmp_path)) as journal, pytest.raises(JournalUnreadableError, match="unknown item"):
        journal.outbox_take(HOUR, 1000)


def test_a_large_file_is_looked_through_only_if_it_was_not_closed(tmp_path: Path) -> None:
    path = filled(tmp_path)
    last_page = path.stat().st_size - 4096
    with path.open("r+b") as file:
        file.seek(last_page)
        file.write(b"\xa5" * 4096)
    Database(path, NOW, checked_bytes=last_page).close()
    (tmp_path / "journal.sqlite3-wal").touch()
    with pytest.raises(JournalUnreadableError):
        Database(path, NOW, checked_bytes=last_page)


@pytest.mark.parametrize("table", ["state", "item", "metric_list"])
def test_a_file_that_lacks_a_table_is_told_as_a_torn_one(tmp_path: Path, table: str) -> None:
    with closing(sqlite3.connect(filled(tmp_path))) as other:
        other.execute(f"DROP TABLE {table}")
    with closing(opened(tmp_path)) as journal, pytest.raises(JournalUnreadableError, match="no such table"):
        journal.write(FILLING, [saved("1")])


def test_a_text_that_is_none_is_told_as_a_torn_file(tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled(tmp_path))) as other, other:
        other.execute("INSERT INTO mark VALUES ('x', CAST(x'ff' AS TEXT))")
    with closing(opened(tmp_path)) as journal, pytest.raises(JournalUnreadableError):
        journal.mark("x")


def test_a_closed_journal_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.close()
    with pytest.raises(JournalError, match="closed") as caught:
        journal.marks("")
    assert not isinstance(caught.value, JournalUnreadableError)


def test_a_journal_of_a_later_version_is_kept_and_refused(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(path)) as later:
        later.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="later version of this program") as caught:
        opened(tmp_path)
    assert not isinstance(caught.value, JournalUnreadableError)
    with closing(sqlite3.connect(path)) as later:
        assert later.execute("SELECT count(*) FROM bucket").fetchone() == (28 * 40,)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").mkdir()
    with pytest.raises(JournalError, match="Is a directory") as caught:
        opened(tmp_path)
    assert not isinstance(caught.value, JournalUnreadableError)


def test_a_pipe_in_its_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal.sqlite3")
    with pytest.raises(JournalError, match="no regular file"):
        opened(tmp_path)


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(JournalError, match="let `state_dir` name a directory that this process may write"):
        JournalFile.open(tmp_path / "state" / "journal" / "journal.sqlite3", NOW)
