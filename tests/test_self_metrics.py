"""Each of the exporter's own metrics stands where it should at a start, and something moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from exporter.config.load import parse_config
from exporter.config.settings import Config
from exporter.errors import ConfigError, Fault
from exporter.logs import silent_logger
from exporter.model import Kind
from exporter.reloading import Reloader
from tests.live import OAUTH2, Live, live, signed_in
from tests.live import config_text as live_text
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, config_text, media_key, play, post_id

Move: TypeAlias = Callable[[Play], Awaitable[object]]

ABSENT = None
MEDIA = {"account": "brand", "endpoint": "media_analytics"}
POSTS = {"account": "brand", "endpoint": "insights_28hr"}
WINDOW = {**MEDIA, "window": "15m"}


@dataclass(frozen=True)
class Row:
    """A sample: what it is at the start, what moves it, and what it is then."""

    name: str
    labels: dict[str, str]
    before: float | None
    move: Move
    after: Callable[[float | None], bool]

    @property
    def sample(self) -> str:
        """The name of its samples."""
        return f"x_exporter_{self.name}"


def of(value: float | None) -> Callable[[float | None], bool]:
    return lambda found: found == value


async def polled(stage: Play) -> None:
    await stage.poll()


async def failed(stage: Play) -> None:
    stage.x.fail("service_unavailable", "media_analytics")
    await stage.poll(within=60)


async def failed_once(stage: Play) -> None:
    stage.x.fail("service_unavailable", "media_analytics", times=1)
    await stage.poll()


async def not_found(stage: Play) -> None:
    stage.x.fail("item_not_found", "media_analytics", ids=(media_key(0),))
    await stage.poll()


async def retired(stage: Play) -> None:
    stage.x.fail("route_retired", "insights_28hr")
    await stage.poll(Kind.POST)


async def revised(stage: Play) -> None:
    stage.x.turn(revision_hours=6.0, revision_ratio=0.25)
    for _ in range(5):
        await stage.poll()
        await asyncio.sleep(HOUR)


async def polled_again_an_hour_later(stage: Play) -> None:
    await stage.poll()
    await asyncio.sleep(HOUR)
    await stage.poll()


async def started(stage: Play) -> None:
    stage.engine.start()
    await asyncio.sleep(1)


async def two_polled(stage: Play) -> None:
    await stage.poll()
    await asyncio.sleep(1000)


async def another_item(stage: Play) -> None:
    await stage.engine.apply(configuration(config_text(2, 1)))


async def reloaded(stage: Play) -> None:
    config = stage.engine.config
    assert config is not None
    await reloader(stage, lambda: config).reload()


async def broken(stage: Play) -> None:
    def load() -> Config:
        raise ConfigError([Fault("x.yaml", 1, 1, "accounts", "missing")])

    await reloader(stage, load).reload()


def configuration(text: str) -> Config:
    return parse_config(text.encode(), "test.yaml", Path.cwd(), {})


def reloader(stage: Play, load: Callable[[], Config]) -> Reloader:
    return Reloader(load, stage.engine, silent_logger(), stage.clock)


def above(least: float) -> Callable[[float | None], bool]:
    return lambda found: found is not None and found > least


ROWS = [
    Row("config_last_reload_successful", {}, 0, reloaded, of(1)),
    Row("config_last_reload_success_timestamp_seconds", {}, 0, reloaded, of(FIVE_PAST_EIGHT)),
    Row("watched_items", {"account": "brand", "kind": "media"}, 1, another_item, of(2)),
    Row("post_source", {"account": "brand", "source": "tweets_analytics"}, ABSENT, retired, of(1)),
    Row("poll_success", MEDIA, ABSENT, polled, of(1)),
    Row("poll_success", MEDIA, ABSENT, failed, of(0)),
    Row("polls_total", {**MEDIA, "outcome": "success"}, 0, polled, of(1)),
    Row("polls_total", {**MEDIA, "outcome": "failure"}, 0, failed, of(1)),
    Row("poll_last_success_timestamp_seconds", MEDIA, ABSENT, polled, of(FIVE_PAST_EIGHT)),
    Row("poll_last_duration_seconds", MEDIA, ABSENT, failed_once, above(0)),
    Row("poll_next_timestamp_seconds", MEDIA, ABSENT, started, above(FIVE_PAST_EIGHT)),
    Row("bucket_revisions_total", {"endpoint": "media_analytics"}, 0, revised, above(0)),
    Row("bucket_delay_seconds_count", {"endpoint": "media_analytics"}, 0, polled_again_an_hour_later, of(1)),
    Row("requests_total", {**MEDIA, "code": "200"}, 0, polled, of(1)),
    Row("requests_total", {**MEDIA, "code": "503"}, 0, failed_once, of(1)),
    Row("request_duration_seconds_count", {"endpoint": "media_analytics"}, 0, polled, of(1)),
    Row("retries_total", {**MEDIA, "reason": "server_error"}, 0, failed_once, of(1)),
    Row("resources_returned_total", MEDIA, 0, polled, of(1)),
    Row("item_errors_total", {**MEDIA, "type": "resource_not_found"}, 0, not_found, of(1)),
    Row("endpoint_parked", {**POSTS, "reason": "retired"}, 0, retired, of(1)),
    Row("rate_limit_limit", WINDOW, ABSENT, polled, above(1)),
    Row("rate_limit_remaining", WINDOW, ABSENT, polled, above(1)),
    Row("rate_limit_remaining", WINDOW, ABSENT, two_polled, of(ABSENT)),
    Row("rate_limit_reset_timestamp_seconds", WINDOW, ABSENT, polled, above(FIVE_PAST_EIGHT)),
]
# Told by what they are about: sign-in by OAuth 2.0, the journal, the process itself.
ELSEWHERE = {
    "login_required",
    "token_expiry_timestamp_seconds",
    "token_refreshes_total",
    "build_info",
    "journal_up",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.move.__name__}")
def test_a_metric_begins_as_it_should_and_moves(row: Row) -> None:
    async def act(stage: Play) -> None:
        assert stage.sample(row.sample, **row.labels) == row.before
        await row.move(stage)
        assert row.after(stage.sample(row.sample, **row.labels))

    play(act, text=config_text(1, 1))


def test_a_rejected_configuration_is_shown() -> None:
    async def act(stage: Play) -> None:
        await reloaded(stage)
        await broken(stage)
        assert stage.sample("x_exporter_config_last_reload_successful") == 0
        shown = stage.sample("x_exporter_config_last_reload_success_timestamp_seconds")
        assert shown == FIVE_PAST_EIGHT

    play(act, text=config_text(1, 1))


def test_sign_in_metrics_move_when_tokens_are_refreshed_and_when_they_are_refused(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        name = "x_exporter_token_expiry_timestamp_seconds"
        assert stage.sample("x_exporter_login_required") == 0
        await stage.poll()
        assert stage.sample("x_exporter_login_required") == 1
        await signed_in(stage.x, tmp_path / "state", stage.clock)
        await stage.engine.accounts["brand"].signer.look()
        assert stage.sample("x_exporter_login_required") == 0
        first = stage.sample(name)
        assert first > stage.clock()
        stage.clock.pass_by(2 * HOUR + 60)
        await stage.poll()
        assert stage.sample("x_exporter_token_refreshes_total", outcome="success") == 1
        assert stage.sample(name) > first

    live(act, live_text(media=[media_key(0)], posts=[post_id(0)], auth=OAUTH2), folder=tmp_path)


def test_every_metric_of_the_reference_is_moved_here(repo_root: Path) -> None:
    page = (repo_root / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `x_exporter_")}
    moved = {row.sample.removesuffix("_count") for row in ROWS} | {f"x_exporter_{name}" for name in ELSEWHERE}
    assert told <= moved
