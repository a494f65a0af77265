from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest

from exporter.model import Kind
from exporter.selfmetrics.instruments import PollOutcome
from exporter.simulator import Knobs, Limit, Simulator
from exporter.xapi.failures import Reason
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, config_text, media_key, play, post_id

LAST_HOUR = FIVE_PAST_EIGHT - 5 * 60 - HOUR


def shown(text: str, family: str, item_id: str, metric: str) -> float | None:
    head = f'{family}{{id="{item_id}",metric="{metric}"}} '
    return next((float(line.removeprefix(head)) for line in text.splitlines() if line.startswith(head)), None)


def assert_true(x: Simulator, text: str, family: str, item_id: str, hour: float) -> None:
    """Every metric of the item stands in `text` with X's true figure for `hour`."""
    metrics = [
        line.split('metric="')[1].split('"')[0]
        for line in text.splitlines()
        if line.startswith(f'{family}{{id="{item_id}"')
    ]
    assert metrics
    assert [shown(text, family, item_id, metric) for metric in metrics] == [
        x.truth(item_id, metric, int(hour)) for metric in metrics
    ]


def test_media_figures_are_those_x_reported_for_the_last_complete_hour() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        assert_true(play.x, play.text(), "x_media_analytics", media_key(0), LAST_HOUR)

    play(act)


def test_post_figures_are_those_x_reported_for_the_last_complete_hour() -> None:
    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        assert_true(play.x, play.text(), "x_post_insights", post_id(0), LAST_HOUR)

    play(act, text=config_text(posts=1))


def test_hour_after_hour_what_x_said_before_is_known_again_and_every_figure_is_true() -> None:
    async def act(play: Play) -> None:
        for later in range(31):
            await play.poll()
            text = play.text()
            hour = LAST_HOUR + later * HOUR
            assert_true(play.x, text, "x_media_analytics", media_key(0), hour)
            for metric in ("video_views", "watch_time_ms"):
                told = [
                    play.x.truth(media_key(0), metric, int(hour - back * HOUR)) or 0 for back in range(28)
                ]
                assert shown(text, "x_media_analytics_28h", media_key(0), metric) == sum(told)
            hours = play.engine.board.state(media_key(0)).hours
            assert hours is not None
            assert (hours.passage is None) == (later == 0)
            await asyncio.sleep(HOUR)

    play(act)


def test_two_hundred_media_and_a_hundred_posts_take_two_and_four_requests() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await play.poll(Kind.POST)
        assert play.x.counts == {"media_analytics": 2, "insights_28hr": 4}
        text = play.text()
        for number in range(0, 200, 7):
            assert_true(play.x, text, "x_media_analytics", media_key(number), LAST_HOUR)

    play(act, text=config_text(media=200, posts=100))


def test_a_thousand_scrapes_send_no_request() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        before = len(play.x.requests)
        for _ in range(1000):
            play.text()
        assert len(play.x.requests) == before

    play(act)


def test_media_are_asked_with_hour_aligned_bounds_and_every_field() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        query = parse_qs(play.x.requests[0].query)
        assert query["start_time"] == ["2026-10-06T16:00:00Z"]
        assert query["end_time"] == ["2026-10-07T20:00:00Z"]
        assert query["granularity"] == ["hourly"]
        assert query["media_analytics.fields"][0].split(",")[-3:] == [
            "media_key",
            "timestamp",
            "timestamped_metrics",
        ]

    play(act)


def test_insights_are_asked_for_impressions_as_well_since_zeros_need_a_witness() -> None:
    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        assert parse_qs(play.x.requests[0].query)["requested_metrics"] == ["Likes,Impressions"]
        assert 'metric="likes"' in play.text()
        assert "impressions" not in play.text().split("# TYPE x_post_insights gauge")[1].split("#")[0]

    play(act, text=config_text(posts=1, extra="    post_metrics: [likes]"))


def test_figures_are_withdrawn_in_time_without_a_poll() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        end_of_hour_shown = LAST_HOUR + HOUR
        await asyncio.sleep(end_of_hour_shown + 4 * HOUR - play.clock())
        assert shown(play.text(), "x_media_analytics", media_key(0), "video_views") is not None
        await asyncio.sleep(1)
        text = play.text()
        for gone in ("x_media_analytics{", "x_media_analytics_28h{", "x_media_28h_buckets{"):
            assert gone not in text
        for kept in ("x_media_info{", "x_media_up{", "x_media_created_", "x_media_bucket_start_"):
            assert kept in text

    play(act)


def test_a_hour_older_than_the_answer_comes_from_an_earlier_poll() -> None:
    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        assert f'x_post_28h_buckets{{id="{post_id(0)}"}} 27' in play.text()
        await asyncio.sleep(HOUR)
        await play.poll(Kind.POST)
        assert f'x_post_28h_buckets{{id="{post_id(0)}"}} 28' in play.text()

    play(act, text=config_text(posts=1))


