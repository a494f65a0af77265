"""What leaves the journal, and what it says of how hours settle."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from exporter.journal import JournalFile, Settling, Told
from exporter.model import HOUR_SECONDS
from tests.journal_support import HOUR, NONE, NOW, RUNNING, bucket, opened, saved, standing, told


def test_hours_before_the_given_one_go_and_no_other(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(*(bucket(item, HOUR - hour, 1, 2, 3) for item in "123" for hour in range(10)))])
        assert journal.prune(HOUR - 3) == 3 * 6
        assert {hour for _, hour in standing(journal)} == {HOUR - hour for hour in range(4)}
        assert journal.prune(HOUR - 3) == 0


def test_an_item_that_x_still_answers_about_keeps_its_newest_hour(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write(
            [told(*(bucket(item, HOUR - hour, 1, 2, 3) for item in "12" for hour in range(3)))],
            [saved("1", (HOUR + 50) * HOUR_SECONDS)],
        )
        journal.prune(HOUR + 10)
        assert list(standing(journal)) == [("1", HOUR)]
        assert journal.newest_complete(["1", "2"]) == {"1": HOUR}


def test_an_item_that_is_not_told_of_any_more_leaves_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(bucket("1", HOUR, 1, 2, 3))], [saved("1", NOW), saved("2", NOW)])
        journal.prune(HOUR + 10)
        assert (standing(journal), journal.states(["1", "2"])) == ({}, {})


def test_forgetting_strikes_out_the_later_hours_of_the_named_items(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.open_outbox(0)
        journal.write([told(*(bucket(item, HOUR - hour, 1, 2, 3) for item in "12" for hour in range(3)))])
        journal.forget_hours(["1"], HOUR - 1)
        assert sorted(standing(journal)) == [("1", HOUR - 2), ("2", HOUR - 2), ("2", HOUR - 1), ("2", HOUR)]
        assert journal.newest_complete(["1", "2"]) == {"1": HOUR - 2, "2": HOUR}
        assert journal.outbox_size() == (4, HOUR - 2)


def test_an_hour_forgotten_and_told_again_begins_anew(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(bucket("1", HOUR, 1, 2, 3))])
        journal.forget_hours(["1"], HOUR)
        journal.write([told(bucket("1", HOUR, 4, 5, 6), seen_at=NOW + 60)])
        (stored,) = journal.buckets()
        assert (stored.revisions, stored.first_seen, stored.completed_at) == (0, NOW + 60, NOW + 60)


def heard(item: str, hour: int, figure: float, minutes_after: float) -> Told:
    """An hour told complete some minutes after its end."""
    seen_at = (hour + 1) * HOUR_SECONDS + minutes_after * 60
    return told(bucket(item, hour, figure, 0, 0), seen_at=seen_at)


def settled(journal: JournalFile) -> Settling | None:
    return journal.settling(HOUR - 100, HOUR + 100).get("insights_28hr")


def test_the_age_of_hours_at_their_last_change_is_told_by_percentile(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([heard("1", HOUR - hour, 1, 5 + hour) for hour in range(10)])
        assert settled(journal) == Settling(9 * 60, 13 * 60, 14 * 60, 14 * 60, hours=10, restated=0)
        journal.write([heard("1", HOUR - 3, 2, 120)])
        assert settled(journal) == Settling(10 * 60, 14 * 60, 120 * 60, 120 * 60, hours=10, restated=1)


def test_only_hours_from_the_first_to_before_the_last_are_looked_at(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([heard("1", HOUR - hour, 1, hour) for hour in range(5)])
        assert journal.settling(HOUR - 2, HOUR) == {"insights_28hr": Settling(60, 120, 120, 120, 2, 0)}


def test_of_hours_that_came_together_only_the_newest_says_how_soon_x_tells(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        # The first answer, of a sparse item: nobody saw how long the older hours had been there.
        journal.write([told(*(bucket("1", HOUR - hour, 1, 2, 3) for hour in (0, 3, 9, 20)), seen_at=NOW)])
        assert settled(journal) == Settling(300, 300, 300, 300, 1, 0)


def test_a_backfill_says_nothing_of_how_soon_x_tells(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([heard("1", HOUR, 1, 40 * 60)])
        journal.write([heard("2", HOUR, 1, 5), heard("2", HOUR, 2, 60 * 60)])
        assert settled(journal) is None


def test_hours_that_are_not_complete_or_have_no_number_say_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(bucket("1", HOUR, 1, 2, 3, state=RUNNING), bucket("2", HOUR, NONE, NONE, NONE))])
        assert settled(journal) is None
