"""Hours that wait to be sent on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from exporter.journal import JournalFile
from exporter.model import HOUR_SECONDS
from tests.journal_support import (
    CUT,
    HOUR,
    NONE,
    NOW,
    RUNNING,
    bucket,
    numbers,
    only,
    opened,
    saved,
    told,
)


def waiting(journal: JournalFile, last_hour: int = HOUR + 100) -> list[tuple[int, str]]:
    return sorted((each.hour, each.item_id) for each in journal.outbox_take(last_hour, 1000))


def test_nothing_waits_while_the_outbox_is_closed(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(bucket("1", HOUR, 1, 2, 3))])
        assert journal.outbox_size() == (0, None)


def test_opening_queues_what_is_complete_from_the_first_hour_on_once(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write(
            [
                told(*(bucket("1", HOUR - hour, 1, 2, 3) for hour in range(5))),
                told(bucket("2", HOUR, 1, 2, 3, state=RUNNING)),
            ]
        )
        journal.open_outbox(HOUR - 1)
        assert waiting(journal) == [(HOUR - 1, "1"), (HOUR, "1")]
        journal.outbox_done([("1", HOUR)])
        journal.open_outbox(HOUR - 4)
        assert waiting(journal) == [(HOUR - 1, "1")]


def test_an_hour_waits_from_when_it_is_first_complete_and_only_then(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        for state in (CUT, RUNNING):
            journal.write([told(bucket("1", HOUR, 1, 2, 3, state=state))])
            assert waiting(journal) == []
        journal.write([told(bucket("1", HOUR, NONE, NONE, NONE))])
        assert waiting(journal) == []
        journal.write([told(bucket("1", HOUR, 1, 2, 3))])
        assert waiting(journal) == [(HOUR, "1")]
        journal.outbox_done([("1", HOUR)])
        journal.write([told(bucket("1", HOUR, 4, 5, 6))])
        assert waiting(journal) == []


def test_what_another_process_writes_waits_too(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as daemon, closing(opened(tmp_path)) as other:
        daemon.open_outbox(0)
        other.write([told(bucket("1", HOUR, 1, 2, 3))])
        assert waiting(daemon) == [(HOUR, "1")]


def test_what_polls_do_not_tell_any_more_does_not_wait(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(bucket("1", HOUR - 28, 1, 2, 3), bucket("1", HOUR - 48, 1, 2, 3))])
        assert waiting(journal) == [(HOUR - 28, "1")]


def test_the_oldest_hours_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(*(bucket(item, HOUR - hour, 1, 2, 3) for item in "12" for hour in range(5)))])
        assert [each.hour for each in journal.outbox_take(HOUR, 3)] == [HOUR - 4, HOUR - 4, HOUR - 3]
        assert {each.hour for each in journal.outbox_take(HOUR - 4, 10)} == {HOUR - 4}
        assert journal.outbox_size() == (10, HOUR - 4)
        assert journal.outbox_size(HOUR - 3) == (4, HOUR - 4)


def test_what_was_handed_out_stays_the_same_until_it_is_done(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.open_outbox(0)
    journal.write([told(bucket("1", HOUR, 1, 2, 3))])
    journal.write([told(bucket("1", HOUR, 4, NONE, 6))])
    first = numbers(only(journal.outbox_take(HOUR, 10)))
    assert first == {"impressions": 4, "video_views": 6}
    journal.write([told(bucket("1", HOUR, 7, 8, 9))])
    journal.write([told(bucket("1", HOUR, 10), metrics=("replies",))])
    journal.close()
    with closing(opened(tmp_path)) as journal:
        assert numbers(only(journal.outbox_take(HOUR, 10))) == first
        journal.outbox_done([("1", HOUR), ("1", HOUR + 1), ("unknown", HOUR)])
        assert journal.outbox_size() == (0, None)


def test_an_hour_waits_until_x_was_asked_after_it_settled(tmp_path: Path) -> None:
    settle = 7200.0
    settled_at = (HOUR + 1) * HOUR_SECONDS + settle
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(bucket("1", HOUR, 1, 2, 3))], [saved("1", settled_at - 1)])
        assert journal.outbox_take(HOUR, 10, settle) == []
        journal.write([told(bucket("1", HOUR, 4, 5, 6))], [saved("1", settled_at)])
        assert numbers(only(journal.outbox_take(HOUR, 10, settle)))["impressions"] == 4


def test_an_hour_that_x_tells_no_more_waits_for_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(bucket("1", HOUR, 1, 2, 3))], [saved("1", NOW)])
        assert journal.outbox_take(HOUR + 28, 10, 7200.0) == []
        assert len(journal.outbox_take(HOUR + 29, 10, 7200.0)) == 1


def test_closing_drops_what_waits_and_opening_begins_anew(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(bucket("1", HOUR, 1, 2, 3))])
        journal.close_outbox()
        journal.write([told(bucket("2", HOUR, 1, 2, 3))])
        assert journal.outbox_size() == (0, None)
        journal.open_outbox(HOUR)
        assert waiting(journal) == [(HOUR, "1"), (HOUR, "2")]


def test_hours_past_their_time_wait_no_longer(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(*(bucket("1", HOUR - hour, 1, 2, 3) for hour in range(4)))])
        journal.prune(HOUR - 1)
        assert waiting(journal) == [(HOUR - 1, "1"), (HOUR, "1")]
