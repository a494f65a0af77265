"""A thousand media against a limit of three requests in five seconds, over real sockets."""

from __future__ import annotations

import math
import time

import pytest

from exporter.model import Endpoint
from exporter.selfmetrics.instruments import PollOutcome
from exporter.simulator import Limit
from tests.live import Leaping, Live, config_text, live
from tests.simulated import media_key

# One metric is enough, and spares the simulated X the work.
TEXT = config_text(media=[media_key(number) for number in range(1000)]) + "    media_metrics: [video_views]\n"
TIGHT = Limit(3, 5)


async def all_arrive(stage: Live) -> None:
    stage.x.limiter.set("media_analytics", TIGHT)
    assert (await stage.poll()).outcome is PollOutcome.SUCCESS
    # First contact tells the limit; from then on nothing is refused.
    assert stage.calls() == [200] * 10
    text = stage.text()
    assert text.count("\nx_media_up{") == 1000
    assert text.count('metric="video_views"}') == 2 * 1000


def test_all_data_arrives_and_nothing_is_refused() -> None:
    async def act(stage: Live) -> None:
        started = stage.clock()
        await all_arrive(stage)
        # Four windows of five seconds hold ten requests, in three pauses.
        assert 14 <= stage.clock() - started < 40

    live(act, TEXT)


def test_figures_are_shown_as_they_come_and_a_scrape_does_not_wait() -> None:
    async def act(stage: Live) -> None:
        stage.x.limiter.set("media_analytics", TIGHT)
        shown: list[int] = []
        feed = stage.feed()

        def progress(_done: int) -> None:
            started = time.perf_counter()
            shown.append(stage.text().count("\nx_media_up{"))
            assert time.perf_counter() - started < 1

        await feed.poll(feed.watch.items, stage.clock() + 600, progress=progress, most_rounds=1)
        assert shown == sorted(shown)
        assert shown[0] <= 300
        assert shown[-1] == 1000

    live(act, TEXT)


def test_a_limit_that_others_spend_as_well_is_kept_from_its_first_refusal_on() -> None:
    async def act(stage: Live) -> None:
        stage.x.limiter.set("media_analytics", TIGHT)
        stage.x.fail("rate_limited", "media_analytics", times=1, options={"reset_seconds": 5})
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert stage.calls() == [429] + [200] * 10
        assert (
            stage.sample("x_exporter_rate_limit_limit", endpoint=Endpoint.MEDIA_ANALYTICS, window="15m") == 3
        )

    live(act, TEXT)


@pytest.mark.soak
def test_all_data_arrives_in_real_time() -> None:
    live(all_arrive, TEXT, clock=Leaping(short_seconds=math.inf))
