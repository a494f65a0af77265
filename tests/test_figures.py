from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from exporter.figures.hours import Hours, merge
from exporter.figures.state import ItemState, absorbed
from exporter.figures.window import AnswerHours, AnswerWindow, labels_name_ends
from exporter.model import HOUR_SECONDS, ItemErrorType, ItemProblem, ItemReport, created_timestamp_seconds

NAN = math.nan
# 2026-10-07T20:00:00Z as hours since the epoch.
EIGHT = 1_791_403_200 // HOUR_SECONDS


def at(hour: float) -> float:
    """`hour` hours after 20:00, Unix seconds."""
    return (EIGHT + hour) * HOUR_SECONDS


def report(buckets: Sequence[tuple[float, float]], total: float | None = None) -> ItemReport:
    """A report of one metric: (hour after 20:00, amount) in the order given."""
    return ItemReport(
        "1",
        tuple(at(hour) for hour, _ in buckets),
        array("d", [amount for _, amount in buckets]),
        None if total is None else array("d", [total]),
    )


def sliding(now: float, *, settle_hours: float = 0, ends: bool = False) -> AnswerWindow:
    return AnswerWindow(at(now), at(now), settle_hours * HOUR_SECONDS, labels_name_ends=ends)


def bounded(start: float, end: float, *, sent: float) -> AnswerWindow:
    return AnswerWindow(at(sent), at(sent), 0, at(start), at(end))


def merged(buckets: Sequence[tuple[float, float]], window: AnswerWindow, known: Hours | None = None) -> Hours:
    hours = merge(known, report(buckets), 1, AnswerHours(window)).hours
    assert hours is not None
    return hours


def test_the_hour_shown_is_the_newest_complete_one() -> None:
    hours = merged([(-2, 5), (-1, 7), (0, 3)], sliding(0.1))
    assert (hours.last, list(hours.shown)) == (EIGHT - 1, [7])


def test_an_hour_that_ends_at_the_moment_of_the_answer_is_complete() -> None:
    assert merged([(-1, 7)], sliding(0)).last == EIGHT - 1


def test_a_running_hour_is_not_shown() -> None:
    assert merge(None, report([(0, 3)]), 1, AnswerHours(sliding(0.99))).hours is None


def test_a_running_hour_does_not_become_complete_unread() -> None:
    before = merged([(-1, 7), (0, 3)], sliding(0.1))
    later = merged([(-1, 7)], sliding(1.1), before)
    assert later.last == EIGHT - 1


def test_an_hour_counts_as_complete_only_once_it_has_settled() -> None:
    assert merged([(-2, 5), (-1, 7)], sliding(0.4, settle_hours=0.5)).last == EIGHT - 2
    assert merged([(-2, 5), (-1, 7)], sliding(0.5, settle_hours=0.5)).last == EIGHT - 1


def test_an_answer_on_its_way_since_before_the_hour_ended_does_not_complete_it() -> None:
    window = AnswerWindow(sent_at=at(0) - 0.5, received_at=at(0) + 0.5)
    assert merge(None, report([(-1, 7)]), 1, AnswerHours(window)).hours is None


def test_the_cut_first_hour_of_a_sliding_answer_is_not_shown() -> None:
    hours = merged([(-28, 9), (-27, 4), (-1, 7)], sliding(0.1))
    assert hours.first == EIGHT - 27


def test_the_first_hour_of_a_sliding_answer_on_the_hour_is_whole() -> None:
    assert merged([(-28, 9), (-1, 7)], sliding(0)).first == EIGHT - 28


def test_a_first_hour_that_was_cut_while_the_answer_travelled_is_not_shown() -> None:
    window = AnswerWindow(sent_at=at(0), received_at=at(0) + 0.5)
    assert merged([(-28, 9), (-27, 4), (-1, 7)], window).first == EIGHT - 27


def test_a_cut_hour_never_replaces_a_fuller_one() -> None:
    before = merged([(hour, 10) for hour in range(-28, 0)], sliding(0))
    later = merged([(-27, 1), *((hour, 10) for hour in range(-26, 1))], sliding(1.1), before)
    assert (later.covered, list(later.sums)) == (28, [280])


