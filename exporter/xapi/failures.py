"""What X answers instead of figures, as a value: what happened, what to do, and in whose words.

`classify` reads an answer that is no 200, `unreachable` and `unreadable` stand for requests that got no
answer or no readable one, `signed_out` and `limit_spent` for requests that were not sent at all.
`classify_token` reads what the token endpoint says. All are pure, take any bytes and headers whatever,
and never raise. Nothing they give carries a secret or the id of an account, user or developer app.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Literal

from exporter.errors import WireError
from exporter.xapi.failure_body import Complaint, read_complaint
from exporter.xapi.failure_headers import (
    clean_transaction_id,
    limit_opens_timestamp_seconds,
    redirect_target,
    retry_after_timestamp_seconds,
    transaction_id,
)
from exporter.xapi.failure_reasons import USER_NOT_ENROLLED, Reason, Verdict, reasons, rule
from exporter.xapi.failure_token import TokenFailure, TokenVerdict, classify_token
from exporter.xapi.failure_words import shown

__all__ = [
    "PARK_REASONS",
    "RETRY_REASONS",
    "Failure",
    "Reason",
    "TokenFailure",
    "TokenVerdict",
    "Verdict",
    "classify",
    "classify_token",
    "limit_spent",
    "signed_out",
    "unreachable",
    "unreadable",
]

# Reasons for which an endpoint may stand parked; credentials that renewing did not mend park it as well.
PARK_REASONS = reasons(Verdict.PARK, Verdict.SIGN_IN)
# Reasons for which a request may be sent again within a poll, in the same or another form.
RETRY_REASONS = reasons(Verdict.RETRY, Verdict.WAIT, Verdict.SIGN_IN, Verdict.REFUSED)

# What codes of the old `{code, message}` shape mean, where the status alone does not tell.
_OLD_CODES = {88: Reason.RATE_LIMITED}

_TYPES = {
    "invalid-request": Reason.INVALID_REQUEST,
    "client-forbidden": Reason.NOT_ENROLLED,
    "unsupported-authentication": Reason.WRONG_TOKEN_KIND,
    "rate-limit-exceeded": Reason.RATE_LIMITED,
    "usage-capped": Reason.USAGE_CAPPED,
    "resource-not-found": Reason.RESOURCE_NOT_FOUND,
    "not-authorized-for-resource": Reason.FORBIDDEN,
    "resource-unavailable": Reason.FORBIDDEN,
    "disallowed-resource": Reason.FORBIDDEN,
    "internal-error": Reason.SERVER_ERROR,
    "field-hydration-failure": Reason.SERVER_ERROR,
}
_TITLES = {
    "invalidrequest": Reason.INVALID_REQUEST,
    "creditsdepleted": Reason.CREDITS_DEPLETED,
    "spendcapreached": Reason.SPEND_CAP_REACHED,
    "clientforbidden": Reason.NOT_ENROLLED,
    "unsupportedauthentication": Reason.WRONG_TOKEN_KIND,
    "usagecapexceeded": Reason.USAGE_CAPPED,
    "notfounderror": Reason.RESOURCE_NOT_FOUND,
}
_REASONS = {"clientnotenrolled": Reason.NOT_ENROLLED, "usernotenrolled": Reason.NOT_ENROLLED}

_STATUSES = {
    400: Reason.INVALID_REQUEST,
    401: Reason.UNAUTHORIZED,
    402: Reason.CREDITS_DEPLETED,
    403: Reason.FORBIDDEN,
    410: Reason.RETIRED,
    429: Reason.RATE_LIMITED,
}
# Statuses that mean what they say unless the body names one of these: a 401 is always worth a renewal of
# the credentials, and a 429 a pause.
_OVERRULED_BY = {
    401: frozenset({Reason.WRONG_TOKEN_KIND}),
    429: frozenset({Reason.USAGE_CAPPED, Reason.CREDITS_DEPLETED, Reason.SPEND_CAP_REACHED}),
}
_SUCCESSES, _REDIRECTS, _NOT_FOUND, _SERVER_ERRORS = range(200, 300), range(300, 400), 404, 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no figures.

    `code` is the `code` label of `x_exporter_requests_total`: the HTTP status, or timeout, connect, read,
    decode; empty where no request was sent. `sentence` tells a person what happened and what to do.
    `detail` is X's own words (`detail`, `message` or the page), at most 300 characters and fit to be
    shown. `parameter` names the request's parameters that X complained of. `transaction_id` is X's own.

    `wait_until_seconds` (Unix seconds by X's clock) is when X said it can be asked again; known whenever
    the verdict is `WAIT`. `probe_after_seconds` is how long to leave alone: the endpoint under `PARK`, and
    under `SIGN_IN` when renewing did not help; under `RETRY` this one batch, other batches going on.
    """

    verdict: Verdict
    reason: Reason
    code: str
    sentence: str
    detail: str = ""
    parameter: tuple[str, ...] = ()
    transaction_id: str | None = None
    wait_until_seconds: float | None = None
    probe_after_seconds: float | None = None


