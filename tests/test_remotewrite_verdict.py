"""What receivers really answer, and what it means for the samples."""

from __future__ import annotations

import pytest

from exporter.remotewrite.verdict import PutOff, Refused, Taken, Verdict, verdict
from exporter.selfmetrics.remote_write import SendFailure, SkipReason

ADDRESS = "https://receiver.example/api/v1/write"
NOW = 1_728_000_000.0


def found(status: int, text: str = "", **headers: str) -> Verdict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return verdict(ADDRESS, status, named, text, NOW)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_takes_the_samples(status: int) -> None:
    assert found(status) == Taken()


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (500, "too old sample", SkipReason.TOO_OLD),
        (500, "out of bounds", SkipReason.OUT_OF_BOUNDS),
        (500, "out of order sample", SkipReason.OUT_OF_ORDER),
        (400, "out of bounds", SkipReason.OUT_OF_BOUNDS),
        (400, "out of order sample", SkipReason.OUT_OF_ORDER),
        (400, "duplicate sample for timestamp", SkipReason.DUPLICATE),
        (
            400,
            "rejected because its timestamp is too old (err-mimir-sample-timestamp-too-old)",
            SkipReason.TOO_OLD,
        ),
        (
            400,
            "rejected, and out-of-order samples are not allowed (err-mimir-sample-out-of-order)",
            SkipReason.OUT_OF_ORDER,
        ),
        (
            400,
            "another sample with the same timestamp was ingested (err-mimir-sample-duplicate-timestamp)",
            SkipReason.DUPLICATE,
        ),
        (
            400,
            "per-user series limit of 150000 exceeded (err-mimir-max-series-per-user)",
            SkipReason.REJECTED,
        ),
        (409, "store locally for endpoint : conflict: out of order sample", SkipReason.OUT_OF_ORDER),
        (409, "conflict", SkipReason.REJECTED),
        (422, "", SkipReason.REJECTED),
        (400, "", SkipReason.REJECTED),
    ],
)
def test_a_refusal_for_good_is_told_by_its_words(status: int, text: str, reason: SkipReason) -> None:
    refused = found(status, text)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.too_large) == (reason, False)
    assert refused.words == (f"{status}: {text}" if text else str(status))


def test_a_message_that_is_too_large_is_no_fault_of_a_sample() -> None:
    refused = found(413, "request too large")
    assert isinstance(refused, Refused)
    assert refused.too_large


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        (401, SendFailure.UNAUTHORIZED, "mend basic_auth"),
        (403, SendFailure.UNAUTHORIZED, "mend basic_auth"),
        (404, SendFailure.NOT_FOUND, "--web.enable-remote-write-receiver"),
        (429, SendFailure.THROTTLED, "tried again"),
        (500, SendFailure.SERVER, "tried again"),
        (503, SendFailure.SERVER, "tried again"),
        (301, SendFailure.UNEXPECTED, "is remote_write.url right?"),
        (405, SendFailure.UNEXPECTED, "is remote_write.url right?"),
    ],
)
def test_anything_else_puts_the_samples_off_and_says_what_to_do(
    status: int, reason: SendFailure, says: str
) -> None:
    put_off = found(status, "made up")
    assert isinstance(put_off, PutOff)
    assert put_off.reason is reason
    assert put_off.sentence.startswith(ADDRESS)
    assert f"({status}: made up)" in put_off.sentence
    assert says in put_off.sentence


def test_a_proxys_page_that_is_out_of_order_refuses_no_samples() -> None:
    page = found(500, "<h1>This service is out of order</h1>", content_type="text/html; charset=utf-8")
    assert isinstance(page, PutOff)
    assert page.reason is SendFailure.SERVER


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7),
        ("3600", 15),
        ("0", 0),
        ("Fri, 04 Oct 2024 00:00:09 GMT", 9),
        ("Thu, 03 Oct 2024 23:00:00 GMT", 0),
        ("soon", 0),
    ],
)
def test_a_receiver_is_left_alone_as_long_as_it_asks_up_to_15_seconds(asked: str, seconds: float) -> None:
    put_off = found(429, retry_after=asked)
    assert isinstance(put_off, PutOff)
    assert put_off.wait_seconds == pytest.approx(seconds)


def test_what_a_receiver_says_is_shown_on_one_short_line() -> None:
    put_off = found(503, "first\r\n\x1b[31msecond\x00" + "x" * 1000)
    assert isinstance(put_off, PutOff)
    assert "503: first [31msecond xx" in put_off.sentence
    assert put_off.sentence.isprintable()
    assert len(put_off.sentence) < 500
