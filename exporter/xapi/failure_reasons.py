"""Why X gave no figures: the closed list of reasons, and what is done about each.

The rows meant in comments are those of X's failures as the API documents and shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIVE_MINUTES_SECONDS = 300.0
QUARTER_SECONDS = 900.0
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0


class Verdict(StrEnum):
    """What to do about a failed request."""

    # Transient: ask again after a backoff, or after `probe_after_seconds` where the failure names it.
    RETRY = "retry"
    # A limit is spent: ask again at `wait_until_seconds`; the endpoint as a whole waits.
    WAIT = "wait"
    # The endpoint is out of service for this account: probe it rarely, leave other endpoints alone.
    PARK = "park"
    # The credentials were not accepted: refresh or re-read them once, ask once more, then back off.
    SIGN_IN = "sign_in"
    # The request is wrong: the same request would be refused again. Try a known other form of it.
    REFUSED = "refused"


class Reason(StrEnum):
    """Why there are no figures; the `reason` label of the exporter's own metrics."""

    # X answered 5xx, or said that the fault is its own.
    SERVER_ERROR = "server_error"
    # No answer within the timeout.
    TIMEOUT = "timeout"
    # No connection: name resolution, network, TLS or proxy.
    CONNECT = "connect"
    # The connection broke before the answer was complete.
    READ = "read"
    # An answer came that cannot be read as figures.
    UNREADABLE = "unreadable"
    # The request limit of a window is spent.
    RATE_LIMITED = "rate_limited"
    # The plan's cap on usage in a month or day is spent.
    USAGE_CAPPED = "usage_capped"
    # The developer account has no credits left.
    CREDITS_DEPLETED = "credits_depleted"
    # The spend cap of the billing cycle is reached.
    SPEND_CAP_REACHED = "spend_cap_reached"
    # The plan does not include the endpoint.
    NOT_ENROLLED = "not_enrolled"
    # The endpoint does not exist (any more).
    RETIRED = "retired"
    # The endpoint does not take this kind of token.
    WRONG_TOKEN_KIND = "wrong_token_kind"  # noqa: S105 - a label, no password
    # X does not permit it, for want of a scope, of ownership, or of a sound account.
    FORBIDDEN = "forbidden"
    # X does not accept the credentials.
    UNAUTHORIZED = "unauthorized"
    # No request was sent, since the account cannot be signed in.
    SIGNED_OUT = "signed_out"
    # X calls the request wrong.
    INVALID_REQUEST = "invalid_request"
    # X does not know what was asked for.
    RESOURCE_NOT_FOUND = "resource_not_found"
    # The address answers with a redirect, which is not followed.
    REDIRECT = "redirect"
    # A status that fits nothing else.
    UNEXPECTED_STATUS = "unexpected_status"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done about a reason.

    `probe_after_seconds` is how long to leave alone: the endpoint under `PARK`, and under `SIGN_IN` when
    renewed credentials did not help; the one batch under `RETRY`, whose retry is then a slow one.
    `sentence` tells a person what happened and what to do.
    """

    verdict: Verdict
    sentence: str
    probe_after_seconds: float | None = None


def rule(reason: Reason) -> Rule:
    """What is done about `reason`."""
    return _RULES[reason]


def reasons(*verdicts: Verdict) -> tuple[Reason, ...]:
    """The reasons that lead to one of `verdicts`, in their fixed order."""
    return tuple(reason for reason in Reason if _RULES[reason].verdict in verdicts)


USER_NOT_ENROLLED = (
    "X bills this endpoint to the signed-in user, whose own developer account is not enrolled for it. "
    "Enrol that user with X, or sign in as one that is; the exporter looks again once a day."
)

_RULES: dict[Reason, Rule] = {
    Reason.SERVER_ERROR: Rule(
        Verdict.RETRY,
        "X has a fault of its own and gave no figures. "
        "There is nothing to do: the exporter keeps asking, and figures come back with X.",
    ),
    Reason.TIMEOUT: Rule(
        Verdict.RETRY,
        "X did not answer in time. "
        "The exporter asks again; if it lasts, check the network or raise `api.timeout`.",
    ),
    Reason.CONNECT: Rule(
        Verdict.RETRY,
        "X could not be reached. The exporter asks again; if it lasts, check the network, name resolution, "
        "`api.base_url`, `api.proxy_url` and `api.ca_file`.",
    ),
    Reason.READ: Rule(
        Verdict.RETRY,
        "The connection broke before X's answer was complete. "
        "The exporter asks again; if it lasts, check the network and any proxy in between.",
    ),
    Reason.UNREADABLE: Rule(
        Verdict.RETRY,
        "X answered, but not with figures that can be read. "
        "The exporter asks again; if it lasts, report it with the transaction id.",
    ),
    Reason.RATE_LIMITED: Rule(
        Verdict.WAIT,
        "X's request limit for this endpoint is spent. The exporter waits until it opens again; if this "
        "happens often, watch fewer items, raise `poll.every`, or stop other programs that use the same "
        "credentials.",
    ),
    Reason.USAGE_CAPPED: Rule(
        Verdict.PARK,
        "The usage cap of the X plan is spent. Raise the cap in X's developer console or wait for its next "
        "period; the exporter looks again every four hours.",
        4 * HOUR_SECONDS,
    ),
    Reason.CREDITS_DEPLETED: Rule(
        Verdict.PARK,
        "The X developer account has no credits left. "
        "Buy credits in X's developer console; the exporter looks again every hour.",
        HOUR_SECONDS,
    ),
    Reason.SPEND_CAP_REACHED: Rule(
        Verdict.PARK,
        "The spend cap of the X developer account is reached for this billing cycle. Raise the cap in X's "
        "developer console or wait for the next cycle; the exporter looks again once a day.",
        DAY_SECONDS,
    ),
    # X's own text speaks of attaching the app to a Project, which sends people the wrong way.
    Reason.NOT_ENROLLED: Rule(
        Verdict.PARK,
        "The X plan of this developer app does not include this endpoint; X's hint about Projects misleads. "
        "Ask X for a plan that includes it (Enterprise), or check that the app is in the package you pay "
        "for; the exporter looks again once a day.",
        DAY_SECONDS,
    ),
    Reason.RETIRED: Rule(
        Verdict.PARK,
        "X answers as if this endpoint did not exist, which is how it retires one. For posts, set "
        "`post_source` to `auto` or `tweets_analytics`; check `api.base_url` if it is not X's own. "
        "The exporter looks again once a day.",
        DAY_SECONDS,
    ),
    # Hourly, not daily: a token file may be mended without a reload.
    Reason.WRONG_TOKEN_KIND: Rule(
        Verdict.PARK,
        "X does not take this kind of token here: the endpoint needs a user's token and refuses an app-only "
        "one. Put a user access token, OAuth 1.0a keys or an OAuth 2.0 login under the account's `auth`; "
        "the exporter looks again every hour.",
        HOUR_SECONDS,
    ),
    # Not parked: X refuses a whole batch over one item that belongs to someone else, and the other
    # batches are none the worse. It may also be intermittent.
    Reason.FORBIDDEN: Rule(
        Verdict.RETRY,
        "X does not permit this request. Check that the token has the scopes `tweet.read` and `users.read`, "
        "that the account is neither locked nor suspended, and that the watched items are its own; "
        "the exporter asks again slowly.",
        QUARTER_SECONDS,
    ),
    Reason.UNAUTHORIZED: Rule(
        Verdict.SIGN_IN,
        "X did not accept the account's credentials. The exporter renews them where it can and asks again; "
        "if it lasts, check the account's `auth` or run `x-analytics-exporter login` for it.",
        QUARTER_SECONDS,
    ),
    # Asks no more of X than a look at the credentials, so that a login heals it soon.
    Reason.SIGNED_OUT: Rule(
        Verdict.PARK,
        "The account is not signed in. Check its `auth` or run `x-analytics-exporter login` for it.",
        FIVE_MINUTES_SECONDS,
    ),
    Reason.INVALID_REQUEST: Rule(
        Verdict.REFUSED,
        "X calls the request wrong. Check the ids in the configuration; "
        "if they are right, report it with the transaction id.",
    ),
    # A slow retry of this batch, not a parked endpoint: an outage once answered so for eight hours, so
    # nothing may be forgotten over it, and batches that X does find must not stop.
    Reason.RESOURCE_NOT_FOUND: Rule(
        Verdict.RETRY,
        "X says that it does not know what was asked for. Check the ids in the configuration; X has also "
        "answered so in outages, so the exporter asks again slowly.",
        QUARTER_SECONDS,
    ),
    Reason.REDIRECT: Rule(
        Verdict.PARK,
        "X's address answered with a redirect. It is not followed, so that credentials go nowhere else. "
        "Check `api.base_url` and any proxy in between; the exporter looks again every hour.",
        HOUR_SECONDS,
    ),
    Reason.UNEXPECTED_STATUS: Rule(
        Verdict.REFUSED,
        "X refused the request with a status that is not known from it. Check `api.base_url` and any proxy "
        "in between; if they are right, report it with the transaction id.",
    ),
}
