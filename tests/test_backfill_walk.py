"""A backfill has every hour that X has, asks for none twice, and says what it could not have."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from exporter.backfill.job import run_walks
from exporter.backfill.span import Span
from exporter.backfill.walk import Keeping
from exporter.backfill.wanted import wanted_of
from exporter.errors import JournalError
from exporter.model import ItemErrorType
from exporter.simulator import Fault, Knobs, Limit
from tests.backfill_support import NOW_HOUR, Stage, last_hours, staged
from tests.simulated import config_text, media_key, post_id

WEEK = last_hours(7 * 24)
# More than a limit of three lets through at once.
MANY_MEDIA = config_text(media=900, extra="    media_metrics: [watch_time_ms]")
# Metrics that only the insights endpoints have.
INSIGHTS_ONLY = (
    "link_clicks",
    "media_engagements",
    "profile_visits",
    "unique_video_views",
    "video_completions",
    "video_played_25_percent",
    "video_played_50_percent",
    "video_played_75_percent",
    "video_starts",
    "video_views",
)


def test_every_hour_that_x_has_is_had_as_it_really_was() -> None:
    async def act(stage: Stage) -> None:
        findings = await stage.run(WEEK)
        assert stage.kept.figures == stage.truth(WEEK)
        assert stage.kept.sources == {"media_analytics", "insights_historical"}
        assert findings["brand/media"].rows + findings["brand/post"].rows == 60 * 50
        assert not any(found.missed or found.refused for found in findings.values())

    staged(act, config_text(media=30, posts=30))


def test_hours_before_an_id_was_minted_are_not_asked_for() -> None:
    async def act(stage: Stage) -> None:
        await stage.run(Span(NOW_HOUR - 300 * 24, NOW_HOUR - 30 * 24))
        assert not stage.x.requests

    staged(act, config_text(media=3, posts=3))


def test_what_has_been_had_is_not_asked_for_again() -> None:
    async def act(stage: Stage) -> None:
        await stage.run(WEEK)
        asked = len(stage.x.requests)
        await stage.run(WEEK)
        assert len(stage.x.requests) == asked

    staged(act, config_text(media=3, posts=3))


def test_a_limit_of_three_requests_in_five_seconds_is_kept() -> None:
    async def act(stage: Stage) -> None:
        await stage.run(WEEK)
        assert stage.kept.figures == stage.truth(WEEK)
        assert stage.asked("media_analytics") > 6
        assert {call.status for call in stage.x.requests} == {200}
        assert any("limit" in waits for _, _, _, waits in stage.paces)

    staged(act, MANY_MEDIA, limits={"media_analytics": Limit(3, 5.0)})


@pytest.mark.parametrize("fault", ["service_unavailable", "bad_gateway", "internal_server_error"])
def test_an_outage_of_a_quarter_of_an_hour_is_sat_out(fault: str) -> None:
    async def act(stage: Stage) -> None:
        stage.x.faults.post(Fault(fault, until=stage.x.now + 900))
        findings = await stage.run(WEEK)
        assert stage.kept.figures == stage.truth(WEEK)
        assert not findings["brand/media"].missed
        # Not every slice runs against the wall: what failed a few times in a row is left alone for a while.
        assert sum(call.status != 200 for call in stage.x.requests) < 250

    staged(act, MANY_MEDIA)


def test_an_outage_without_end_is_given_up_and_the_rest_is_told() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("service_unavailable", "media_analytics")
        found = (await stage.run(WEEK))["brand/media"]
        assert {item_id for missed in found.missed for item_id in missed.item_ids} == {media_key(0)}
        assert {missed.why.partition(".")[0] for missed in found.missed} == {
            "X has a fault of its own and gave no figures"
        }
        stage.x.faults.clear()
        await stage.run(WEEK)
        assert stage.kept.figures == stage.truth(WEEK)

    staged(act, config_text(media=1))


@pytest.mark.parametrize("fault", ["route_retired", "client_not_enrolled"])
def test_the_sibling_is_asked_once_the_historical_endpoint_is_not_to_be_had(fault: str) -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail(fault, "insights_historical")
        findings = await stage.run(WEEK)
        assert stage.asked("insights_historical") == 1
        assert stage.kept.sources == {"tweets_analytics"}
        assert stage.kept.figures == stage.truth(WEEK, INSIGHTS_ONLY)
        assert not findings["brand/post"].missed

    staged(act, config_text(posts=3))


def test_the_sibling_goes_on_where_the_historical_endpoint_stopped() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("route_retired", "insights_historical", after=1)
        await stage.run(WEEK)
        assert stage.kept.sources == {"insights_historical", "tweets_analytics"}
        hours = [(bucket.item_id, bucket.hour) for told in stage.kept.told for bucket in told.buckets]
        assert len(hours) == len(set(hours)) == 120 * 50

    staged(act, config_text(posts=120))


@pytest.mark.parametrize(
    ("source", "endpoint"),
    [("insights_28hr", "insights_historical"), ("tweets_analytics", "tweets_analytics")],
)
def test_only_the_chosen_source_of_posts_is_asked(source: str, endpoint: str) -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("route_retired", endpoint)
        found = (await stage.run(WEEK))["brand/post"]
        assert set(stage.x.counts) == {endpoint}
        assert "as if this endpoint did not exist" in found.missed[0].why

    staged(act, config_text(posts=1, extra=f"    post_source: {source}"))


def test_what_lies_too_far_back_for_the_historical_endpoint_is_asked_of_the_sibling() -> None:
    old = "1580000000000000000"
    span = Span(NOW_HOUR - 400 * 24, NOW_HOUR)

    async def act(stage: Stage) -> None:
        findings = await stage.run(span)
        assert stage.kept.sources == {"insights_historical", "tweets_analytics"}
        hours = {hour for _, hour, _ in stage.kept.figures}
        assert hours == set(range(span.first, span.end))
        assert not findings["brand/post"].missed

    text = config_text(posts=1).replace(post_id(0), old) + "    post_metrics: [impressions]\n"
    staged(act, text)


def test_an_item_x_does_not_know_is_told_once_and_not_asked_for_again() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("item_not_found", "media_analytics", ids=(media_key(1),))
        found = (await stage.run(WEEK))["brand/media"]
        assert {key: problem.type for key, problem in found.refused.items()} == {
            media_key(1): ItemErrorType.RESOURCE_NOT_FOUND
        }
        assert {key for key, _, _ in stage.kept.figures} == {media_key(0), media_key(2)}
        told_of = [media_key(1) in call.query for call in stage.x.requests]
        # One a worker is on its way by the time the first answer says so.
        assert sum(told_of) <= 4
        assert not stage.kept.coverage.covers(media_key(1), Span(WEEK.end - 1, WEEK.end))

    staged(act, config_text(media=3))


def test_an_item_that_x_fails_over_in_passing_is_asked_for_once_more() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("item_internal_error", "media_analytics", ids=(media_key(1),), times=1)
        found = (await stage.run(last_hours(24)))["brand/media"]
        assert stage.kept.figures == stage.truth(last_hours(24))
        assert [parse_qs(call.query)["media_keys"] for call in stage.x.requests] == [
            [f"{media_key(0)},{media_key(1)}"],
            [media_key(1)],
        ]
        assert not found.missed

    staged(act, config_text(media=2))


def test_an_item_that_x_keeps_failing_over_is_told_and_asked_for_by_the_next_run() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("item_internal_error", "media_analytics", ids=(media_key(1),))
        found = (await stage.run(last_hours(24)))["brand/media"]
        assert [missed.item_ids for missed in found.missed] == [(media_key(1),)]
        stage.x.faults.clear()
        await stage.run(last_hours(24))
        assert parse_qs(stage.x.requests[-1].query)["media_keys"] == [media_key(1)]
        assert stage.kept.figures == stage.truth(last_hours(24))

    staged(act, config_text(media=2))


def test_a_metric_x_does_not_show_costs_the_others_nothing_and_is_told() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("field_not_authorized", "media_analytics", ids=(media_key(1),))
        found = (await stage.run(last_hours(24)))["brand/media"]
        (first, *others) = [metric.name for metric in stage.wanted[0].metrics]
        assert {key: problem.type for key, problem in found.complaints.items()} == {
            media_key(1): ItemErrorType.NOT_AUTHORIZED_FOR_FIELD
        }
        told = {metric for item_id, _, metric in stage.kept.figures if item_id == media_key(1)}
        assert told == set(others)
        assert not found.refused
        assert (media_key(0), NOW_HOUR - 1, first) in stage.kept.figures

    staged(act, config_text(media=2))


def test_an_answer_that_cannot_be_kept_ends_everything_with_its_reason() -> None:
    def refuse(*_told: object) -> None:
        raise JournalError("The disk is full.")

    async def act(stage: Stage) -> None:
        keeping = Keeping(stage.kept.coverage, refuse)
        with pytest.raises(JournalError, match=r"The disk is full\."):
            await run_walks(stage.config, stage.world, stage.wanted, WEEK, keeping, lambda _paces: None)

    staged(act, config_text(media=3, posts=3))


def test_accounts_and_items_can_be_chosen() -> None:
    async def act(stage: Stage) -> None:
        config = stage.config
        address = f"https://x.com/brand/status/{post_id(1)}"
        (media, posts) = wanted_of(config, "brand", [media_key(0), address])
        assert [item.id for item in (*media.items, *posts.items)] == [media_key(0), post_id(1)]
        assert [each.name for each in wanted_of(config, None, [media_key(1)])] == ["brand/media"]
        with pytest.raises(ValueError, match=r"--account: there is no account 'band' in .*; there are brand"):
            wanted_of(config, "band", [])
        with pytest.raises(ValueError, match=r"--id: '7_7' is not watched in .*; add it to its account"):
            wanted_of(config, None, [media_key(1), "7_7"])

    staged(act, config_text(media=2, posts=2))


def test_a_spent_credit_stops_one_endpoint_and_not_the_other() -> None:
    async def act(stage: Stage) -> None:
        stage.x.fail("credits_depleted", "media_analytics")
        findings = await stage.run(WEEK)
        assert "no credits left" in findings["brand/media"].missed[0].why
        assert not findings["brand/post"].missed
        assert {key for key, _, _ in stage.kept.figures} == {post_id(0)}

    staged(act, config_text(media=1, posts=1))


@pytest.mark.parametrize("posts", [1, 25])
def test_labels_that_name_the_end_of_an_hour_are_found_out(posts: int) -> None:
    # Posts older than the span, so that the first of its hours has figures.
    span = last_hours(40)

    async def act(stage: Stage) -> None:
        await stage.run(span)
        assert stage.kept.figures == stage.truth(span)

    staged(act, config_text(posts=posts), knobs=Knobs(label_end=True))


def test_odd_answers_cost_nothing() -> None:
    async def act(stage: Stage) -> None:
        await stage.run(WEEK)
        assert stage.kept.figures == stage.truth(WEEK)

    knobs = Knobs(shuffle=True, repeat_buckets=True, bucket_at_end=True, string_ratio=0.3, float_ratio=0.3)
    staged(act, config_text(media=3, posts=3), knobs=knobs)


def test_numbers_x_does_not_give_are_absent(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.run(WEEK)
        truth = stage.truth(WEEK)
        assert set(stage.kept.figures) < set(truth)
        assert stage.kept.figures.items() <= truth.items()

    knobs = Knobs(null_ratio=0.2, absent_ratio=0.2, null_bucket_ratio=0.2, missing_ratio=0.2)
    staged(act, config_text(media=3), knobs=knobs, folder=tmp_path)


def test_the_pace_ends_with_everything_done() -> None:
    async def act(stage: Stage) -> None:
        await stage.run(WEEK)
        name, done, total, waits = stage.paces[-1]
        assert (name, done, waits) == ("brand/media", total, "")
        assert total == stage.asked("media_analytics")

    staged(act, config_text(media=3))


def test_an_hour_that_is_not_settled_by_x_own_clock_is_not_taken() -> None:
    async def act(stage: Stage) -> None:
        await stage.run(Span(NOW_HOUR - 3, NOW_HOUR))
        assert {hour for _, hour, _ in stage.kept.figures} == {NOW_HOUR - 3, NOW_HOUR - 2}

    staged(act, config_text(media=1, top="poll: {settle: 30m}"))
