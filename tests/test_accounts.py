"""Several accounts in one daemon, over real sockets: nothing that befalls one touches another."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from exporter.model import Endpoint, Kind
from exporter.selfmetrics.instruments import PollOutcome
from exporter.simulator import Account, Limit, World
from exporter.xapi.failures import Reason
from tests.live import APP, KEYS, OAUTH2, Live, account_text, brand, config_text, live, signed_in
from tests.simulated import HOUR, TOKEN, media_key, post_id

MEDIA = Endpoint.MEDIA_ANALYTICS
OAUTH1 = (
    f"{{oauth1: {{consumer_key: {KEYS.consumer_key}, consumer_secret: '{KEYS.consumer_secret}', "
    f"access_token: {KEYS.access_token}, access_token_secret: '{KEYS.access_token_secret}'}}}}"
)
NAMES = ("brand", "studio", "label")


def three_accounts() -> World:
    """An account for each way of signing in; every item belongs to whoever asks."""
    return World(
        (
            brand(),
            Account("studio", "2", "studio", (), KEYS),
            Account("label", "3", "label", ("token-of-label",)),
        ),
        apps=(APP,),
        any_id=True,
    )


def three_in_one() -> str:
    """One configuration of all three: a bearer token, OAuth 1.0a keys, an OAuth 2.0 login."""
    first = config_text(media=[media_key(0)], posts=[post_id(0)])
    return first + "".join(
        account_text(name, auth, media=[media_key(number)], posts=[post_id(number)])
        for number, (name, auth) in enumerate([("studio", OAUTH1), ("label", OAUTH2)], 1)
    )


async def poll_all(stage: Live) -> dict[str, PollOutcome]:
    """Poll everything of everybody at once; what became of the media."""
    polls = [stage.poll(kind, name) for name in NAMES for kind in Kind]
    results = await asyncio.gather(*polls)
    return {result.account: result.outcome for result in results if result.endpoint is MEDIA}


ALL_WELL = dict.fromkeys(NAMES, PollOutcome.SUCCESS)


def test_three_ways_of_signing_in_work_side_by_side_and_each_asks_for_its_own(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock, "label")
        assert await poll_all(stage) == ALL_WELL
        asked = Counter((call.account, call.endpoint) for call in stage.x.requests)
        assert asked == {(name, each): 1 for name in NAMES for each in ("media_analytics", "insights_28hr")}
        for number in range(3):
            assert f'x_media_up{{id="{media_key(number)}"}} 1' in stage.text()
            assert f'x_post_up{{id="{post_id(number)}"}} 1' in stage.text()

    live(act, three_in_one(), folder=tmp_path, sim_world=three_accounts())


def test_the_limits_and_parked_endpoints_of_one_account_are_nobody_elses(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock, "label")
        stage.x.fail("client_not_enrolled", "media_analytics", times=1)
        await stage.poll(Kind.MEDIA, "brand")
        assert await poll_all(stage) == ALL_WELL | {"brand": PollOutcome.FAILURE}
        assert [stage.parked(MEDIA, name) for name in NAMES] == [[Reason.NOT_ENROLLED], [], []]
        assert stage.parked(Endpoint.INSIGHTS_28HR, "brand") == []

        name = "x_exporter_rate_limit_remaining"
        stage.x.limiter.set("media_analytics", Limit(5))
        await stage.poll(Kind.MEDIA, "studio")
        await stage.poll(Kind.MEDIA, "studio")
        await stage.poll(Kind.MEDIA, "label")
        left = [stage.sample(name, each, MEDIA, window="15m") for each in ("studio", "label")]
        assert left == [3, 4]

    live(act, three_in_one(), folder=tmp_path, sim_world=three_accounts())


def test_an_account_that_waits_for_its_limit_holds_up_nobody_else(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock, "label")
        stage.x.fail("rate_limited", "media_analytics", times=1, options={"reset_seconds": 3500})
        await stage.poll(Kind.MEDIA, "studio")
        assert await poll_all(stage) == ALL_WELL | {"studio": PollOutcome.FAILURE}
        stage.clock.pass_by(HOUR)
        assert await poll_all(stage) == ALL_WELL

    live(act, three_in_one(), folder=tmp_path, sim_world=three_accounts())


def test_an_account_that_nobody_signed_in_is_told_alone_and_spends_nothing(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        assert await poll_all(stage) == ALL_WELL | {"label": PollOutcome.FAILURE}
        assert [stage.sample("x_exporter_login_required", name) for name in NAMES] == [0, 0, 1]
        assert {call.account for call in stage.x.requests} == {"brand", "studio"}
        assert stage.parked(MEDIA, "label") == [Reason.SIGNED_OUT]
        assert "login" in stage.sentences()[0]
        # Requests that were never sent count nowhere, and hold nothing up once somebody signs in.
        await signed_in(stage.x, tmp_path / "state", stage.clock, "label")
        stage.clock.pass_by(600)
        assert await poll_all(stage) == ALL_WELL
        assert stage.sample("x_exporter_rate_limit_remaining", "label", MEDIA, window="15m") == 299

    live(act, three_in_one(), folder=tmp_path, sim_world=three_accounts())


def test_tokens_are_refreshed_on_expiry_for_their_account_alone(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock, "label")
        for _ in range(4):
            assert await poll_all(stage) == ALL_WELL
            stage.clock.pass_by(2 * HOUR)
        refreshes = [event for event in stage.x.tokens.events if event.grant_type == "refresh_token"]
        assert [(event.account, event.outcome) for event in refreshes] == [("label", "ok")] * 3
        assert stage.sample("x_exporter_token_refreshes_total", "label", outcome="success") == 3
        assert stage.sample("x_exporter_token_refreshes_total", "brand", outcome="success") == 0
        assert {call.status for call in stage.x.requests} == {200}

    live(act, three_in_one(), folder=tmp_path, sim_world=three_accounts())


def test_a_401_that_four_batches_get_at_once_refreshes_once_and_no_batch_is_lost(tmp_path: Path) -> None:
    text = config_text(media=[media_key(number) for number in range(500)], auth=OAUTH2)

    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock)
        await stage.poll()
        # Longer than a young pair is trusted, and not so long that X's limit is unknown again.
        stage.clock.pass_by(400)
        # X ends the access token early. Four requests are under way before the first of them is answered.
        stage.x.tokens.expire_access()
        stage.x.turn(latency_seconds=0.3)
        before = len(stage.x.requests)
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        statuses = Counter((call.endpoint, call.status) for call in stage.x.requests[before:])
        assert statuses == {("media_analytics", 401): 4, ("token", 200): 1, ("media_analytics", 200): 5}
        assert stage.text().count("\nx_media_up{") == 500
        assert len(stage.lines("warning")) == 1
        assert stage.parked(MEDIA) == []

    live(act, text + "    media_metrics: [video_views]\n", folder=tmp_path)


def test_a_token_file_that_changed_serves_all_batches_that_were_refused_together(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    auth = "{bearer_token_file: token}"
    text = config_text(media=[media_key(number) for number in range(400)], auth=auth)

    async def act(stage: Live) -> None:
        await stage.poll()
        before = len(stage.x.requests)
        stage.x.world.accounts["brand"] = brand(bearer_tokens=("a-new-token",))
        stage.x.turn(latency_seconds=0.5)
        poll = asyncio.create_task(stage.poll())
        while len(stage.x.requests) < before + 4:  # noqa: ASYNC110 - X lives in another thread
            await asyncio.sleep(0.01)
        token.write_text("a-new-token", encoding="utf-8")
        assert (await poll).outcome is PollOutcome.SUCCESS
        assert [call.status for call in stage.x.requests[before:]] == [401] * 4 + [200] * 4
        assert stage.text().count("\nx_media_up{") == 400

    live(act, text + "    media_metrics: [video_views]\n", folder=tmp_path)


def test_one_token_reaches_no_other_account_and_no_log_line(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock, "label")
        stage.x.fail("unauthorized", "media_analytics", times=3)
        await poll_all(stage)
        told = stage.log.getvalue() + stage.text() + " ".join(stage.sentences())
        for secret in (TOKEN, KEYS.consumer_secret, KEYS.access_token_secret, "app-secret&:", "sim-refresh"):
            assert secret not in told

    live(act, three_in_one(), folder=tmp_path, sim_world=three_accounts())