def test_an_item_x_does_not_know_is_down_and_counted_and_the_others_stand() -> None:
    async def act(play: Play) -> None:
        play.x.fail("item_not_found", "media_analytics", ids=(media_key(1),))
        result = await play.poll()
        assert result.outcome is PollOutcome.SUCCESS
        text = play.text()
        assert f'x_media_up{{id="{media_key(0)}"}} 1' in text
        assert f'x_media_up{{id="{media_key(1)}"}} 0' in text
        assert shown(text, "x_media_analytics", media_key(1), "video_views") is None
        errors = play.endpoint_sample("x_exporter_item_errors_total", type="resource_not_found")
        assert errors == 1
        assert play.endpoint_sample("x_exporter_resources_returned_total") == 1

    play(act, text=config_text(media=2))


def test_one_failing_batch_loses_nothing_of_the_others() -> None:
    async def act(play: Play) -> None:
        play.x.fail("service_unavailable", "media_analytics", times=5, after=1)
        result = await play.poll(within=60)
        text = play.text()
        up = [number for number in range(300) if f'x_media_up{{id="{media_key(number)}"}} 1' in text]
        assert len(up) == 300 - 100 * len(result.failures)
        assert play.endpoint_sample("x_exporter_requests_total", code="503") == 5

    play(act, text=config_text(media=300))


def test_a_passing_fault_is_asked_again_with_growing_pauses() -> None:
    async def act(play: Play) -> None:
        play.x.fail("internal_server_error", "media_analytics", times=3)
        result = await play.poll()
        assert result.outcome is PollOutcome.SUCCESS
        assert play.waits == [0.5, 1, 2]
        assert play.endpoint_sample("x_exporter_retries_total", reason="server_error") == 3

    play(act)


def test_pauses_are_drawn_from_the_whole_range() -> None:
    async def act(play: Play) -> None:
        play.x.fail("internal_server_error", "media_analytics", times=2)
        await play.poll()
        assert play.waits == [0, 0]

    play(act, random=lambda: 0.0)


def test_an_outage_is_outlived_within_the_poll() -> None:
    async def act(play: Play) -> None:
        play.x.fail("service_unavailable", "media_analytics", until=play.clock() + 1200)
        result = await play.poll()
        assert result.outcome is PollOutcome.SUCCESS
        assert len(play.x.requests) < 60
        assert play.endpoint_sample("x_exporter_poll_success") == 1

    play(act)


def test_while_an_outage_lasts_the_poll_counts_as_failed() -> None:
    async def act(play: Play) -> None:
        play.x.fail("service_unavailable", "media_analytics")
        poll = asyncio.create_task(play.poll())
        await asyncio.sleep(300)
        assert play.endpoint_sample("x_exporter_poll_success") == 0
        assert (await poll).outcome is PollOutcome.FAILURE
        assert play.endpoint_sample("x_exporter_polls_total", outcome="failure") == 1
        assert play.endpoint_sample("x_exporter_poll_last_success_timestamp_seconds") is None

    play(act)


def test_an_unreadable_answer_is_asked_for_three_times_at_most() -> None:
    async def act(play: Play) -> None:
        play.x.fail("wrong_types", "media_analytics")
        result = await play.poll(within=20)
        assert [failure.reason for failure in result.failures.values()] == [Reason.UNREADABLE]
        assert len(play.x.requests) == 3
        assert play.endpoint_sample("x_exporter_requests_total", code="decode") == 3
        assert play.endpoint_sample("x_exporter_requests_total", code="200") == 0

    play(act)


def test_a_rate_limit_is_waited_for_to_its_reset() -> None:
    async def act(play: Play) -> None:
        play.x.fail("rate_limited", "media_analytics", times=1, options={"reset_seconds": 300})
        started = play.clock()
        result = await play.poll()
        assert result.outcome is PollOutcome.SUCCESS
        assert 300 <= play.clock() - started < 310

    play(act)


def test_a_thousand_media_against_three_requests_in_five_seconds_all_arrive_without_a_429() -> None:
    async def act(play: Play) -> None:
        result = await play.poll()
        assert result.outcome is PollOutcome.SUCCESS
        assert {call.status for call in play.x.requests} == {200}
        assert play.text().count("x_media_up{") == 1000

    play(act, text=config_text(media=1000), limits={"media_analytics": Limit(3, 5)})


def test_a_usage_cap_is_not_waited_for_but_probed_rarely() -> None:
    async def act(play: Play) -> None:
        play.x.fail("usage_cap", "media_analytics")
        for _ in range(8):
            await play.poll()
            await asyncio.sleep(HOUR)
        assert len(play.x.requests) == 2
        assert play.endpoint_sample("x_exporter_endpoint_parked", reason="usage_capped") == 1

    play(act)


