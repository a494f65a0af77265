"""Asking again for the hour that X did not have yet when it was polled."""

from __future__ import annotations

import asyncio
import math
from array import array
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.load import parse_config
from exporter.config.settings import PollSettings
from exporter.figures.hours import Hours
from exporter.figures.state import ItemState
from exporter.model import Item, Kind
from exporter.plan import catch_up_requests, plan_for
from exporter.polling.catch_up import lacks, newest_hour, sampled, spare_requests
from exporter.polling.schedule import next_due
from exporter.simulator import Knobs, Limit
from exporter.xapi.limits import RateWindow
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, config_text, media_key, play, post_id
from tests.test_polling import LAST_HOUR, assert_true

MINUTE = 60.0
LATE = Knobs(lag_hours=1)
HOURLY = PollSettings(3600.0, 300.0, 0.0, 14400.0)


async def until(play: Play, at: float) -> None:
    """Let time pass until `at`, Unix seconds."""
    await asyncio.sleep(at - play.clock())


async def hour_with_x_late(play: Play, late_minutes: float | None, kind: Kind = Kind.MEDIA) -> None:
    """Poll at five past, with X having the last hour so many minutes after its end, until the next poll."""
    began = play.clock()
    play.x.turn(lag_hours=1)
    await play.engine.poll_on_schedule("brand", kind)
    if late_minutes is not None:
        await until(play, began // HOUR * HOUR + late_minutes * MINUTE)
        play.x.turn(lag_hours=0)
    await until(play, began + HOUR)


def minutes(play: Play, since: float = FIVE_PAST_EIGHT) -> list[int]:
    """When X was asked: minutes past the hour of the poll at `since`."""
    return [round((call.time - since) / MINUTE) + 5 for call in play.x.requests if call.time >= since]


def asked_ids(play: Play, place: int) -> set[str]:
    return set(parse_qs(play.x.requests[place].query)["media_keys"][0].split(","))


def test_an_hour_that_was_not_in_is_asked_for_again_five_ten_and_twenty_minutes_later() -> None:
    async def act(play: Play) -> None:
        await hour_with_x_late(play, None)
        assert minutes(play) == [5, 10, 15, 25]

    play(act)


@pytest.mark.parametrize(
    ("kind", "family"), [(Kind.MEDIA, "x_media_analytics"), (Kind.POST, "x_post_insights")]
)
def test_the_hour_is_shown_as_soon_as_it_is_asked_for_once_x_has_it(kind: Kind, family: str) -> None:
    item = media_key(0) if kind is Kind.MEDIA else post_id(0)

    async def act(play: Play) -> None:
        await hour_with_x_late(play, 12, kind)
        assert minutes(play) == [5, 10, 15]
        assert_true(play.x, play.text(), family, item, LAST_HOUR)

    play(act, text=config_text(media=1, posts=1))


def test_nothing_is_asked_and_no_timer_runs_while_nothing_lacks() -> None:
    async def act(play: Play) -> None:
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        assert play.waits == []
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    play(act)


def test_it_can_be_turned_off() -> None:
    async def act(play: Play) -> None:
        await hour_with_x_late(play, None)
        assert minutes(play) == [5]

    play(act, text=config_text(1, top="poll: {catch_up: false}"))


def test_only_what_lacks_is_asked_for_in_batches_of_its_own() -> None:
    async def act(play: Play) -> None:
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        shown = {
            item.id
            for item in play.feed().watch.items
            if (hours := play.engine.board.state(item.id).hours) and hours.last == LAST_HOUR // HOUR
        }
        await until(play, FIVE_PAST_EIGHT + HOUR)
        assert minutes(play) == [5, 5, 5, 10, 15, 25]
        for place in (3, 4, 5):
            assert asked_ids(play, place)
            assert asked_ids(play, place).isdisjoint(shown)

    play(act, text=config_text(media=300), knobs=Knobs(missing_ratio=0.2))


def test_while_x_does_not_have_the_hour_a_round_is_one_request_whatever_is_watched() -> None:
    async def act(play: Play) -> None:
        await hour_with_x_late(play, 12)
        assert minutes(play) == [5] * 5 + [10] + [15] * 5
        for number in range(0, 450, 50):
            assert_true(play.x, play.text(), "x_media_analytics", media_key(number), LAST_HOUR)

    play(act, text=config_text(media=450))


def test_the_sample_is_of_all_that_lack() -> None:
    async def act(play: Play) -> None:
        await hour_with_x_late(play, None)
        ids = asked_ids(play, 5)
        assert {media_key(number) for number in range(0, 450, 5)} == ids

    play(act, text=config_text(media=450))


@pytest.mark.parametrize(
    ("every", "expected"), [("1m", [5]), ("5m", [5]), ("10m", [5, 10]), ("20m", [5, 10, 15])]
)
def test_a_round_that_the_next_poll_comes_before_is_not_made(every: str, expected: list[int]) -> None:
    async def act(play: Play) -> None:
        await hour_with_x_late(play, None)
        assert minutes(play) == expected

    play(act, text=config_text(1, top=f"poll: {{every: {every}}}"))


def test_a_scheduled_poll_ends_the_rounds_of_the_one_before() -> None:
    async def act(play: Play) -> None:
        play.x.turn(lag_hours=1)
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        await until(play, FIVE_PAST_EIGHT + 7 * MINUTE)
        play.x.turn(lag_hours=0)
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        await until(play, FIVE_PAST_EIGHT + HOUR)
        assert minutes(play) == [5, 10, 12]

    play(act)


def test_a_parked_endpoint_is_left_alone() -> None:
    async def act(play: Play) -> None:
        play.x.turn(lag_hours=1)
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        play.x.fail("credits_depleted", "media_analytics")
        await until(play, FIVE_PAST_EIGHT + 50 * MINUTE)
        assert minutes(play) == [5, 10]

    play(act)


def test_an_account_that_x_no_longer_accepts_is_left_alone() -> None:
    async def act(play: Play) -> None:
        play.x.turn(lag_hours=1)
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        play.x.fail("unauthorized", "media_analytics")
        await until(play, FIVE_PAST_EIGHT + 50 * MINUTE)
        assert set(minutes(play)) == {5, 10}

    play(act)


def test_a_failure_ends_a_round_and_is_not_tried_again_before_the_next() -> None:
    async def act(play: Play) -> None:
        play.x.turn(lag_hours=1)
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        play.x.fail("service_unavailable", "media_analytics", until=FIVE_PAST_EIGHT + 7 * MINUTE)
        play.x.turn(lag_hours=0)
        await until(play, FIVE_PAST_EIGHT + 50 * MINUTE)
        assert minutes(play) == [5, 5, 5, 10, 15, 15, 15]
        assert play.endpoint_sample("x_exporter_poll_success") == 1

    play(act, text=config_text(media=300))


def test_items_that_the_poll_got_no_answer_for_are_left_to_the_next_poll() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await until(play, FIVE_PAST_EIGHT + HOUR)
        play.x.fail("invalid_request", "media_analytics", ids=(media_key(0),))
        before = len(play.x.requests)
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        polled = len(play.x.requests)
        await until(play, FIVE_PAST_EIGHT + 1.9 * HOUR)
        assert polled > before
        assert len(play.x.requests) == polled

    play(act, text=config_text(media=3))


def test_items_x_says_it_has_nothing_for_are_not_asked_for_again() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await until(play, FIVE_PAST_EIGHT + HOUR)
        play.x.fail("item_not_found", "media_analytics", ids=(media_key(0),))
        await hour_with_x_late(play, None)
        for place, call in enumerate(play.x.requests):
            if call.time > FIVE_PAST_EIGHT + HOUR + MINUTE:
                assert asked_ids(play, place) == {media_key(1)}

    play(act, text=config_text(media=2))


def test_an_item_that_has_been_quiet_for_hours_costs_no_request() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        asked = []
        for quiet_hours in range(1, 7):
            play.x.turn(lag_hours=quiet_hours)
            await until(play, next_due(play.clock(), HOUR, 300.0))
            before = len(play.x.requests)
            await play.engine.poll_on_schedule("brand", Kind.MEDIA)
            await until(play, play.clock() + 50 * MINUTE)
            asked.append(len(play.x.requests) - before - 1)
        assert asked == [3, 3, 3, 0, 0, 0]

    play(act)


def test_rounds_that_lie_well_before_x_usually_has_the_hour_are_left_out_but_the_last() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await until(play, FIVE_PAST_EIGHT + HOUR)
        asked = []
        for late_minutes in (40, 40, 20, 20, 20, 20):
            since = play.clock()
            await hour_with_x_late(play, late_minutes)
            asked.append(minutes(play, since)[1:])
        # What comes at 40 min is seen by the next poll, 65 min after the hour's end; what comes at 20, at 25.
        assert asked == [[10, 15, 25], [25], [25], [25], [15, 25], [15, 25]]

    play(act)


def test_a_limit_that_is_spent_is_not_asked_against() -> None:
    async def act(play: Play) -> None:
        await hour_with_x_late(play, None)
        assert {call.status for call in play.x.requests} == {200}
        assert len(play.x.requests) <= 3

    play(act, limits={"media_analytics": Limit(1)})


def test_a_daily_limit_is_kept_for_the_scheduled_polls() -> None:
    async def act(play: Play) -> None:
        for _ in range(30):
            await hour_with_x_late(play, None)
        statuses = [call.status for call in play.x.requests]
        assert set(statuses) == {200}
        assert len([at for at in minutes(play) if at % 60 == 5]) == 30

    play(act, limits={"media_analytics": Limit(300, daily=26)})


def test_a_reload_that_takes_the_account_away_ends_the_rounds() -> None:
    async def act(play: Play) -> None:
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        text = config_text(1).replace("name: brand", "name: other")
        await play.engine.apply(parse_config(text.encode(), "test.yaml", play.engine.config.file.parent, {}))  # type: ignore[union-attr]
        await until(play, FIVE_PAST_EIGHT + HOUR)
        assert minutes(play) == [5]

    play(act, knobs=LATE)


def test_a_reload_takes_what_it_turns_off_at_once() -> None:
    async def act(play: Play) -> None:
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        config = play.engine.config
        assert config is not None
        await play.engine.apply(replace(config, poll=replace(config.poll, catch_up=False)))
        await until(play, FIVE_PAST_EIGHT + HOUR)
        assert minutes(play) == [5]

    play(act, knobs=LATE)


def test_a_stop_ends_the_rounds() -> None:
    async def act(play: Play) -> None:
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        await play.engine.stop()
        await until(play, FIVE_PAST_EIGHT + HOUR)
        assert minutes(play) == [5]

    play(act, knobs=LATE)


def test_a_round_is_left_out_while_the_feed_is_polled() -> None:
    async def act(play: Play) -> None:
        await play.engine.poll_on_schedule("brand", Kind.MEDIA)
        async with play.feed().turn:
            await until(play, FIVE_PAST_EIGHT + 7 * MINUTE)
        await until(play, FIVE_PAST_EIGHT + HOUR)
        assert minutes(play) == [5, 15, 25]

    play(act, knobs=LATE)


@pytest.mark.parametrize("every", ["15m", "30m", "1h"])
def test_an_hour_never_costs_more_requests_than_the_plan_says(every: str) -> None:
    metrics = "    media_metrics: [video_views]\n    post_metrics: [impressions]"
    text = config_text(media=250, posts=30, extra=metrics, top=f"poll: {{every: {every}}}")

    async def act(play: Play) -> None:
        config = play.engine.config
        assert config is not None
        plan = plan_for(config)
        most = plan.requests_per_hour + plan.catch_up_requests
        await asyncio.gather(*(play.poll(kind) for kind in Kind))
        # Whole hours as the plan counts them: from one hour's first poll to the next one's.
        await until(play, FIVE_PAST_EIGHT + HOUR - 5 * MINUTE)
        for late_minutes in (12, 59, 7):
            began, before = play.clock(), len(play.x.requests)
            play.x.turn(lag_hours=1)
            turned = asyncio.create_task(turn_in_time(play, began + late_minutes * MINUTE))
            while (due := next_due(play.clock(), config.poll.every_seconds, 300.0)) < began + HOUR:
                await until(play, due)
                await asyncio.gather(*(play.engine.poll_on_schedule("brand", kind) for kind in Kind))
            await until(play, began + HOUR)
            await turned
            assert len(play.x.requests) - before <= most

    play(act, text=text)


async def turn_in_time(play: Play, at: float) -> None:
    await until(play, at)
    play.x.turn(lag_hours=0)


def state(last: int, *, up: bool | None = True) -> ItemState:
    return ItemState(up, Hours(last, 1, array("d", [1.0])), answered_at=FIVE_PAST_EIGHT)


@pytest.mark.parametrize(
    ("last", "expected"), [(100, False), (101, False), (99, True), (97, True), (96, False), (70, False)]
)
def test_an_item_lacks_the_hour_if_it_had_one_within_three_hours_before(last: int, *, expected: bool) -> None:
    assert lacks(state(last), 100) is expected


def test_an_item_without_data_or_without_any_hour_lacks_nothing_that_could_be_caught_up() -> None:
    assert not lacks(state(99, up=False), 100)
    assert not lacks(ItemState(up=True), 100)
    assert not lacks(ItemState(), 100)


@pytest.mark.parametrize(("settle", "expected"), [(0.0, 9), (300.0, 9), (301.0, 8)])
def test_the_newest_hour_is_the_one_that_has_ended_and_settled(settle: float, expected: int) -> None:
    assert newest_hour(10 * HOUR + 300, settle) == expected


@given(count=st.integers(0, 400), size=st.sampled_from([25, 100]))
def test_what_lacks_is_asked_for_in_as_few_requests_as_it_fits_in(count: int, size: int) -> None:
    items = [Item(str(number), Kind.POST, "brand", str(number)) for number in range(count)]
    batches = sampled(items, size)
    assert len(batches) == math.ceil(count / size)
    assert all(0 < len(batch) <= size for batch in batches)
    assert sorted(int(item.id) for batch in batches for item in batch) == list(range(count))


@pytest.mark.parametrize(
    ("remaining", "reset_hours", "expected"),
    [
        (10, 0.25, 10),  # no poll comes before the window opens anew
        (10, 1.0, 8),  # one does
        (10, 3.5, 4),
        (10, 8.0, -6),
        (0, -1.0, 0),
    ],
)
def test_what_the_scheduled_polls_will_need_is_not_spare(
    remaining: int, reset_hours: float, expected: int
) -> None:
    now = FIVE_PAST_EIGHT + 5 * MINUTE
    window = RateWindow(300, remaining, now + reset_hours * HOUR)
    assert spare_requests([window], 2, HOURLY, now) == expected


def test_of_several_windows_the_tightest_counts_and_unknown_ones_do_not() -> None:
    now = FIVE_PAST_EIGHT
    windows = [RateWindow(300, 7, now + 60), RateWindow(300, 5, now + 60), RateWindow(300, None, now + 60)]
    assert spare_requests(windows, 2, HOURLY, now) == 5
    assert spare_requests([RateWindow(300, 5, None)], 2, HOURLY, now) == math.inf


@pytest.mark.parametrize(
    ("requests", "every", "expected"),
    [(1, 3600, 3), (7, 3600, 9), (7, 1200, 8), (7, 600, 7), (7, 300, 0), (7, 60, 0), (2, 86400, 4)],
)
def test_the_budget_is_everything_once_and_a_look_for_each_other_round(
    requests: int, every: float, expected: int
) -> None:
    assert catch_up_requests(requests, every) == expected
