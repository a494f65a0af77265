"""Weeks of virtual time with outages, revisions, restarts and limits: no figure is ever untrue."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from exporter.model import Item, Kind
from exporter.polling.schedule import next_due
from exporter.simulator import Knobs, Limit
from exporter.vocabulary import Metric
from tests.simulated import HOUR, Play, config_text, play

EVERY_SECONDS, OFFSET_SECONDS = 3600.0, 300.0
TROUBLES = (
    "internal_server_error",
    "service_unavailable",
    "bad_gateway",
    "rate_limited",
    "unauthorized",
    "credits_depleted",
    "forbidden",
    "cut",
    "wrong_types",
    "errors_only",
    "item_not_found",
    "item_internal_error",
    "client_not_enrolled",
)


async def live_through(play: Play, hours: int, chance: random.Random) -> None:
    """Poll on schedule for so long, while one thing or another goes wrong in most hours."""
    for _ in range(hours):
        await asyncio.sleep(next_due(play.clock(), EVERY_SECONDS, OFFSET_SECONDS) - play.clock())
        if chance.random() < 0.4:
            begins = play.clock() + chance.uniform(-1800, 1800)
            play.x.fail(
                chance.choice(TROUBLES),
                chance.choice(["media_analytics", "insights_28hr", "*"]),
                since=begins,
                until=begins + chance.uniform(10, 3 * HOUR),
                probability=chance.choice([0.2, 0.7, 1.0]),
            )
        if chance.random() < 0.1:
            play.x.turn(date_skew_seconds=chance.choice([0.0, 0.0, 90.0, -90.0]))
        if chance.random() < 0.05:
            await play.restart()
        deadline = next_due(play.clock(), EVERY_SECONDS, OFFSET_SECONDS) - play.clock() - 1
        await asyncio.gather(*(play.poll(kind, within=deadline) for kind in Kind), return_exceptions=False)
        assert_nothing_untrue(play)


def watched(play: Play) -> list[tuple[Item, tuple[Metric, ...]]]:
    return [(item, watch.metrics) for watch in play.engine.watches for item in watch.items]


def assert_nothing_untrue(play: Play) -> None:
    """Every number shown is what X reported for that hour when it was last asked."""
    for item, metrics in watched(play):
        state = play.engine.board.state(item.id)
        if state.hours is None or state.is_stale(play.clock(), 4 * HOUR):
            continue
        assert state.hours.shown_end_seconds <= play.clock()
        # An answer without the item leaves what an earlier one told.
        if state.up and state.answered_at is not None:
            hour, at = state.hours.shown_start_seconds, state.answered_at
            for metric, value in zip(metrics, state.hours.shown, strict=True):
                assert math.isnan(value) or value == play.x.reported(item.id, metric.name, hour, at)


def assert_everything_true(play: Play) -> None:
    """Every figure of every item stands, for the newest hour, and is the final truth, as are the sums."""
    newest = play.clock() // HOUR * HOUR - HOUR
    for item, metrics in watched(play):
        hours = play.engine.board.state(item.id).hours
        assert hours is not None
        assert hours.shown_start_seconds == newest
        for hour, row in hours.rows():
            for metric, value in zip(metrics, row, strict=True):
                assert value == play.x.truth(item.id, metric.name, int(hour * HOUR))
        assert hours.covered >= 27


@pytest.mark.parametrize("seed", range(4))
def test_after_weeks_of_trouble_every_figure_is_the_truth(seed: int, *, soak: bool) -> None:
    days = 30 if soak else 3
    chance = random.Random(seed)

    async def act(play: Play) -> None:
        await live_through(play, 24 * days, chance)
        play.x.faults.clear()
        play.x.turn(date_skew_seconds=0.0, revision_hours=0.0)
        # Endpoints that were parked are asked again within a day.
        await live_through_quietly(play, 26)
        assert_everything_true(play)

    play(
        act,
        text=config_text(media=3, posts=2, extra="    post_source: insights_28hr"),
        knobs=Knobs(revision_hours=3.0, missing_ratio=0.0, shuffle=True),
        limits={"media_analytics": Limit(3, 900)},
        random=chance.random,
    )


async def live_through_quietly(play: Play, hours: int) -> None:
    """Poll on schedule for so long, with nothing going wrong."""
    for _ in range(hours):
        await asyncio.sleep(next_due(play.clock(), EVERY_SECONDS, OFFSET_SECONDS) - play.clock())
        await asyncio.gather(*(play.poll(kind) for kind in Kind))
