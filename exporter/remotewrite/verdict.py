"""What a receiver's answer means for the samples that were sent: taken, put off, or refused for good.

The words are those of Prometheus (400, and 500 for what is too old), Mimir and Cortex (400 with
``err-mimir-`` codes), Thanos (409) and VictoriaMetrics.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from exporter.selfmetrics.remote_write import SendFailure, SkipReason
from exporter.xapi.failure_headers import header, retry_after_timestamp_seconds

# What a receiver asks to be left alone for is granted up to here.
LONGEST_WAIT_SECONDS: Final = 15.0

# Statuses by which a receiver says that trying these samples again is of no use.
_REFUSING: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_REASONS: Final = (
    (SkipReason.TOO_OLD, re.compile(r"too[ -]old", re.IGNORECASE)),
    (SkipReason.OUT_OF_BOUNDS, re.compile(r"out[ -]of[ -]bounds?", re.IGNORECASE)),
    (SkipReason.OUT_OF_ORDER, re.compile(r"out[ -]of[ -]order", re.IGNORECASE)),
    (SkipReason.DUPLICATE, re.compile(r"duplicate", re.IGNORECASE)),
)
# Prometheus answers 500 for samples that it will never take.
_REFUSING_500: Final = re.compile(r"too old sample|out of bounds|out of order", re.IGNORECASE)
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Taken:
    """All samples are in."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """The samples are not to blame and are sent again; `wait_seconds` is the least the receiver asks for.

    `sentence` says what is wrong, where, and what to do.
    """

    reason: SendFailure
    sentence: str
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """At least one of the samples will never be taken, or with `too_large` never so many at once.

    `words` are the receiver's own.
    """

    reason: SkipReason
    words: str
    too_large: bool = False


Verdict: TypeAlias = Taken | PutOff | Refused


def verdict(address: str, status: int, headers: Mapping[str, str], text: str, now: float) -> Verdict:
    """What the answer with `status` and the body `text`, come at `now`, means; `address` is who gave it."""
    if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Taken()
    words = _words(status, text)
    if status in _REFUSING or _refuses_by_500(status, headers, text):
        return Refused(_reason(text), words, status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    reason, sentence = _complaint(address, status, words)
    return PutOff(reason, sentence, _wait_seconds(headers, now))


def _refuses_by_500(status: int, headers: Mapping[str, str], text: str) -> bool:
    # A proxy's page that calls a whole service out of order is no word about samples.
    is_page = "html" in header(headers, "content-type").casefold()
    return status == HTTPStatus.INTERNAL_SERVER_ERROR and not is_page and bool(_REFUSING_500.search(text))


def _reason(text: str) -> SkipReason:
    return next((reason for reason, pattern in _REASONS if pattern.search(text)), SkipReason.REJECTED)


def _words(status: int, text: str) -> str:
    """Status and body, fit for one line of a log."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    short = plain if len(plain) <= _LONGEST_WORDS else plain[: _LONGEST_WORDS - 1] + "…"
    return f"{status}: {short}" if short else str(status)


def _complaint(address: str, status: int, words: str) -> tuple[SendFailure, str]:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return SendFailure.UNAUTHORIZED, (
            f"{address} does not let us in ({words}); mend basic_auth, the bearer token or headers of"
            " remote_write"
        )
    if status == HTTPStatus.NOT_FOUND:
        return SendFailure.NOT_FOUND, (
            f"{address} takes no remote write ({words}); mend the path of remote_write.url, or start"
            " Prometheus with --web.enable-remote-write-receiver"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return SendFailure.THROTTLED, f"{address} asks for fewer requests ({words}); it is tried again"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SendFailure.SERVER, f"{address} fails ({words}); it is tried again"
    return SendFailure.UNEXPECTED, (
        f"{address} gives an answer that has no place in remote write ({words}); is remote_write.url right?"
    )


def _wait_seconds(headers: Mapping[str, str], now: float) -> float:
    until = retry_after_timestamp_seconds(headers, now)
    return 0.0 if until is None else min(LONGEST_WAIT_SECONDS, max(0.0, until - now))
