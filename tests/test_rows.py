"""Every row of the failures that X's endpoints and its token endpoint are known for, over real sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import httpx
import pytest

from exporter.config.settings import ApiSettings, Secret
from exporter.model import Endpoint, ItemErrorType, Kind
from exporter.selfmetrics.instruments import PollOutcome
from exporter.signin.document import decode
from exporter.signin.scheme import Surroundings
from exporter.signin.schemes import open_endpoint
from exporter.status.items import ItemStatus
from exporter.status.status import observe
from exporter.status.words import item_words
from exporter.xapi.failures import Reason, TokenFailure, TokenVerdict
from tests.live import AUTH2, OAUTH2, Live, config_text, live, signed_in
from tests.simulated import HOUR, media_key, post_id

T = TypeVar("T")

MEDIA = Endpoint.MEDIA_ANALYTICS
MINUTE = 60.0
DAY = 24 * HOUR
KEYS = [media_key(0), media_key(1)]


def act_with(act: Callable[[Live], Coroutine[Any, Any, T]], *, posts: int = 0) -> T:
    """Run `act` with an account that watches two media, and so many posts."""
    return live(act, config_text(media=KEYS, posts=[post_id(number) for number in range(posts)]))


def assert_told(
    stage: Live,
    reason: Reason,
    code: str,
    says: str,
    *,
    requests: int = 1,
    retries: int = 0,
    parked: bool = False,
    transaction: bool = True,
) -> None:
    """The failure is told everywhere in the same words: channel, status page, `/metrics`, one log line."""
    failure = stage.channel().failure
    assert failure is not None
    assert (failure.reason, failure.code) == (reason, code)
    assert says in failure.sentence
    assert stage.sentences() == [failure.sentence]
    assert stage.parked(MEDIA) == ([reason] if parked else [])
    assert stage.sample("x_exporter_requests_total", endpoint=MEDIA, code=code) == requests
    if retries or reason is Reason.SERVER_ERROR:
        name = "x_exporter_retries_total"
        assert stage.sample(name, endpoint=MEDIA, reason=reason.value) == retries
    assert_one_line(stage, failure.sentence, transaction=transaction)


def assert_one_line(stage: Live, message: str, *, transaction: bool = True) -> None:
    """One warning tells of it, with the transaction id of the request it was about."""
    (line,) = stage.lines("warning", "error")
    assert line["msg"] == message
    if transaction:
        assert line["transaction_id"] in [call.transaction_id for call in stage.x.requests]
    else:
        assert "transaction_id" not in line


def assert_item_told(stage: Live, complaint: ItemErrorType, says: str, times: int = 1) -> None:
    """What X says of one item is told on the status page, in `item_errors_total` and in one log line."""
    assert stage.sample("x_exporter_item_errors_total", endpoint=MEDIA, type=complaint.value) == times
    (line,) = stage.lines("warning", "error")
    assert line["type"] == complaint.value
    assert line["transaction_id"] in [call.transaction_id for call in stage.x.requests]
    items = observe(stage.engine, stage.clock()).watches[0].items
    assert any(says in words for words in [sentence for each in items for sentence in sentences(each)])


def sentences(item: ItemStatus) -> list[str]:
    return [sentence for sentence, _ in item_words(item)]


def asked_ids(stage: Live) -> list[list[str]]:
    """The media keys of each request, in order."""
    queries = [parse_qs(call.query) for call in stage.x.requests if call.endpoint == "media_analytics"]
    return [query["media_keys"][0].split(",") for query in queries]


def up(stage: Live, item_id: str) -> str:
    found = re.search(rf'^x_media_up{{id="{item_id}"}} (\d)$', stage.text(), re.MULTILINE)
    assert found is not None
    return found[1]


# Rows 1 to 5: a 200 with complaints


def test_row_01_what_x_does_not_know_is_asked_for_more_rarely_and_the_rest_stands() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row01", "media_analytics", ids=(KEYS[1],))
        for _ in range(22):
            assert (await stage.poll()).outcome is PollOutcome.SUCCESS
            stage.clock.pass_by(HOUR)
        assert (up(stage, KEYS[0]), up(stage, KEYS[1])) == ("1", "0")
        assert [hour for hour, ids in enumerate(asked_ids(stage)) if KEYS[1] in ids] == [*range(10), 15, 21]
        assert all(KEYS[0] in ids for ids in asked_ids(stage))
        assert_item_told(stage, ItemErrorType.RESOURCE_NOT_FOUND, "X does not know the id.", 12)

    act_with(act)


def test_row_02_errors_alone_are_a_success_with_nothing_and_no_outage() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row02", "media_analytics")
        assert (await stage.poll(rounds=None)).outcome is PollOutcome.SUCCESS
        assert stage.calls() == [200]
        assert (up(stage, KEYS[0]), up(stage, KEYS[1])) == ("0", "0")
        assert (stage.channel().failure, stage.parked(MEDIA)) == (None, [])
        assert stage.sample("x_exporter_poll_success", endpoint=MEDIA) == 1
        assert_item_told(stage, ItemErrorType.RESOURCE_NOT_FOUND, "X does not know the id.", 2)

    act_with(act)


@pytest.mark.parametrize(
    ("fault", "complaint", "says"),
    [
        ("row03", ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE, "Check that the account owns it."),
        ("item_unavailable", ItemErrorType.RESOURCE_UNAVAILABLE, "X does not make the item available"),
        ("item_disallowed", ItemErrorType.DISALLOWED_RESOURCE, "X does not allow the item to be read."),
    ],
)
def test_row_03_what_is_not_ours_is_left_out_and_looked_at_once_a_day(
    fault: str, complaint: ItemErrorType, says: str
) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics", ids=(KEYS[1],), until=stage.clock() + DAY + HOUR)
        for _ in range(50):
            await stage.poll()
            stage.clock.pass_by(HOUR)
        assert [hour for hour, ids in enumerate(asked_ids(stage)) if KEYS[1] in ids] == [0, 24, 48, 49]
        assert up(stage, KEYS[1]) == "1"
        errors = stage.sample("x_exporter_item_errors_total", endpoint=MEDIA, type=complaint.value)
        assert errors == 2
        assert stage.parked(MEDIA) == []

    async def first(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics", ids=(KEYS[1],))
        await stage.poll()
        assert_item_told(stage, complaint, says)

    act_with(act)
    act_with(first)


def test_row_03_a_daemon_with_nothing_else_to_ask_for_asks_once_a_day() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("item_not_authorized", "media_analytics", ids=tuple(KEYS))
        for _ in range(48):
            assert (await stage.poll()).outcome is PollOutcome.SUCCESS
            stage.clock.pass_by(HOUR)
        assert stage.calls() == [200, 200]
        assert (up(stage, KEYS[0]), up(stage, KEYS[1])) == ("0", "0")
        assert stage.sample("x_exporter_polls_total", endpoint=MEDIA, outcome="success") == 2

    act_with(act)


@pytest.mark.parametrize("fault", ["row04", "field_unauthorized"])
def test_row_04_a_withheld_metric_is_absent_and_the_rest_stands(fault: str) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics", ids=(KEYS[1],))
        await stage.poll()
        text = stage.text()
        assert f'x_media_analytics{{id="{KEYS[1]}",metric="watch_time_ms"}}' in text
        assert f'x_media_analytics{{id="{KEYS[1]}",metric="video_views"}}' not in text
        assert f'x_media_analytics{{id="{KEYS[0]}",metric="video_views"}}' in text
        assert up(stage, KEYS[1]) == "1"
        assert stage.calls() == [200]
        assert_item_told(stage, ItemErrorType.NOT_AUTHORIZED_FOR_FIELD, "X withholds some metrics.")

    act_with(act)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("row05", ItemErrorType.FIELD_HYDRATION_FAILURE),
        ("item_internal_error", ItemErrorType.INTERNAL_ERROR),
    ],
)
def test_row_05_a_passing_fault_with_an_item_is_asked_about_once_more(
    fault: str, complaint: ItemErrorType
) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics", ids=(KEYS[1],), times=1)
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert asked_ids(stage) == [KEYS, [KEYS[1]]]
        assert f'x_media_analytics{{id="{KEYS[1]}",metric="video_views"}}' in stage.text()
        assert stage.sample("x_exporter_retries_total", endpoint=MEDIA, reason="server_error") == 1

    async def lasting(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics", ids=(KEYS[1],))
        await stage.poll(rounds=None)
        assert asked_ids(stage) == [KEYS, [KEYS[1]]]
        assert stage.parked(MEDIA) == []
        assert_item_told(stage, complaint, "There is nothing to do", 2)
        stage.clock.pass_by(HOUR)
        await stage.poll()
        assert asked_ids(stage)[2] == KEYS

    act_with(act)
    act_with(lasting)


# Rows 6 to 21 and 26: refusals


@pytest.mark.parametrize("row", ["row06", "row07"])
def test_rows_06_and_07_a_refused_request_is_our_fault_and_not_repeated(row: str) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(row, "media_analytics")
        assert (await stage.poll(rounds=None)).outcome is PollOutcome.FAILURE
        says = "X calls the request wrong. Check the ids in the configuration"
        assert_told(stage, Reason.INVALID_REQUEST, "400", says)
        assert "`media_keys`" in stage.sentences()[0]

    act_with(act)


@pytest.mark.parametrize("row", ["row06", "row07"])
def test_rows_06_and_07_the_older_field_list_is_tried_once_and_then_no_more(row: str) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(row, "media_analytics", options={"parameter": "media_analytics.fields"})
        await stage.poll(rounds=None)
        await stage.poll(rounds=None)
        fields = [parse_qs(call.query)["media_analytics.fields"][0] for call in stage.x.requests]
        assert ["timestamped_metrics" in each for each in fields] == [True, False, True]
        assert stage.sample("x_exporter_retries_total", endpoint=MEDIA, reason="invalid_request") == 1
        says = "It complains of `media_analytics.fields`."
        assert_told(stage, Reason.INVALID_REQUEST, "400", says, requests=3, retries=1)

    act_with(act)


@pytest.mark.parametrize("row", ["row06", "row07"])
def test_rows_06_and_07_insights_are_tried_with_repeated_keys_and_that_is_remembered(row: str) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(row, "insights_28hr", times=1, options={"parameter": "tweet_ids"})
        for _ in range(2):
            assert (await stage.poll(Kind.POST)).outcome is PollOutcome.SUCCESS
        queries = [parse_qs(call.query)["tweet_ids"] for call in stage.x.requests]
        assert [len(each) for each in queries] == [1, 2, 2]

    act_with(act, posts=2)


def test_row_08_a_bearer_token_that_is_refused_is_left_alone_for_a_quarter_of_an_hour() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row08", "media_analytics", until=stage.clock() + 10 * MINUTE)
        await stage.poll()
        await stage.poll()
        says = "X did not accept the account's credentials."
        assert_told(stage, Reason.UNAUTHORIZED, "401", says, parked=True)
        await assert_comes_back(stage, 15 * MINUTE)

    act_with(act)


def test_row_08_an_oauth2_token_is_refreshed_once_asked_with_once_and_then_left_alone(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock)
        stage.clock.pass_by(HOUR)
        stage.x.fail("row08", "media_analytics")
        await stage.poll()
        await stage.poll()
        assert stage.calls() == [401, 401]
        assert stage.calls("token") == [200]
        says = "X did not accept the account's credentials."
        assert_told(stage, Reason.UNAUTHORIZED, "401", says, requests=2, retries=1, parked=True)
        stage.x.faults.clear()
        await assert_comes_back(stage, 15 * MINUTE)
        # Nothing was thrown away over it, and the good pair was not renewed once more.
        assert stage.calls("token") == [200]

    live(act, config_text(media=KEYS, auth=OAUTH2), folder=tmp_path)


def test_a_parked_endpoint_is_waited_for_by_x_clock_and_not_in_circles() -> None:
    async def act(stage: Live) -> None:
        stage.x.turn(date_skew_seconds=-90.0)
        stage.x.fail("row08", "media_analytics", times=1)
        await stage.poll()
        # By this machine's clock the probe is due, by X's in more than a minute.
        stage.clock.pass_by(830)
        started = stage.clock()
        assert (await stage.poll(rounds=None)).outcome is PollOutcome.SUCCESS
        assert 60 <= stage.clock() - started < 80
        assert len(stage.clock.waits) < 5

    act_with(act)


async def assert_comes_back(stage: Live, after_seconds: float) -> None:
    """The endpoint is not asked before so long, then once, and is in service again by itself."""
    before = len(stage.x.requests)
    stage.clock.pass_by(after_seconds - MINUTE)
    await stage.poll()
    assert len(stage.x.requests) == before
    stage.clock.pass_by(2 * MINUTE)
    assert (await stage.poll()).outcome is PollOutcome.SUCCESS
    assert len(stage.x.requests) == before + 1
    assert (stage.channel().failure, stage.parked(MEDIA), stage.sentences()) == (None, [], [])


@pytest.mark.parametrize(
    ("row", "code", "reason", "hours", "says"),
    [
        ("row09", "402", Reason.CREDITS_DEPLETED, 1, "Buy credits in X's developer console"),
        ("row10", "403", Reason.NOT_ENROLLED, 24, "Ask X for a plan that includes it"),
        ("row11", "403", Reason.NOT_ENROLLED, 24, "Enrol that user with X"),
        ("row12", "403", Reason.WRONG_TOKEN_KIND, 1, "Put a user access token"),
        ("row13", "403", Reason.SPEND_CAP_REACHED, 24, "The next cycle begins on 2026-11-01."),
        ("row15", "404", Reason.RETIRED, 24, "X answers as if this endpoint did not exist"),
        ("row18", "429", Reason.USAGE_CAPPED, 4, "The usage cap of the X plan is spent."),
    ],
)
def test_rows_09_to_18_out_of_service_parks_the_endpoint_alone_and_it_comes_back_by_itself(
    row: str, code: str, reason: Reason, hours: int, says: str
) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(row, "media_analytics", until=stage.clock() + 0.9 * hours * HOUR)
        assert (await stage.poll()).outcome is PollOutcome.FAILURE
        assert (await stage.poll(Kind.POST)).outcome is PollOutcome.SUCCESS
        assert_told(stage, reason, code, says, parked=True, transaction=row != "row15")
        before = stage.calls("insights_28hr")
        await assert_comes_back(stage, hours * HOUR)
        assert stage.calls("insights_28hr") == before

    act_with(act, posts=1)


def test_row_13_the_spend_cap_is_waited_for_no_longer_than_to_the_next_cycle() -> None:
    async def act(stage: Live) -> None:
        # Four hours from now, at midnight.
        stage.x.fail("row13", "media_analytics", times=1, options={"reset_date": "2026-10-08"})
        await stage.poll()
        assert "The next cycle begins on 2026-10-08." in stage.sentences()[0]
        await assert_comes_back(stage, 3 * HOUR + 55 * MINUTE)

    act_with(act)


@pytest.mark.parametrize(
    ("row", "code", "reason", "says"),
    [
        (
            "row14",
            "403",
            Reason.FORBIDDEN,
            "Check that the token has the scopes `tweet.read` and `users.read`",
        ),
        ("row16", "404", Reason.RESOURCE_NOT_FOUND, "X has also answered so in outages"),
    ],
)
def test_rows_14_and_16_are_asked_again_slowly_and_nothing_is_forgotten(
    row: str, code: str, reason: Reason, says: str
) -> None:
    async def act(stage: Live) -> None:
        await stage.poll()
        figure = f'x_media_analytics{{id="{KEYS[0]}",metric="video_views"}}'
        stage.x.fail(row, "media_analytics", until=stage.clock() + 40 * MINUTE)
        poll = await stage.poll()
        assert poll.outcome is PollOutcome.FAILURE
        assert_told(stage, reason, code, says)
        assert figure in stage.text()
        started = stage.clock()
        assert (await stage.poll(rounds=None)).outcome is PollOutcome.SUCCESS
        assert 40 * MINUTE <= stage.clock() - started < 50 * MINUTE
        assert len(stage.calls()) == 6

    act_with(act)


@pytest.mark.parametrize("fault", ["row17", "rate_limited_code", "rate_limited_problem"])
def test_row_17_a_spent_limit_is_waited_for_to_its_reset_on_that_endpoint_only(fault: str) -> None:
    async def act(stage: Live) -> None:
        options = {"reset_seconds": 300}
        stage.x.fail(fault, "media_analytics", times=1, options=options)
        started = stage.clock()
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert 299 <= stage.clock() - started < 310
        assert stage.calls() == [429, 200]
        assert stage.sample("x_exporter_retries_total", endpoint=MEDIA, reason="rate_limited") == 1
        assert stage.parked(MEDIA) == []
        (line,) = stage.lines("warning")
        assert line["transaction_id"] == stage.x.requests[0].transaction_id
        assert "X's request limit for this endpoint is spent." in line["msg"]
        before = stage.clock()
        await stage.poll(Kind.POST)
        assert stage.clock() - before < MINUTE

    act_with(act, posts=1)


def test_row_17_without_headers_a_quarter_of_an_hour_is_waited() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("rate_limited_bare", "media_analytics", times=1)
        started = stage.clock()
        await stage.poll()
        assert 15 * MINUTE <= stage.clock() - started < 16 * MINUTE

    act_with(act)


def test_row_17_a_reset_beyond_the_poll_is_left_to_the_next_poll_and_told() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row17", "media_analytics", times=1, options={"reset_seconds": 3500})
        (failure,) = (await stage.poll()).failures.values()
        assert failure.reason is Reason.RATE_LIMITED
        assert_told(stage, Reason.RATE_LIMITED, "429", "The exporter waits until it opens again")
        assert stage.sample("x_exporter_retries_total", endpoint=MEDIA, reason="rate_limited") == 0
        stage.clock.pass_by(HOUR)
        await stage.poll()
        assert stage.calls() == [429, 200]

    act_with(act)


@pytest.mark.parametrize(
    ("fault", "code", "transaction"),
    [
        ("row19", "500", True),
        ("row20", "503", False),
        ("upstream_error", "503", False),
        ("row21", "502", False),
        ("gateway_timeout", "504", False),
    ],
)
def test_rows_19_to_21_faults_of_x_are_asked_again_ever_more_slowly(
    fault: str, code: str, *, transaction: bool
) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics")
        assert (await stage.poll()).outcome is PollOutcome.FAILURE
        says = "X has a fault of its own and gave no figures."
        assert_told(stage, Reason.SERVER_ERROR, code, says, requests=5, retries=4, transaction=transaction)
        # Half of 1 s, doubled each time: the draw is always 0.5 here.
        assert stage.clock.waits == [0.5, 1, 2, 4]
        stage.x.faults.clear()
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert stage.sentences() == []

    act_with(act)


def test_row_20_an_outage_of_an_hour_costs_few_requests_and_one_line_and_ends_by_itself() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row20", "media_analytics", until=stage.clock() + HOUR)
        await stage.poll(rounds=None)
        assert len(stage.calls()) < 100
        assert len(stage.lines("warning")) == 1
        stage.clock.pass_by(HOUR)
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS

    act_with(act)


def test_row_26_a_status_nobody_knows_is_logged_and_not_repeated() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row26", "media_analytics")
        await stage.poll(rounds=None)
        says = "X refused the request with a status that is not known from it."
        assert_told(stage, Reason.UNEXPECTED_STATUS, "422", says)
        assert stage.lines("warning")[0]["detail"] == "The request could not be understood."

    act_with(act)


# Rows 22 to 25: the token endpoint


def refused_refresh(act: Callable[[Live], Coroutine[Any, Any, None]], folder: Path) -> None:
    """Run `act` when the access token has expired, so that a refresh is due."""

    async def due(stage: Live) -> None:
        await signed_in(stage.x, folder / "state", stage.clock)
        stage.clock.pass_by(3 * HOUR)
        await act(stage)

    live(due, config_text(media=KEYS, auth=OAUTH2), folder=folder)


def test_row_22_a_spent_token_is_sent_no_more_and_a_person_is_asked(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row22")
        for _ in range(3):
            await stage.poll()
            stage.clock.pass_by(10 * MINUTE)
        assert stage.calls("token") == [400]
        assert stage.calls() == []
        assert stage.sample("x_exporter_login_required") == 1
        assert stage.sample("x_exporter_token_refreshes_total", outcome="refused") == 1
        assert stage.parked(MEDIA) == [Reason.SIGNED_OUT]
        assert (
            sum(stage.sample("x_exporter_requests_total", endpoint=MEDIA, code=code) for code in CODES) == 0
        )
        assert "login" in stage.sentences()[0]
        with_id = [line for line in stage.lines("warning") if "transaction" in line["msg"]]
        assert stage.x.requests[0].transaction_id in with_id[0]["msg"]
        # A person signs in while the daemon runs, and it goes on by itself.
        stage.x.faults.clear()
        await signed_in(stage.x, tmp_path / "state", stage.clock)
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert stage.sample("x_exporter_login_required") == 0

    refused_refresh(act, tmp_path)


CODES = ("200", "400", "401", "403", "404", "429", "500", "503", "timeout", "connect", "read", "decode")


def test_row_23_a_used_or_late_code_is_refused_for_good_and_leaves_what_is_stored(tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        await signed_in(stage.x, tmp_path / "state", stage.clock)
        before = (tmp_path / "state" / "tokens" / "brand.json").read_bytes()
        async with httpx.AsyncClient() as http:
            surroundings = Surroundings(http, stage.clock, stage.clock.sleep, lambda: 0.5)
            api = ApiSettings(stage.base_url, 30.0, 4, None, None)
            endpoint = open_endpoint(AUTH2, api, surroundings)
            answer = await endpoint.redeem(Secret("used"), "http://127.0.0.1/callback", Secret("v" * 43))
        assert isinstance(answer, TokenFailure)
        assert (answer.verdict, answer.code) == (TokenVerdict.DEFINITE, "400")
        assert "Start `x-analytics-exporter login` again." in answer.sentence
        assert answer.transaction_id == stage.x.requests[0].transaction_id
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert (tmp_path / "state" / "tokens" / "brand.json").read_bytes() == before

    live(act, config_text(media=KEYS, auth=OAUTH2), folder=tmp_path)


def test_row_24_a_wrong_client_is_a_fault_of_the_configuration_and_the_token_is_still_good(
    tmp_path: Path,
) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("row24")
        await stage.poll()
        assert set(stage.calls("token")) == {401}
        assert stage.sample("x_exporter_login_required") == 0
        assert stage.sample("x_exporter_token_refreshes_total", outcome="config") == 1
        assert stage.parked(MEDIA) == [Reason.SIGNED_OUT]
        assert "`client_secret`" in stage.sentences()[0]
        stage.x.faults.clear()
        stage.clock.pass_by(6 * MINUTE)
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS

    refused_refresh(act, tmp_path)


@pytest.mark.parametrize("fault", ["row25", "lost_response", "processed_error"])
def test_row_25_without_a_clear_answer_the_pair_is_kept_and_tried_again(fault: str, tmp_path: Path) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "token", times=2 if fault == "row25" else 1)
        await stage.poll()
        assert stage.sample("x_exporter_token_refreshes_total", outcome="ambiguous") >= 1
        stored = decode((tmp_path / "state" / "tokens" / "brand.json").read_bytes(), "brand.json", "brand")
        assert stored.refresh_token is not None
        outcomes = [event.outcome for event in stage.x.tokens.events]
        if fault == "row25":
            # X did nothing: the same token was still good.
            assert outcomes == ["ok"]
            assert stage.sample("x_exporter_login_required") == 0
        else:
            # X did its part and nobody heard: one more try finds that out, and no more are made.
            assert outcomes == ["ok", "spent"]
            assert stage.sample("x_exporter_login_required") == 1

    refused_refresh(act, tmp_path)
