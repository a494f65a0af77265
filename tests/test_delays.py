"""How long after its end an hour is first told whole."""

from __future__ import annotations

import asyncio
from array import array
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.board import Absorbed
from exporter.figures.hours import Hours, merge
from exporter.figures.state import ItemState
from exporter.figures.window import AnswerHours, AnswerWindow
from exporter.model import ItemReport, Kind
from exporter.polling.delays import Delays
from exporter.selfmetrics.instruments import DELAY_SECONDS_BUCKETS
from tests.simulated import HOUR, Play, config_text, play

FIRST = 497_000


def known(*values: float, first: int = FIRST, answered_at: float | None = None) -> ItemState:
    """An item whose hours from `first` on have these figures."""
    return ItemState(up=True, hours=Hours(first, 1, array("d", values)), answered_at=answered_at)


def delays_of(play: Play, endpoint: str = "media_analytics") -> tuple[float, float]:
    """How many delays were observed, and their sum in seconds."""
    count = play.sample("x_exporter_bucket_delay_seconds_count", endpoint=endpoint)
    total = play.sample("x_exporter_bucket_delay_seconds_sum", endpoint=endpoint)
    assert count is not None
    assert total is not None
    return count, total


async def polls(play: Play, *pauses: float) -> None:
    for pause in pauses:
        await asyncio.sleep(pause)
        await play.poll()


def test_before_anything_is_known_the_histogram_stands_at_zero() -> None:
    async def act(play: Play) -> None:
        for endpoint in ("media_analytics", "insights_28hr", "tweets_analytics"):
            assert delays_of(play, endpoint) == (0, 0)

    play(act, text=config_text(1, 1))


def test_the_hours_of_the_first_answer_say_nothing() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        assert delays_of(play) == (0, 0)

    play(act)


def test_each_item_s_hour_counts_once_from_its_end_to_the_answer() -> None:
    async def act(play: Play) -> None:
        await polls(play, 0, HOUR, 600, 600)
        assert delays_of(play) == (3, 3 * 300)
        await play.poll(Kind.POST)
        await asyncio.sleep(HOUR)
        await play.poll(Kind.POST)
        assert delays_of(play, "insights_28hr") == (2, 2 * 1500)

    play(act, text=config_text(3, 2))


def test_an_hour_that_x_has_late_counts_when_it_comes() -> None:
    async def act(play: Play) -> None:
        play.x.turn(lag_hours=2)
        await polls(play, 0, HOUR)
        assert delays_of(play) == (1, 2 * HOUR + 300)
        play.x.turn(lag_hours=0)
        await polls(play, 600)
        # The two hours that were behind came together.
        assert delays_of(play) == (3, (2 * HOUR + 300) + (HOUR + 900) + 900)

    play(act)


def test_hours_that_ended_while_nobody_asked_for_long_say_nothing() -> None:
    async def act(play: Play) -> None:
        await polls(play, 0, 4 * HOUR)
        assert delays_of(play) == (0, 0)
        await polls(play, 2 * HOUR)
        assert delays_of(play) == (2, HOUR + 600)

    play(act)


def test_hours_read_anew_under_their_right_label_say_nothing() -> None:
    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        play.x.turn(label_end=True)
        await asyncio.sleep(HOUR)
        await play.poll(Kind.POST)
        assert delays_of(play, "insights_28hr") == (0, 0)

    play(act, text=config_text(posts=1))


def first_told(before: ItemState, told: dict[int, float]) -> list[int]:
    """Of the hours `told` by an answer, counted from FIRST, those that it was the first to tell."""
    starts = tuple(float((FIRST + hour) * HOUR) for hour in told)
    sent_at = (FIRST + 100) * HOUR
    window = AnswerWindow(sent_at, sent_at, 0, FIRST * HOUR, sent_at)
    merged = merge(before.hours, ItemReport("1", starts, array("d", told.values())), 1, AnswerHours(window))
    return [hour - FIRST for hour in merged.first_told]


@pytest.mark.parametrize(
    ("before", "told", "expected"),
    [
        (known(1, 2), {0: 1, 1: 2}, []),
        (known(1, 2), {1: 7}, []),
        (known(1, 2), {2: 3}, [2]),
        (known(1, 2), {2: nan, 3: 3}, [3]),
        (known(1, 2), {3: 3}, [3]),
        (known(1, nan, 3), {1: 2, 3: 4}, [1, 3]),
        (known(1, nan, 3), {1: 2, 2: 3, 3: 4}, [1, 3]),
        (known(1, nan, 3), {0: 1, 1: nan, 2: 3, 3: 4}, [3]),
        (known(1, nan, 3), {1: 2, 29: 4}, [29]),
        (known(1, 2), {40: 8, 41: 9}, [40, 41]),
        (known(1, 2), {41: 9, 40: 8}, [40, 41]),
        (known(1, 2), {3: nan}, []),
        (known(1, 2), {}, []),
        (ItemState(), {0: 1, 1: 2}, []),
        (ItemState(up=True), {1: 2, 0: 1}, []),
    ],
)
def test_what_is_told_for_the_first_time_is_what_was_not_known(
    before: ItemState, told: dict[int, float], expected: list[int]
) -> None:
    assert first_told(before, told) == expected


def learnt(*delay_minutes: float) -> Delays:
    """What hours teach that came in so many minutes after their end, one after the other."""
    delays = Delays()
    for place, minutes in enumerate(delay_minutes):
        received_at = (FIRST + place + 1) * HOUR + minutes * 60
        absorbed = Absorbed({}, {}, 0, {(received_at - HOUR, FIRST + place): 1})
        window = AnswerWindow(received_at, received_at)
        assert delays.learn(absorbed, window, HOUR) == {minutes * 60: 1}
    return delays


def test_nothing_is_known_before_the_first_hour() -> None:
    assert Delays().median_seconds() is None


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [((5,), 5), ((5, 25), 5), ((25, 5, 25), 25), ((5, 5, 5, 65, 65, 65, 65), 65), ((65,) * 6 + (5,) * 3, 5)],
)
def test_the_usual_delay_is_the_median_of_the_last_six_hours(minutes: list[float], expected: float) -> None:
    assert learnt(*minutes).median_seconds() == expected * 60


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20))
def test_the_usual_delay_is_one_that_was_seen_lately(minutes: list[float]) -> None:
    assert learnt(*minutes).median_seconds() in [each * 60 for each in minutes[-6:]]


def test_the_buckets_tell_the_rounds_of_catching_up_apart() -> None:
    seen_at = [305, 605, 905, 1505, 3905]
    within = [next(bound for bound in DELAY_SECONDS_BUCKETS if each <= bound) for each in seen_at]
    assert len(set(within)) == len(seen_at)
    assert (DELAY_SECONDS_BUCKETS[0], DELAY_SECONDS_BUCKETS[-1]) == (60, 12 * HOUR)
