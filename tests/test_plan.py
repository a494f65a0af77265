"""What a configuration will ask of X, before it asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.commands.check_config import check_config
from exporter.config.load import parse_config
from exporter.config.settings import Config
from exporter.errors import ConfigError
from exporter.model import Endpoint, Kind
from exporter.plan import Plan, plan_for


def config(*accounts: tuple[int, int], every: str = "1h", source: str = "auto") -> Config:
    """A configuration of accounts that watch so many media and posts."""
    lines = [f"poll: {{every: {every}, offset: 0s, stale_after: 7d}}", "accounts:"]
    number = 0
    for index, (media, posts) in enumerate(accounts):
        lines += [f"  - name: brand{index}", "    auth: {bearer_token: token}", f"    post_source: {source}"]
        for key, prefix, count in (("media", "13_", media), ("posts", "", posts)):
            if count:
                lines += [f"    {key}:", *(f"      - {prefix}{number + each + 1}" for each in range(count))]
                number += count
    return parse_config("\n".join(lines).encode(), "plan.yaml", Path.cwd(), {})


def requests(plan: Plan) -> dict[tuple[str, Kind], int]:
    return {(feed.account, feed.kind): feed.requests for feed in plan.feeds}


@pytest.mark.parametrize(("media", "expected"), [(1, 1), (100, 1), (101, 2), (200, 2), (201, 3)])
def test_a_hundred_media_are_one_request(media: int, expected: int) -> None:
    assert requests(plan_for(config((media, 0)))) == {("brand0", Kind.MEDIA): expected}


@pytest.mark.parametrize(
    ("source", "posts", "expected"),
    [
        ("auto", 25, 1),
        ("auto", 26, 2),
        ("insights_28hr", 100, 4),
        ("tweets_analytics", 100, 1),
        ("tweets_analytics", 101, 2),
    ],
)
def test_posts_are_planned_in_batches_of_their_source(source: str, posts: int, expected: int) -> None:
    assert requests(plan_for(config((0, posts), source=source))) == {("brand0", Kind.POST): expected}


@pytest.mark.parametrize(
    ("source", "endpoint"),
    [
        ("auto", Endpoint.INSIGHTS_28HR),
        ("insights_28hr", Endpoint.INSIGHTS_28HR),
        ("tweets_analytics", Endpoint.TWEETS_ANALYTICS),
    ],
)
def test_a_plan_names_the_endpoint_that_is_asked_first(source: str, endpoint: Endpoint) -> None:
    media, posts = plan_for(config((1, 1), source=source)).feeds
    assert (media.endpoint, posts.endpoint) == (Endpoint.MEDIA_ANALYTICS, endpoint)


@pytest.mark.parametrize(("every", "expected"), [("1h", 6), ("15m", 24), ("1m", 360), ("24h", 0.25)])
def test_requests_per_hour_follow_how_often_it_is_polled(every: str, expected: float) -> None:
    plan = plan_for(config((200, 100), every=every))
    assert (plan.items, plan.requests, plan.requests_per_hour) == (300, 6, expected)


@pytest.mark.parametrize(
    ("every", "expected"), [("1h", 10), ("24h", 10), ("15m", 8), ("10m", 6), ("5m", 0), ("1m", 0)]
)
def test_catching_up_costs_a_poll_once_and_a_look_for_each_other_round(every: str, expected: int) -> None:
    assert plan_for(config((200, 100), every=every)).catch_up_requests == expected


def test_a_catch_up_that_is_turned_off_costs_nothing() -> None:
    on = config((200, 100))
    off = replace(on, poll=replace(on.poll, catch_up=False))
    assert plan_for(off).catch_up_requests == 0


def test_check_config_prints_what_catching_up_may_add(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    text = "accounts: [{name: brand, auth: {bearer_token: token}, media: [13_1], posts: ['2']}]"
    file.write_text(text, encoding="utf-8")
    assert check_config(file, {}) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 requests per poll, 2 an hour. Catch-up: at most 6 more an hour, where X is late." in printed
    file.write_text(f"{text}\npoll: {{catch_up: false}}", encoding="utf-8")
    assert check_config(file, {}) == 0
    assert "Catch-up" not in capsys.readouterr().out


def test_accounts_are_planned_apart_and_added_up() -> None:
    plan = plan_for(config((101, 0), (0, 26), (1, 1)))
    assert requests(plan) == {
        ("brand0", Kind.MEDIA): 2,
        ("brand1", Kind.POST): 2,
        ("brand2", Kind.MEDIA): 1,
        ("brand2", Kind.POST): 1,
    }
    assert (plan.items, plan.requests) == (129, 6)


@pytest.mark.parametrize(
    ("every", "share"),
    [("24h", 3 / 300), ("1h", 3 / 300), ("15m", 3 / 300), ("5m", 9 / 300), ("1m", 45 / 300)],
)
def test_the_share_of_the_limit_counts_the_polls_of_one_window(every: str, share: float) -> None:
    (feed,) = plan_for(config((300, 0), every=every)).feeds
    assert feed.share_of_limit == pytest.approx(share)


def test_what_just_fits_the_known_limit_is_planned() -> None:
    assert plan_for(config((2000, 0), every="1m")).requests == 20


def test_more_than_the_known_limit_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(ConfigError) as refused:
        plan_for(config((2001, 501), every="1m"))
    media, posts = refused.value.faults
    assert (media.file, media.path, posts.path) == (str(Path.cwd() / "plan.yaml"), "poll.every", "poll.every")
    assert media.message == (
        "one full poll takes longer than poll.every: 2001 media of account brand0 are 21 requests of 100 to "
        "media_analytics; at 300 requests per 15 minutes that is 1m3s, and poll.every is 1m; "
        "raise poll.every or watch fewer items"
    )
    assert "501 posts of account brand0 are 21 requests of 25 to insights_28hr" in posts.message


def test_the_limit_is_each_accounts_own() -> None:
    assert plan_for(config((2000, 500), (2000, 500), every="1m")).requests == 80
