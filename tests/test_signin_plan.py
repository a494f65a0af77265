from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.settings import Secret
from exporter.signin.plan import Step, login_reason, next_step, usable_access_token
from exporter.signin.tokens import AccountTokens, TokenPair
from tests.signin_support import NOW

REFRESH = Secret("refresh")


def stored(
    *, access: str | None = "access", refresh: str | None = "refresh", expires: float | None = NOW + 7200
) -> AccountTokens:
    pair = TokenPair(
        Secret(access) if access else None, Secret(refresh) if refresh else None, expires, NOW, ()
    )
    return AccountTokens("brand", "client-1", pair)


def step(tokens: AccountTokens | None, now: float = NOW, hold_until: float = 0.0) -> Step:
    return next_step(tokens, "client-1", now, hold_until)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (None, Step.LOGIN),
        (AccountTokens("brand", "client-1"), Step.LOGIN),
        (stored(refresh=None), Step.LOGIN),
        (stored().refused(REFRESH, NOW), Step.LOGIN),
        (AccountTokens("brand", "client-2", stored().pair), Step.LOGIN),
        (stored(), Step.USE),
        (stored(expires=None), Step.USE),
        (stored().sending(Secret("of an import"), NOW), Step.USE),
        (stored().refused(Secret("of an import"), NOW), Step.USE),
        (stored(expires=NOW + 300), Step.SEND),
        (stored(access=None), Step.SEND),
        (stored().sending(REFRESH, NOW), Step.SEND),
    ],
)
def test_the_next_step_follows_from_what_is_stored(tokens: AccountTokens | None, expected: Step) -> None:
    assert step(tokens) is expected


def test_a_due_refresh_waits_for_its_backoff() -> None:
    due = stored(expires=NOW)
    assert step(due, hold_until=NOW + 1) is Step.WAIT
    assert step(due, now=NOW + 1, hold_until=NOW + 1) is Step.SEND


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (None, "is not signed in"),
        (AccountTokens("brand", "client-1"), "is not signed in"),
        (AccountTokens("brand", "client-2", stored().pair), "another `client_id`"),
        (stored(refresh=None), "no new refresh token (its access token is good until 2026-09-21 16:13 UTC)"),
        (stored().sending(REFRESH, NOW).refused(REFRESH, NOW), "withdrawn or is too old (its access token"),
        (stored().sending(REFRESH, NOW).sending(REFRESH, NOW).refused(REFRESH, NOW), "successor is lost ("),
        (stored(access=None).refused(REFRESH, NOW), "is too old. Run"),
        (stored(expires=1e300).refused(REFRESH, NOW), "9999-12-31"),
    ],
)
def test_the_reason_to_log_in_says_what_happened_and_what_to_do(
    tokens: AccountTokens | None, words: str
) -> None:
    reason = login_reason(tokens, "brand", "client-1")
    assert reason is not None
    assert words in reason
    assert reason.endswith("Run `login --account brand`.")


@given(
    tokens=st.sampled_from([stored(), stored(refresh=None), stored(expires=None), stored(access=None)]),
    marks=st.lists(st.sampled_from(["sending", "refused"]), max_size=4),
    now=st.floats(NOW - 1e6, NOW + 1e6),
    hold_until=st.floats(NOW - 1e6, NOW + 1e6),
)
def test_nothing_refused_is_sent_and_nothing_expired_is_used(
    tokens: AccountTokens, marks: list[str], now: float, hold_until: float
) -> None:
    for mark in marks:
        change = tokens.sending if mark == "sending" else tokens.refused
        tokens = change(REFRESH, now)
    chosen = step(tokens, now, hold_until)
    if chosen is Step.SEND:
        assert tokens.refresh_token is not None
        assert not marks or marks[-1] != "refused"
        assert now >= hold_until
    if chosen is Step.USE:
        assert usable_access_token(tokens, now) is not None
    assert tokens.pair is not None
    expires = tokens.pair.expires_timestamp_seconds
    assert usable_access_token(tokens, now) is None or now < (expires or NOW + 60)