def test_the_first_hour_of_given_bounds_is_whole() -> None:
    assert merged([(-28, 9), (-1, 7)], bounded(-28, 0, sent=0.1)).first == EIGHT - 28


def test_a_bucket_at_the_end_of_given_bounds_is_dropped() -> None:
    assert merged([(-1, 7), (0, 3)], bounded(-28, 0, sent=5)).last == EIGHT - 1


def test_a_bucket_before_given_bounds_is_dropped() -> None:
    assert merged([(-29, 7), (-1, 3)], bounded(-28, 0, sent=5)).first == EIGHT - 1


def test_a_label_off_the_hour_is_no_hour() -> None:
    assert merge(None, report([(-1.5, 7)]), 1, AnswerHours(sliding(0.1))).hours is None


def test_labels_that_name_ends_are_moved_to_the_start_of_their_hour() -> None:
    hours = merged([(0, 7), (1, 3)], sliding(0.1, ends=True))
    assert (hours.last, list(hours.shown)) == (EIGHT - 1, [7])


def test_a_newest_label_in_the_future_tells_that_labels_name_ends() -> None:
    assert labels_name_ends([at(-1), at(1)], at(0.1))
    assert not labels_name_ends([at(-1), at(0)], at(0.1))
    assert not labels_name_ends([], at(0.1))


def test_a_label_ahead_by_less_than_a_minute_is_a_clock_apart() -> None:
    assert not labels_name_ends([at(0)], at(0) - 59)


def test_the_newest_answer_wins() -> None:
    before = merged([(-2, 5), (-1, 7)], sliding(0.1))
    outcome = merge(before, report([(-2, 6), (-1, 7)]), 1, AnswerHours(sliding(0.2)))
    assert outcome.hours is not None
    assert (list(outcome.hours.sums), outcome.revised) == ([13], 1)


def test_an_hour_that_the_newest_answer_takes_back_is_absent() -> None:
    before = merged([(-2, 5), (-1, 7)], sliding(0.1))
    assert merged([(-1, NAN)], sliding(0.2), before).last == EIGHT - 2


def test_an_hour_that_an_answer_leaves_out_stays() -> None:
    before = merged([(-2, 5), (-1, 7)], sliding(0.1))
    assert list(merged([(-1, 8)], sliding(0.2), before).sums) == [13]


def test_one_answer_may_tell_an_hour_in_parts() -> None:
    parts = ItemReport("1", (at(-1), at(-1)), array("d", [1, NAN, NAN, 2]))
    hours = merge(None, parts, 2, AnswerHours(sliding(0.1))).hours
    assert hours is not None
    assert list(hours.shown) == [1, 2]


def test_of_a_repeated_bucket_the_later_one_counts() -> None:
    assert list(merged([(-1, 7), (-1, 8)], sliding(0.1)).shown) == [8]


def test_an_hour_without_any_number_is_not_the_hour_shown() -> None:
    assert merged([(-2, 5), (-1, NAN)], sliding(0.1)).last == EIGHT - 2


def test_a_gap_is_not_counted_as_zero() -> None:
    hours = merged([(-5, 2), (-1, 3)], sliding(0.1))
    assert (list(hours.sums), hours.covered, hours.count) == ([5], 2, 5)


def test_sums_reach_over_28_hours_and_no_further() -> None:
    known = None
    for now in range(40):
        known = merged([(now - 1, 1)], sliding(now + 0.1), known)
    assert known is not None
    assert (list(known.sums), known.covered, known.count) == ([28], 28, 28)


def test_a_sum_that_no_float_holds_is_absent() -> None:
    assert math.isnan(merged([(-2, 1.7e308), (-1, 1.7e308)], sliding(0.1)).sums[0])
    assert math.isnan(merged([(-3, NAN), (-2, 1.7e308), (-1, 1.7e308)], sliding(0.1)).sums[0])


odd = st.sampled_from([0.5, -3.0, 2.0**52, 2.0**60, -(2.0**60), NAN])
three_hours = st.lists(st.integers(0, 9).map(float) | odd, min_size=6, max_size=6)