def classify(status: int, headers: Mapping[str, str], body: bytes, now_seconds: float) -> Failure:
    """What an answer with any status but 200 means; `now_seconds` is Unix seconds by X's clock."""
    complaint = read_complaint(body)
    failure = replace(
        _failure(_reason(status, complaint), str(status)),
        detail=complaint.detail,
        parameter=complaint.parameters,
        transaction_id=transaction_id(headers),
        wait_until_seconds=retry_after_timestamp_seconds(headers, now_seconds),
    )
    return _with_particulars(failure, complaint, headers, now_seconds)


def unreachable(kind: Literal["timeout", "connect", "read"], text: str) -> Failure:
    """A request that got no whole answer; `text` is what the network layer says of it."""
    reason = {"timeout": Reason.TIMEOUT, "connect": Reason.CONNECT, "read": Reason.READ}[kind]
    return replace(_failure(reason, kind), detail=shown(text))


def unreadable(error: WireError, transaction_id: str | None) -> Failure:
    """A 200 that could not be read; `transaction_id` is its header of that name."""
    failure = _failure(Reason.UNREADABLE, "decode")
    return replace(failure, detail=shown(str(error)), transaction_id=clean_transaction_id(transaction_id))


def signed_out(sentence: str) -> Failure:
    """A request that was not sent, since its account cannot be signed in; `sentence` says why."""
    failure = _failure(Reason.SIGNED_OUT, "")
    return replace(failure, sentence=sentence.strip() or failure.sentence)


def limit_spent(until_seconds: float) -> Failure:
    """A request that was not sent, since X would refuse it before `until_seconds` (Unix seconds)."""
    return replace(_failure(Reason.RATE_LIMITED, ""), wait_until_seconds=until_seconds)


def _failure(reason: Reason, code: str) -> Failure:
    what = rule(reason)
    return Failure(what.verdict, reason, code, what.sentence, probe_after_seconds=what.probe_after_seconds)


def _reason(status: int, complaint: Complaint) -> Reason:
    if status >= _SERVER_ERRORS:
        return Reason.SERVER_ERROR
    if status in _REDIRECTS:
        return Reason.REDIRECT
    if status in _SUCCESSES:
        return Reason.UNREADABLE
    named = _named(complaint)
    if named is not None and named in _OVERRULED_BY.get(status, {named}):
        return named
    if status == _NOT_FOUND:
        return _not_found(complaint)
    return _STATUSES.get(status, Reason.UNEXPECTED_STATUS)


def _named(complaint: Complaint) -> Reason | None:
    """The reason that the body names: by the problem's type, its title, its reason, or an old code."""
    by_type, by_title = _TYPES.get(complaint.type), _TITLES.get(complaint.title)
    if by_type is None and by_title is None and complaint.type == "credits":
        return Reason.SPEND_CAP_REACHED if complaint.reset_date else Reason.CREDITS_DEPLETED
    by_code = None if complaint.code is None else _OLD_CODES.get(complaint.code)
    return by_type or by_title or _REASONS.get(complaint.reason) or by_code


def _not_found(complaint: Complaint) -> Reason:
    """A route that X does not have answers without a single byte; its pages are another server's."""
    if complaint.is_empty:
        return Reason.RETIRED
    return Reason.RESOURCE_NOT_FOUND if complaint.is_json else Reason.UNEXPECTED_STATUS


def _with_particulars(
    failure: Failure, complaint: Complaint, headers: Mapping[str, str], now: float
) -> Failure:
    """`failure` with what only this answer can tell about its reason."""
    match failure.reason:
        case Reason.RATE_LIMITED:
            return replace(failure, wait_until_seconds=limit_opens_timestamp_seconds(headers, now))
        case Reason.SPEND_CAP_REACHED:
            return _until_next_cycle(failure, complaint.reset_date, now)
        case Reason.NOT_ENROLLED if complaint.reason == "usernotenrolled":
            return replace(failure, sentence=USER_NOT_ENROLLED)
        case Reason.REDIRECT:
            return replace(failure, detail=redirect_target(headers))
        case Reason.INVALID_REQUEST if complaint.parameters:
            named = ", ".join(f"`{name}`" for name in complaint.parameters)
            return replace(failure, sentence=f"{failure.sentence} It complains of {named}.")
        case _:
            return failure


def _until_next_cycle(failure: Failure, reset_date: str, now: float) -> Failure:
    """`failure` with the day (UTC) on which X says that the next billing cycle begins."""
    begins = _midnight(reset_date)
    if begins is None or begins <= now or failure.probe_after_seconds is None:
        return failure
    return replace(
        failure,
        sentence=f"{failure.sentence} The next cycle begins on {reset_date}.",
        wait_until_seconds=begins,
        probe_after_seconds=min(failure.probe_after_seconds, begins - now),
    )


def _midnight(day: str) -> float | None:
    if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", day):
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time(), UTC).timestamp()
    except ValueError:
        return None
