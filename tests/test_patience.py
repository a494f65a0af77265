from __future__ import annotations

from array import array
from math import nan

from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Answer, Item, ItemErrorType, ItemProblem, ItemReport, Kind
from exporter.polling.patience import REFUSED, Patience

HOUR = 3600.0
NOW = 1_791_403_500.0
ITEM = Item("13_1", Kind.MEDIA, "brand", "13_1")
OTHER = Item("13_2", Kind.MEDIA, "brand", "13_2")


def answer(*complaints: ItemErrorType, value: float | None = None, item: Item = ITEM) -> Answer:
    reports = () if value is None else (ItemReport(item.id, (NOW,), array("d", [value])),)
    return Answer(reports, tuple(ItemProblem(item.id, each, "") for each in complaints))


def polled(patience: Patience, told: Answer, hours: int) -> list[int]:
    """The hours in which an item is asked for that X always answers so."""
    asked = []
    for hour in range(hours):
        now = NOW + hour * HOUR
        if patience.due([ITEM], now):
            asked.append(hour)
            patience.learn([ITEM], told, now + 40)
    return asked


def test_what_is_not_ours_is_asked_for_once_a_day() -> None:
    for complaint in REFUSED:
        assert polled(Patience(), answer(complaint), 73) == [0, 24, 48, 72]


def test_what_x_does_not_know_is_asked_for_all_through_an_outage_and_then_four_times_a_day() -> None:
    asked = polled(Patience(), answer(ItemErrorType.RESOURCE_NOT_FOUND), 34)
    assert asked == [*range(10), 15, 21, 27, 33]


def test_what_carries_data_is_always_asked_for_whatever_else_x_says() -> None:
    told = answer(*ItemErrorType, value=3)
    assert polled(Patience(), told, 20) == list(range(20))


def test_silence_and_passing_faults_change_nothing() -> None:
    for complaint in (ItemErrorType.INTERNAL_ERROR, ItemErrorType.ENGAGEMENT_ERROR, ItemErrorType.OTHER):
        assert polled(Patience(), answer(complaint), 20) == list(range(20))
    assert polled(Patience(), Answer(()), 20) == list(range(20))


def test_an_item_that_comes_back_is_asked_for_in_every_poll_again() -> None:
    patience = Patience()
    patience.learn([ITEM], answer(ItemErrorType.DISALLOWED_RESOURCE), NOW)
    patience.learn([ITEM], answer(value=0), NOW + 24 * HOUR)
    assert patience.due([ITEM], NOW + 25 * HOUR) == [ITEM]


def test_a_report_without_a_number_is_no_data() -> None:
    patience = Patience()
    patience.learn([ITEM], answer(ItemErrorType.RESOURCE_UNAVAILABLE, value=nan), NOW)
    assert patience.due([ITEM], NOW + HOUR) == []


def test_one_good_answer_begins_the_doubt_anew() -> None:
    patience, unknown = Patience(), answer(ItemErrorType.RESOURCE_NOT_FOUND)
    patience.learn([ITEM], unknown, NOW)
    patience.learn([ITEM], answer(value=1), NOW + HOUR)
    patience.learn([ITEM], unknown, NOW + 12 * HOUR)
    assert patience.due([ITEM], NOW + 12.1 * HOUR) == [ITEM]


def test_the_others_of_a_batch_are_none_the_worse_and_keep_their_order() -> None:
    patience = Patience()
    patience.learn([ITEM, OTHER], answer(ItemErrorType.DISALLOWED_RESOURCE), NOW)
    assert patience.due([OTHER, ITEM], NOW + HOUR) == [OTHER]
    assert patience.due([OTHER, ITEM], NOW + 24 * HOUR) == [OTHER, ITEM]


def test_an_item_that_was_taken_out_of_the_watch_is_asked_for_at_once_when_it_returns() -> None:
    patience = Patience()
    patience.learn([ITEM, OTHER], answer(ItemErrorType.DISALLOWED_RESOURCE), NOW)
    patience.keep_only([OTHER])
    assert patience.due([ITEM], NOW + HOUR) == [ITEM]


COMPLAINTS = st.lists(st.sampled_from(ItemErrorType), max_size=3)


@given(st.lists(st.tuples(COMPLAINTS, st.floats(0, 50 * HOUR)), max_size=30))
def test_no_item_is_ever_left_out_for_longer_than_a_day(
    history: list[tuple[list[ItemErrorType], float]],
) -> None:
    patience, now = Patience(), NOW
    for complaints, pause in history:
        patience.learn([ITEM], answer(*complaints), now)
        assert patience.due([ITEM], now + 24 * HOUR) == [ITEM]
        now += pause
