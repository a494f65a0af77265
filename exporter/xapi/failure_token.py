"""What X's token endpoint, POST /2/oauth2/token, answers instead of tokens.

Refresh tokens are used up by one exchange, so the difference that matters is whether X has surely
refused. Whatever leaves a doubt is ambiguous, and keeps the old pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from exporter.xapi.failure_body import Complaint, read_complaint
from exporter.xapi.failure_headers import transaction_id

_CLIENT_ERRORS = range(400, 500)
_TOO_MANY_REQUESTS = 429


class TokenVerdict(StrEnum):
    """What a failed exchange says about the token that was sent."""

    # X refuses this token or code for good: after a look at the store, a person must log in.
    DEFINITE = "definite"
    # The client is wrong, not the token: mend the configuration; the token is still good.
    CONFIG = "config"
    # The outcome is unknown: keep the pair, use the access token while it lives, try again a few times.
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class TokenFailure:
    """A failed exchange.

    `code` is the HTTP status as text. `sentence` tells a person what happened and what to do; `detail`
    is X's own words, at most 300 characters, fit to be shown. `transaction_id` is X's, None without one.
    """

    verdict: TokenVerdict
    code: str
    sentence: str
    detail: str
    transaction_id: str | None


_LOGIN_AGAIN = (
    "X no longer accepts the refresh token: it was used elsewhere, revoked, or has expired. "
    "Run `x-analytics-exporter login` for this account."
)
_CODE_REFUSED = (
    "X did not accept the authorization code: it was used before or is older than 30 seconds. "
    "Start `x-analytics-exporter login` again."
)
_CLIENT_REFUSED = (
    "X did not accept the client, and the tokens are still good. Check `client_id`, `client_secret` and "
    "`client_type` (confidential or public) under the account's `auth.oauth2`."
)
_UNCLEAR = (
    "X's token endpoint gave no clear answer. The tokens are kept and the exporter tries again; "
    "there is nothing to do unless it lasts."
)

_TOKEN_ERRORS = frozenset({"invalidrequest", "invalidgrant"})
_CLIENT_ERROR_NAMES = frozenset(
    {"unauthorizedclient", "invalidclient", "invalidscope", "unsupportedgranttype"},
)


def classify_token(status: int, headers: Mapping[str, str], body: bytes) -> TokenFailure:
    """What an answer of the token endpoint that carries no usable tokens means; never raises.

    A 200 that could not be read is such an answer too: it may have used up the token.
    """
    complaint = read_complaint(body)
    verdict, sentence = _judge(status, complaint)
    return TokenFailure(verdict, str(status), sentence, complaint.detail, transaction_id(headers))


def _judge(status: int, complaint: Complaint) -> tuple[TokenVerdict, str]:
    if status not in _CLIENT_ERRORS or status == _TOO_MANY_REQUESTS:
        return TokenVerdict.AMBIGUOUS, _UNCLEAR
    detail = complaint.detail.casefold()
    # A request that lacks a parameter was refused before X looked at the token in it.
    if complaint.oauth_error in _CLIENT_ERROR_NAMES or (
        complaint.oauth_error in _TOKEN_ERRORS and "missing required parameter" in detail
    ):
        return TokenVerdict.CONFIG, _CLIENT_REFUSED
    if complaint.oauth_error in _TOKEN_ERRORS:
        return TokenVerdict.DEFINITE, _CODE_REFUSED if "authorization code" in detail else _LOGIN_AGAIN
    return TokenVerdict.AMBIGUOUS, _UNCLEAR
