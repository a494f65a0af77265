"""A spool keeps what a backfill has had, whatever becomes of the process."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.backfill.job import Store, first_kept_hour
from exporter.backfill.span import Span
from exporter.backfill.spool import Spool, spool_path
from exporter.backfill.wanted import Wanted
from exporter.errors import JournalError
from exporter.journal import Bucket, BucketState, JournalFile, Told
from exporter.model import Endpoint, Item, Kind
from exporter.vocabulary import MEDIA_METRICS, Metric

NOW = 1_791_403_500.0


def wanted(metrics: Sequence[Metric] = MEDIA_METRICS[:1], ids: Sequence[str] = ("7_1",)) -> Wanted:
    items = tuple(Item(item_id, Kind.MEDIA, "brand", item_id) for item_id in ids)
    return Wanted("brand", Kind.MEDIA, items, tuple(metrics), (Endpoint.MEDIA_ANALYTICS,))


def told(*hours: int) -> Told:
    buckets = [Bucket("7_1", hour, array("d", [float(hour)]), BucketState.COMPLETE) for hour in hours]
    return Told("brand", Kind.MEDIA, "media_analytics", ("video_views",), NOW, buckets)


def hours_in(journal: JournalFile) -> list[int]:
    return [bucket.hour for bucket in journal.buckets()]


def test_what_was_answered_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "backfill-1.sqlite3"
    with Spool(path, NOW, keeps_figures=True) as spool:
        spool.keep(told(10, 11), ["7_1"], Span(10, 12))
        spool.keep(told(), ["7_1", "7_2"], Span(12, 14))
    with Spool(path, NOW, keeps_figures=True) as spool:
        assert spool.coverage.covers("7_1", Span(10, 14))
        assert spool.coverage.covers("7_2", Span(12, 14))
        assert not spool.coverage.covers("7_2", Span(11, 13))
        assert hours_in(spool.file) == [10, 11]


def test_without_anybody_to_hand_them_to_no_figures_are_kept_twice(tmp_path: Path) -> None:
    with Spool(tmp_path / "backfill-1.sqlite3", NOW, keeps_figures=False) as spool:
        spool.keep(told(10), ["7_1"], Span(10, 11))
        assert hours_in(spool.file) == []
        assert spool.coverage.covers("7_1", Span(10, 11))


def test_a_removed_spool_leaves_nothing_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "backfill-1.sqlite3"
    with Spool(path, NOW, keeps_figures=True) as spool:
        spool.keep(told(10), ["7_1"], Span(10, 11))
        spool.remove()
    assert [each.name for each in path.parent.iterdir()] == ["backfill.lock"]


def test_two_backfills_do_not_work_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "backfill-1.sqlite3"
    with (
        Spool(path, NOW, keeps_figures=True),
        pytest.raises(JournalError, match=r"Another backfill is at work in .*journal; wait until it is done"),
    ):
        Spool(path.with_name("backfill-2.sqlite3"), NOW, keeps_figures=True)
    with Spool(path, NOW, keeps_figures=True):
        pass


def test_a_spool_that_cannot_be_read_keeps_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "backfill-1.sqlite3"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    for _ in range(2):
        with pytest.raises(JournalError, match=r"backfill-1\.sqlite3"):
            Spool(path, NOW, keeps_figures=True)
    assert path.read_bytes().startswith(b"no database")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory should be", encoding="utf-8")
    with pytest.raises(
        JournalError, match=r"state cannot be written \(.*\); let `state_dir` name a directory"
    ):
        Spool(tmp_path / "state" / "backfill-1.sqlite3", NOW, keeps_figures=True)


def test_the_same_question_finds_the_same_spool(tmp_path: Path) -> None:
    def path(asked: Wanted, end: int = 5, *, keeps_figures: bool = True) -> Path:
        return spool_path(tmp_path, [asked], Span(1, end), keeps_figures=keeps_figures)

    # An item that is added meanwhile is asked for in the same spool: each one's hours are told apart.
    assert path(wanted()) == path(wanted(ids=("7_1", "7_2")))
    others = [path(wanted(), 6), path(wanted(), keeps_figures=False), path(wanted(MEDIA_METRICS[:2]))]
    assert len({path(wanted()), *others}) == 4


def test_the_journal_gets_the_hours_that_it_keeps_and_the_spool_all(tmp_path: Path) -> None:
    journal = JournalFile.open(tmp_path / "journal" / "journal.sqlite3", NOW)
    with Spool(tmp_path / "journal" / "backfill-1.sqlite3", NOW, keeps_figures=True) as spool:
        Store(journal, 11, spool).keeping.keep(told(10, 11, 12), ["7_1"], Span(10, 13))
        assert (hours_in(journal), hours_in(spool.file)) == ([11, 12], [10, 11, 12])
        (bucket, *_) = journal.buckets()
        assert (bucket.state, bucket.source) == (BucketState.COMPLETE, "media_analytics")
    journal.close()


def test_the_oldest_hour_kept_is_what_a_prune_leaves() -> None:
    assert first_kept_hour(100 * 3600 + 1800, 7 * 3600) == 93