@given(st.lists(three_hours, max_size=35))
@example([[0.0] * 6, [0.0] * 5 + [2.0**52], [0.0] * 5 + [0.5]])
@example([[0.0] * 6, [2.0**60, 0.0, -(2.0**60), 0.0, 0.0, 0.0]])
def test_sums_carried_on_from_hour_to_hour_are_those_of_the_hours(told: list[list[float]]) -> None:
    starts = tuple(at(hour) for hour in range(-28, 0))
    day = ItemReport("1", starts, array("d", range(56)))
    known = merge(None, day, 2, AnswerHours(sliding(0))).hours
    for now, numbers in enumerate(told, start=1):
        starts = tuple(at(now + hour) for hour in (-3, -2, -1))
        later = ItemReport("1", starts, array("d", numbers))
        known = merge(known, later, 2, AnswerHours(sliding(now))).hours
        assert known is not None
        anew = Hours(known.first, 2, known.values)
        assert (repr(known.sums), known.covered) == (repr(anew.sums), anew.covered)


def test_sums_beyond_what_a_float_counts_by_ones_are_rounded_once() -> None:
    hours = merged([(-3, 2.0**53), (-2, 1), (-1, 1)], sliding(0.1))
    assert list(hours.sums) == [2.0**53 + 2]


def test_a_metric_without_any_number_has_no_sum() -> None:
    hours = merge(None, ItemReport("1", (at(-1),), array("d", [1, NAN])), 2, AnswerHours(sliding(0.1))).hours
    assert hours is not None
    assert [math.isnan(total) for total in hours.sums] == [False, True]


def test_columns_can_be_chosen_anew() -> None:
    hours = merge(None, ItemReport("1", (at(-1),), array("d", [1, 2])), 2, AnswerHours(sliding(0.1))).hours
    assert hours is not None
    swapped = hours.reshaped([1, None, 0])
    assert swapped is not None
    assert [value for value in swapped.shown if not math.isnan(value)] == [2, 1]
    assert hours.reshaped([None]) is None


def test_staleness_counts_from_the_end_of_the_hour_shown() -> None:
    state = ItemState(hours=merged([(-1, 7)], sliding(0.1)))
    four_hours = 4 * HOUR_SECONDS
    assert not state.is_stale(at(4), four_hours)
    assert state.is_stale(at(4) + 0.001, four_hours)


def test_a_total_without_any_hour_grows_stale_from_its_answer() -> None:
    state, _ = absorbed(ItemState(), report([], total=5), (), 1, AnswerHours(sliding(0.1)))
    assert not state.is_stale(at(4.1), 4 * HOUR_SECONDS)
    assert state.is_stale(at(4.2), 4 * HOUR_SECONDS)


def test_nothing_known_is_stale() -> None:
    assert ItemState().is_stale(0, 1)


def test_up_is_whether_the_last_answer_carried_data() -> None:
    state, _ = absorbed(ItemState(), report([(-1, 7)]), (), 1, AnswerHours(sliding(0.1)))
    assert state.up is True
    state, _ = absorbed(state, None, (), 1, AnswerHours(sliding(1.1)))
    assert (state.up, state.hours is None) == (False, False)
    state, _ = absorbed(state, report([(0, NAN)]), (), 1, AnswerHours(sliding(1.2)))
    assert state.up is False


def test_a_running_hour_alone_is_data() -> None:
    state, _ = absorbed(ItemState(), report([(0, 7)]), (), 1, AnswerHours(sliding(0.1)))
    assert (state.up, state.hours) == (True, None)


def test_a_total_stands_only_as_long_as_x_sends_it() -> None:
    state, _ = absorbed(ItemState(), report([(-1, 7)], total=9), (), 1, AnswerHours(sliding(0.1)))
    assert state.total is not None
    state, _ = absorbed(state, report([(-1, 7)]), (), 1, AnswerHours(sliding(0.2)))
    assert state.total is None


