"""What X answers instead of figures: one case per row of its failures, and any bytes whatever."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.xapi.failures import (
    PARK_REASONS,
    RETRY_REASONS,
    Failure,
    Reason,
    TokenVerdict,
    Verdict,
    classify,
    classify_token,
    limit_spent,
    signed_out,
    unreachable,
    unreadable,
)

DATA = Path(__file__).parent / "data" / "failures"
NOW = datetime(2026, 10, 7, 20, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0
DAY = 86_400.0

# File of the body, status, and what is to be made of it: verdict, reason, seconds to leave it alone.
Row: TypeAlias = tuple[str, int, Verdict, Reason, float | None]
ROWS: list[Row] = [
    ("row06_invalid_request.json", 400, Verdict.REFUSED, Reason.INVALID_REQUEST, None),
    ("row07_invalid_request_flat.json", 400, Verdict.REFUSED, Reason.INVALID_REQUEST, None),
    ("row08_unauthorized.json", 401, Verdict.SIGN_IN, Reason.UNAUTHORIZED, 900),
    ("row09_credits_depleted.json", 402, Verdict.PARK, Reason.CREDITS_DEPLETED, HOUR),
    ("row10_client_not_enrolled.json", 403, Verdict.PARK, Reason.NOT_ENROLLED, DAY),
    ("row11_user_not_enrolled.json", 403, Verdict.PARK, Reason.NOT_ENROLLED, DAY),
    ("row12_unsupported_authentication.json", 403, Verdict.PARK, Reason.WRONG_TOKEN_KIND, HOUR),
    ("row13_spend_cap_reached.json", 403, Verdict.PARK, Reason.SPEND_CAP_REACHED, DAY),
    ("row14_forbidden.json", 403, Verdict.RETRY, Reason.FORBIDDEN, 900),
    ("row15_retired.txt", 404, Verdict.PARK, Reason.RETIRED, DAY),
    ("row16_resource_not_found.json", 404, Verdict.RETRY, Reason.RESOURCE_NOT_FOUND, 900),
    ("row17_rate_limited.json", 429, Verdict.WAIT, Reason.RATE_LIMITED, None),
    ("row17_rate_limited_code.json", 429, Verdict.WAIT, Reason.RATE_LIMITED, None),
    ("row17_rate_limited_type.json", 429, Verdict.WAIT, Reason.RATE_LIMITED, None),
    ("row18_usage_capped.json", 429, Verdict.PARK, Reason.USAGE_CAPPED, 4 * HOUR),
    ("row19_internal_server_error.json", 500, Verdict.RETRY, Reason.SERVER_ERROR, None),
    ("row20_service_unavailable.json", 503, Verdict.RETRY, Reason.SERVER_ERROR, None),
    ("row20_upstream.txt", 503, Verdict.RETRY, Reason.SERVER_ERROR, None),
    ("row21_bad_gateway.html", 502, Verdict.RETRY, Reason.SERVER_ERROR, None),
    ("row21_bad_gateway.html", 504, Verdict.RETRY, Reason.SERVER_ERROR, None),
    ("row26_code_and_message.json", 418, Verdict.REFUSED, Reason.UNEXPECTED_STATUS, None),
]
JSON_ROWS = [row for row in ROWS if row[0].endswith(".json")]


def body_of(name: str) -> bytes:
    return (DATA / name).read_bytes()


def document_of(name: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(body_of(name))
    return document


def failed(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> Failure:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, headers or {}, encoded, NOW)


def assert_is(failure: Failure, row: Row) -> None:
    _, status, verdict, reason, probe_after = row
    assert (failure.verdict, failure.reason) == (verdict, reason)
    assert failure.probe_after_seconds == probe_after
    assert failure.code == str(status)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_failure_x_is_known_for_is_told_by_its_body(
    row: Row,
) -> None:
    assert_is(failed(row[1], body_of(row[0])), row)


@pytest.mark.parametrize("row", JSON_ROWS, ids=lambda row: row[0])
def test_a_problem_is_told_on_both_hosts_that_x_names(
    row: Row,
) -> None:
    body = body_of(row[0])
    for host in (b"api.x.com", b"api.twitter.com"):
        swapped = body.replace(b"api.twitter.com", host).replace(b"api.x.com", host)
        assert_is(failed(row[1], swapped), row)


@pytest.mark.parametrize("row", JSON_ROWS, ids=lambda row: row[0])
def test_a_problem_is_told_when_wrapped_in_errors(
    row: Row,
) -> None:
    plain = failed(row[1], body_of(row[0]))
    wrapped = failed(row[1], {"errors": [document_of(row[0])]})
    assert_is(wrapped, row)
    assert (wrapped.parameter, wrapped.sentence) == (plain.parameter, plain.sentence)


@pytest.mark.parametrize("row", JSON_ROWS, ids=lambda row: row[0])
def test_a_problem_without_its_type_is_told_by_the_title(
    row: Row,
) -> None:
    document = document_of(row[0])
    document.pop("type", None)
    assert_is(failed(row[1], document), row)


@pytest.mark.parametrize("row", JSON_ROWS, ids=lambda row: row[0])
def test_a_problem_is_told_although_a_word_beside_it_is_no_utf_8(
    row: Row,
) -> None:
    body = body_of(row[0]).replace(b"{", b'{"instance":"caf\xe9",', 1)
    assert_is(failed(row[1], body), row)


def test_a_missing_plan_is_told_by_the_reason_alone() -> None:
    assert failed(403, {"reason": "client-not-enrolled"}).reason is Reason.NOT_ENROLLED
    assert failed(403, {"reason": "user-not-enrolled"}).reason is Reason.NOT_ENROLLED


def test_spent_credits_and_a_reached_spend_cap_share_a_type_and_are_told_apart() -> None:
    credits_type = "https://api.x.com/2/problems/credits"
    assert failed(403, {"type": credits_type}).reason is Reason.CREDITS_DEPLETED
    capped = failed(403, {"type": credits_type, "reset_date": "2026-11-12"})
    assert capped.reason is Reason.SPEND_CAP_REACHED


def test_the_user_who_is_not_enrolled_gets_another_sentence_than_the_app() -> None:
    app = failed(403, body_of("row10_client_not_enrolled.json"))
    user = failed(403, body_of("row11_user_not_enrolled.json"))
    assert "plan of this developer app" in app.sentence
    assert "signed-in user" in user.sentence


def test_a_refused_request_names_the_parameters_complained_of() -> None:
    assert failed(400, body_of("row06_invalid_request.json")).parameter == ("media_keys",)
    flat = failed(400, body_of("row07_invalid_request_flat.json"))
    assert flat.parameter == ("media_analytics.fields",)
    assert "`media_analytics.fields`" in flat.sentence


def test_parameters_are_also_read_from_x_s_sentences() -> None:
    message = (
        "The `tweet_ids` query parameter value [1] is bad; the query parameter [end_tim] is not one of [x]"
    )
    assert failed(400, {"errors": [{"message": message}]}).parameter == ("tweet_ids", "end_tim")


def test_what_is_no_parameter_name_is_not_taken_for_one() -> None:
    body: object = {"errors": [{"parameters": {"<b>": [], "1902837465564738291": [], "ids": []}}]}
    assert failed(400, body).parameter == ("ids",)


def test_a_spend_cap_waits_for_the_day_x_names_and_is_probed_daily_until_then() -> None:
    failure = failed(403, body_of("row13_spend_cap_reached.json"))
    assert failure.wait_until_seconds == datetime(2026, 11, 12, tzinfo=UTC).timestamp()
    assert failure.probe_after_seconds == DAY
    assert "2026-11-12" in failure.sentence


def test_a_spend_cap_that_resets_tonight_is_probed_tonight() -> None:
    document = document_of("row13_spend_cap_reached.json") | {"reset_date": "2026-10-08"}
    assert failed(403, document).probe_after_seconds == 4 * HOUR


@pytest.mark.parametrize("reset_date", ["2026-02-31", "2025-01-01", "soon", "20261112", "2026-W46-4", "", 5])
def test_a_reset_date_that_cannot_be_is_not_repeated(reset_date: object) -> None:
    document = document_of("row13_spend_cap_reached.json") | {"reset_date": reset_date}
    failure = failed(403, document)
    assert failure.reason is Reason.SPEND_CAP_REACHED
    assert failure.wait_until_seconds is None
    assert failure.probe_after_seconds == DAY


def test_a_spent_limit_waits_for_its_reset() -> None:
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(NOW) + 421)}
    assert failed(429, body_of("row17_rate_limited.json"), headers).wait_until_seconds == NOW + 421


def test_a_spent_daily_limit_waits_for_the_day_and_not_for_the_quarter_of_an_hour() -> None:
    headers = {
        "x-rate-limit-remaining": "12",
        "x-rate-limit-reset": str(int(NOW) + 421),
        "x-user-limit-24hour-remaining": "0",
        "x-user-limit-24hour-reset": str(int(NOW) + 40_000),
    }
    assert failed(429, b"", headers).wait_until_seconds == NOW + 40_000


def test_header_names_may_come_in_any_case() -> None:
    headers = {"X-Rate-Limit-Reset": str(int(NOW) + 60), "X-Transaction-ID": "00a1b2c3d4e5f607"}
    for spelled in (headers, httpx.Headers(headers)):
        failure = failed(429, b"", spelled)
        assert (failure.wait_until_seconds, failure.transaction_id) == (NOW + 60, "00a1b2c3d4e5f607")


@pytest.mark.parametrize("reset", ["", "soon", "-5", "1e9", "9" * 64, "1791403200000", "12.5", "0", "٣"])
def test_a_spent_limit_with_an_unusable_reset_waits_a_quarter_of_an_hour(reset: str) -> None:
    failure = failed(429, b"", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": reset})
    assert failure.wait_until_seconds == NOW + 900


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("Wed, 07 Oct 2026 20:05:00 GMT", 300.0), ("Wed, 07 Oct 2026 20:05:00 -0000", 300.0)],
)
def test_retry_after_is_honoured_in_seconds_and_as_a_date(value: str, seconds: float) -> None:
    for status in (429, 503):
        assert failed(status, b"", {"retry-after": value}).wait_until_seconds == NOW + seconds


@pytest.mark.parametrize("value", ["999999999", "-1", "never", "Wed, 07 Oct 2099 20:05:00 GMT", "1" * 500])
def test_a_retry_after_that_nobody_waits_for_is_ignored(value: str) -> None:
    assert failed(503, b"", {"retry-after": value}).wait_until_seconds is None


def test_a_usage_cap_is_no_rate_limit_although_both_are_a_429() -> None:
    headers = {"x-rate-limit-remaining": "299", "x-rate-limit-reset": str(int(NOW) + 60)}
    capped = failed(429, body_of("row18_usage_capped.json"), headers)
    assert (capped.verdict, capped.wait_until_seconds) == (Verdict.PARK, None)
    assert failed(429, b"", headers).verdict is Verdict.WAIT


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_parks_the_endpoint_and_shows_no_more_than_its_host(status: int) -> None:
    failure = failed(status, b"", {"location": "https://user:pw@login.example/page?token=abc"})
    assert (failure.verdict, failure.reason) == (Verdict.PARK, Reason.REDIRECT)
    assert failure.detail == "https://login.example"


@pytest.mark.parametrize("location", ["", "/2/elsewhere", "http://[::1", "//", "\x00"])
def test_a_redirect_to_nowhere_is_still_a_redirect(location: str) -> None:
    failure = failed(302, b"", {"location": location})
    assert (failure.reason, failure.detail) == (Reason.REDIRECT, "")


def test_a_page_of_another_server_does_not_retire_an_endpoint() -> None:
    assert failed(404, b"<html>Not here</html>").reason is Reason.UNEXPECTED_STATUS
    assert failed(404, {"title": "Not Found", "type": "about:blank"}).reason is Reason.RESOURCE_NOT_FOUND


def test_a_401_always_renews_the_credentials_unless_the_token_is_of_the_wrong_kind() -> None:
    for body in (
        b"",
        b"<html>",
        {"type": "x/invalid-request"},
        {"errors": [{"code": 89, "message": "Invalid"}]},
    ):
        assert failed(401, body).verdict is Verdict.SIGN_IN
    assert failed(401, {"type": "x/unsupported-authentication"}).reason is Reason.WRONG_TOKEN_KIND


def test_a_server_error_is_retried_whatever_its_body_says() -> None:
    assert failed(503, body_of("row18_usage_capped.json")).verdict is Verdict.RETRY


def test_a_status_of_success_that_is_no_200_is_unreadable() -> None:
    assert failed(204).reason is Reason.UNREADABLE


def test_x_s_own_words_are_shown_without_the_account_s_id() -> None:
    failure = failed(402, body_of("row09_credits_depleted.json"))
    assert failure.detail == ("Your enrolled account […] does not have any credits to fulfill this request.")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Could not find media with keys: [13_1880028106020515840].", None),
        ("Forbidden to access tweets: 1880028106020515841, 1880028106020515842", None),
        ("The next cycle begins on 2026-11-12; use OAuth 2.0.", None),
        ("client 7 of user 2244994945 asked", "client … of user … asked"),
        ("Request 2244994945 denied", "Request … denied"),
        ("You sent Authorization: Bearer AAAAAAA%2FBB", "You sent Authorization: Bearer …"),
        ("Token 1902837-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789 is bad", "Token … is bad"),
        ("proxy http://joe:pass@proxy.example:3128 says no", "proxy http://proxy.example:3128 says no"),
        ("two\n lines\t\x1b[31mand\u202e more", "two lines [31mand more"),
    ],
)
def test_ids_of_items_stay_and_ids_of_people_and_secrets_go(said: str, shown: str | None) -> None:
    expected = said if shown is None else shown
    assert failed(400, {"detail": said, "title": "Invalid Request"}).detail == expected
    assert unreachable("connect", said).detail == expected


def test_a_page_is_shown_without_its_tags() -> None:
    assert failed(502, body_of("row21_bad_gateway.html")).detail == "502 Bad Gateway 502 Bad Gateway cdn"


def test_a_cut_json_body_is_shown_without_ids() -> None:
    assert (
        failed(403, b'{"client_id":"27182818","account_id": 31415').detail
        == '{"client_id":"…","account_id": …'
    )


def test_long_words_are_cut_at_300_characters() -> None:
    detail = failed(500, {"detail": "far too long " * 100}).detail
    assert len(detail) == 300
    assert detail.endswith("…")


@pytest.mark.parametrize("header", ["", "x" * 65, "abc def", "<script>", "é"])
def test_a_transaction_id_that_is_none_is_not_shown(header: str) -> None:
    assert failed(500, b"", {"x-transaction-id": header}).transaction_id is None
    assert unreadable(WireError("$", "no object"), header).transaction_id is None


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("timeout", Reason.TIMEOUT), ("connect", Reason.CONNECT), ("read", Reason.READ)],
)
def test_a_request_without_an_answer_is_retried(
    kind: Literal["timeout", "connect", "read"], reason: Reason
) -> None:
    failure = unreachable(kind, "all is dark")
    assert (failure.verdict, failure.reason, failure.code) == (Verdict.RETRY, reason, kind)
    assert failure.detail == "all is dark"


def test_an_unreadable_answer_is_retried_and_names_the_place() -> None:
    failure = unreadable(WireError("$.data", "a number, expected an array"), "00a1b2c3d4e5f607")
    assert (failure.verdict, failure.reason, failure.code) == (Verdict.RETRY, Reason.UNREADABLE, "decode")
    assert failure.detail == "$.data: a number, expected an array"
    assert failure.transaction_id == "00a1b2c3d4e5f607"


def test_an_account_that_is_signed_out_says_so_in_the_words_of_its_credentials() -> None:
    failure = signed_out("The token file is empty. Put a token there.")
    assert (failure.verdict, failure.reason, failure.code) == (Verdict.PARK, Reason.SIGNED_OUT, "")
    assert failure.sentence == "The token file is empty. Put a token there."
    assert signed_out(" ").sentence


def test_a_request_that_was_held_back_says_until_when() -> None:
    failure = limit_spent(NOW + 5)
    assert (failure.verdict, failure.wait_until_seconds, failure.code) == (Verdict.WAIT, NOW + 5, "")


def test_an_endpoint_is_only_parked_for_reasons_that_its_metric_lists() -> None:
    for row in ROWS:
        failure = failed(row[1], body_of(row[0]))
        assert (failure.reason in PARK_REASONS) is (failure.verdict in (Verdict.PARK, Verdict.SIGN_IN))
        assert (failure.reason in RETRY_REASONS) is (failure.verdict is not Verdict.PARK)


TOKEN_ROWS: list[tuple[str, int, TokenVerdict, str]] = [
    ("row22_token_refused.json", 400, TokenVerdict.DEFINITE, "refresh token"),
    ("row22_invalid_grant.json", 400, TokenVerdict.DEFINITE, "refresh token"),
    ("row23_code_refused.json", 400, TokenVerdict.DEFINITE, "authorization code"),
    ("row24_client_refused.json", 401, TokenVerdict.CONFIG, "`client_secret`"),
    ("row25_service_unavailable.json", 503, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row17_rate_limited.json", 429, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row22_token_refused.json", 500, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row22_token_refused.json", 429, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row08_unauthorized.json", 401, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row10_client_not_enrolled.json", 403, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row15_retired.txt", 404, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row21_bad_gateway.html", 400, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row21_bad_gateway.html", 200, TokenVerdict.AMBIGUOUS, "tries again"),
    ("row22_invalid_grant.json", 302, TokenVerdict.AMBIGUOUS, "tries again"),
]


@pytest.mark.parametrize(("name", "status", "verdict", "phrase"), TOKEN_ROWS)
def test_only_a_sure_refusal_of_the_token_endpoint_asks_for_a_login(
    name: str, status: int, verdict: TokenVerdict, phrase: str
) -> None:
    failure = classify_token(status, {"x-transaction-id": "00a1b2c3d4e5f607"}, body_of(name))
    assert failure.verdict is verdict
    assert phrase in failure.sentence
    assert (failure.code, failure.transaction_id) == (str(status), "00a1b2c3d4e5f607")


@pytest.mark.parametrize(
    "error", ["unauthorized_client", "invalid_client", "invalid_scope", "unsupported_grant_type"]
)
def test_a_refused_client_is_the_configuration_s_fault_and_keeps_the_token(error: str) -> None:
    assert classify_token(400, {}, json.dumps({"error": error}).encode()).verdict is TokenVerdict.CONFIG


def test_a_request_that_lacks_a_parameter_does_not_condemn_the_token() -> None:
    body = {"error": "invalid_request", "error_description": "Missing required parameter [client_id]."}
    assert classify_token(400, {}, json.dumps(body).encode()).verdict is TokenVerdict.CONFIG


# Hostile answers

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "type", "title", "detail", "reason", "status", "errors", "error", "error_description", "code", "message",
    "parameter", "parameters", "reset_date", "client_id", "account_id",
]  # fmt: skip
WORDS = st.sampled_from(
    [
        "about:blank",
        "https://api.x.com/2/problems/credits",
        "client-not-enrolled",
        "usage-capped",
        "2026-11-12",
    ],
)
PROBLEMS = st.dictionaries(st.sampled_from(KEYS), JSON_VALUES | WORDS, max_size=8)
BROKEN = st.sampled_from([b"\x80", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xff"])
BODIES = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda value: json.dumps(value).encode(), JSON_VALUES),
    st.builds(lambda value: json.dumps(value).encode(), PROBLEMS),
    st.builds(lambda value: json.dumps({"errors": value}).encode(), st.lists(PROBLEMS, max_size=3)),
    # JSON but for the text's encoding.
    st.builds(
        lambda text, broken: b'{"detail":"%b%b"}' % (text.encode(), broken), st.text(max_size=5), BROKEN
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset", "retry-after", "location",
         "x-transaction-id", "X-User-Limit-24hour-Reset"],
    ),
    st.text(max_size=30) | st.integers().map(str) | st.floats().map(str),
)  # fmt: skip


@given(st.integers(100, 999), HEADERS, BODIES)
def test_any_answer_has_a_verdict_a_sentence_and_words_fit_to_be_shown(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    failure = classify(status, headers, body, NOW)
    assert failure.sentence.strip()
    assert failure.code == str(status)
    assert len(failure.detail) <= 300
    assert failure.detail.isprintable()
    assert (failure.verdict is Verdict.WAIT) <= (failure.wait_until_seconds is not None)
    assert (failure.verdict is Verdict.PARK) <= (failure.probe_after_seconds is not None)
    for seconds in (
        failure.wait_until_seconds,
        failure.probe_after_seconds and NOW + failure.probe_after_seconds,
    ):
        assert seconds is None or seconds > NOW


@given(st.integers(100, 999), HEADERS, BODIES)
def test_any_answer_of_the_token_endpoint_has_a_verdict(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    failure = classify_token(status, headers, body)
    assert failure.sentence.strip()
    if status >= 500 or status < 400:
        assert failure.verdict is TokenVerdict.AMBIGUOUS


@given(st.integers(10**7, 10**19).map(str), st.sampled_from([row for row in JSON_ROWS if row[1] != 400]))
def test_no_id_of_an_account_or_client_is_repeated(number: str, row: Row) -> None:
    document = document_of(row[0])
    document = {**document, "account_id": number, "client_id": number, "user": {"id": number}}
    for detail in (f"account [{number}]", f"the client {number}", f'"client_id":"{number}"', f"id {number}"):
        failure = failed(row[1], {**document, "detail": detail}, {"x-transaction-id": "00a1b2c3d4e5f607"})
        assert number not in repr(dataclasses.asdict(failure))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 60_000,
        b"[" * 65_536,
        b'{"errors":[' * 5_000 + b"]}" * 5_000,
        b"\x00" * 5_000_000,
        b'{"detail":"' + b"x" * 5_000_000 + b'"}',
        b'{"code":1' + b"0" * 5_000 + b"}",
        b'{"detail":"\\ud800"}',
        b"\xff\xfe{}",
        b'{"errors":{"0":1},"type":[],"title":{},"detail":7}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_huge_deep_and_broken_bodies_are_only_looked_at(body: bytes) -> None:
    for status in (400, 401, 403, 404, 429, 503):
        assert failed(status, body).sentence
        assert classify_token(status, {}, body).verdict is TokenVerdict.AMBIGUOUS