def test_a_parked_endpoint_comes_back_by_itself_and_leaves_the_other_alone() -> None:
    async def act(play: Play) -> None:
        play.x.fail("client_not_enrolled", "media_analytics", until=play.clock() + 2 * HOUR)
        assert (await play.poll()).outcome is PollOutcome.FAILURE
        assert (await play.poll(Kind.POST)).outcome is PollOutcome.SUCCESS
        assert play.endpoint_sample("x_exporter_endpoint_parked", reason="not_enrolled") == 1
        await asyncio.sleep(24 * HOUR)
        assert (await play.poll()).outcome is PollOutcome.SUCCESS
        assert play.endpoint_sample("x_exporter_endpoint_parked", reason="not_enrolled") == 0

    play(act, text=config_text(media=1, posts=1))


def test_one_request_probes_a_parked_endpoint() -> None:
    async def act(play: Play) -> None:
        play.x.fail("client_not_enrolled", "media_analytics")
        await play.poll()
        before = len(play.x.requests)
        await asyncio.sleep(24 * HOUR)
        await play.poll()
        assert len(play.x.requests) - before == 1

    play(act, text=config_text(media=1000))


@pytest.mark.parametrize("fault", ["route_retired", "client_not_enrolled"])
def test_posts_come_from_the_sibling_while_the_28_hour_endpoint_is_out_of_service(fault: str) -> None:
    async def act(play: Play) -> None:
        play.x.fail(fault, "insights_28hr", until=play.clock() + 2 * HOUR)
        assert (await play.poll(Kind.POST)).outcome is PollOutcome.SUCCESS
        assert_true(play.x, play.text(), "x_post_insights", post_id(0), LAST_HOUR)
        assert 'metric="video_starts"' not in play.text()
        assert play.sample("x_exporter_post_source", account="brand", source="tweets_analytics") == 1
        assert play.sample("x_exporter_post_source", account="brand", source="insights_28hr") == 0
        await asyncio.sleep(24 * HOUR)
        await play.poll(Kind.POST)
        assert play.sample("x_exporter_post_source", account="brand", source="insights_28hr") == 1
        assert 'metric="video_starts"' in play.text()

    play(act, text=config_text(posts=60))


def test_an_older_field_list_is_found_once_and_remembered() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await play.poll()
        assert [call.status for call in play.x.requests] == [400, 200, 200]

    play(act, knobs=Knobs(old_field_list=True))


def test_repeated_keys_are_found_once_and_remembered() -> None:
    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        await play.poll(Kind.POST)
        assert [call.status for call in play.x.requests] == [400, 200, 200]

    play(act, text=config_text(posts=3), knobs=Knobs(insights_arrays="repeated"))


def test_a_request_refused_in_every_form_is_not_repeated() -> None:
    async def act(play: Play) -> None:
        play.x.fail("invalid_request", "media_analytics")
        await play.poll()
        assert len(play.x.requests) <= 2
        before = len(play.x.requests)
        await play.poll()
        assert len(play.x.requests) == before + 1

    play(act)


def test_labels_that_name_ends_of_hours_are_found_out() -> None:
    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        assert_true(play.x, play.text(), "x_post_insights", post_id(0), LAST_HOUR)

    play(act, text=config_text(posts=1), knobs=Knobs(label_end=True))


def test_a_clock_that_is_behind_is_corrected_by_the_date_header() -> None:
    async def act(play: Play) -> None:
        play.x.turn(date_skew_seconds=600.0)
        await play.poll()
        before = parse_qs(play.x.requests[-1].query)["end_time"]
        await asyncio.sleep(50 * 60)
        await play.poll()
        assert before == ["2026-10-07T20:00:00Z"]
        assert parse_qs(play.x.requests[-1].query)["end_time"] == ["2026-10-07T21:00:00Z"]

    play(act)


def test_a_401_is_asked_once_more_at_most_and_then_left_alone_for_a_while() -> None:
    async def act(play: Play) -> None:
        play.x.fail("unauthorized", "media_analytics", until=play.clock() + 600)
        result = await play.poll()
        assert result.outcome is PollOutcome.SUCCESS
        assert [call.status for call in play.x.requests] == [401, 200, 200, 200, 200, 200]

    play(act, text=config_text(media=500))


def test_every_odd_way_of_answering_shows_the_same_figures() -> None:
    odd = Knobs(
        string_ratio=0.5,
        float_ratio=0.3,
        shuffle=True,
        repeat_buckets=True,
        bucket_at_end=True,
        metric_type="screaming",
        insights_per_post=True,
        before_creation="null",
    )

    async def act(play: Play) -> str:
        await play.poll()
        await play.poll(Kind.POST)
        return play.text()

    text = config_text(media=30, posts=30)
    assert play(act, text=text, knobs=odd) == play(act, text=text)


@pytest.mark.parametrize(("media", "times"), [(100, 0), (101, 1)])
def test_memory_is_given_back_after_several_answers_and_not_after_one(media: int, times: int) -> None:
    tidied: list[bool] = []

    async def act(play: Play) -> None:
        await play.poll()

    play(act, text=config_text(media), tidy=lambda: tidied.append(True))
    assert len(tidied) == times