def test_what_x_complained_of_is_kept_until_its_next_answer() -> None:
    problem = ItemProblem("1", ItemErrorType.RESOURCE_NOT_FOUND, "gone")
    state, _ = absorbed(ItemState(), None, (problem,), 1, AnswerHours(sliding(0.1)))
    assert state.problems == (problem,)
    state, _ = absorbed(state, report([(-1, 7)]), (), 1, AnswerHours(sliding(0.2)))
    assert state.problems == ()


def test_creation_time_is_read_from_the_snowflake() -> None:
    assert created_timestamp_seconds("1346889436626259968") == 1609958440.344
    assert created_timestamp_seconds("13_1346889436626259968") == 1609958440.344


def test_ids_older_than_snowflakes_have_no_creation_time() -> None:
    assert created_timestamp_seconds("20") is None
    assert created_timestamp_seconds("7_29999999999") is None
    assert created_timestamp_seconds("30000000000") is not None


AMOUNTS = st.one_of(st.just(NAN), st.integers(0, 10**6).map(float))
# Answers as X usually gives them: hours without a gap, each with a number or none.
RUNS = st.builds(
    lambda first, amounts: [(first + index, amount) for index, amount in enumerate(amounts)],
    st.integers(-30, 0),
    st.lists(AMOUNTS, min_size=1, max_size=31),
)


@given(st.data())
def test_any_history_of_answers_shows_the_truth_of_complete_hours(data: st.DataObject) -> None:
    """Against a plain dict: hour to the amount of the newest answer that told it whole."""
    truth: dict[int, float] = {}
    known: Hours | None = None
    now = 0.0
    for _ in range(data.draw(st.integers(1, 6))):
        now += data.draw(st.sampled_from([0.25, 1, 1.5, 7, 40]))
        told = data.draw(RUNS | st.lists(st.tuples(st.integers(-32, 2), AMOUNTS), max_size=35))
        buckets = [(math.floor(now) + hour, amount) for hour, amount in told]
        answer: dict[int, float] = {}
        for hour, amount in buckets:
            if now - 28 <= hour and hour + 1 <= now and not (math.isnan(amount) and hour in answer):
                answer[hour] = amount
        truth |= answer
        known = merge(known, report(buckets), 1, AnswerHours(sliding(now))).hours
        numbers = {hour: amount for hour, amount in truth.items() if not math.isnan(amount)}
        if not numbers:
            assert known is None
            continue
        newest = max(numbers)
        window = {hour: amount for hour, amount in numbers.items() if newest - 28 < hour}
        truth = {hour: amount for hour, amount in truth.items() if newest - 28 < hour <= newest}
        assert known is not None
        assert known.last == EIGHT + newest
        assert list(known.shown) == [numbers[newest]]
        assert (list(known.sums), known.covered) == ([sum(window.values())], len(window))


@given(st.permutations(range(-28, 1)), st.integers(0, 3))
def test_neither_order_nor_repetition_of_buckets_matters(order: list[int], repeats: int) -> None:
    buckets = [(hour, float(100 + hour)) for hour in order]
    window = sliding(0.1)
    assert merged(buckets + buckets[:repeats], window) == merged(sorted(buckets), window)


@given(
    label=st.floats(-40, 5).map(at),
    settle_hours=st.floats(0, 3),
    travel_seconds=st.floats(0, 3600),
    ends=st.booleans(),
)
def test_only_whole_complete_hours_of_the_window_are_taken(
    *, label: float, settle_hours: float, travel_seconds: float, ends: bool
) -> None:
    window = AnswerWindow(at(0), at(0) + travel_seconds, settle_hours * 3600, labels_name_ends=ends)
    for aligned in (label, label // HOUR_SECONDS * HOUR_SECONDS):
        for hour, _ in AnswerHours(window).told((aligned,)).rows:
            assert aligned % HOUR_SECONDS == 0
            assert hour * HOUR_SECONDS == aligned - HOUR_SECONDS * ends
            assert (hour + 1) * HOUR_SECONDS + settle_hours * 3600 <= window.sent_at
            assert hour * HOUR_SECONDS >= window.received_at - 28 * HOUR_SECONDS
