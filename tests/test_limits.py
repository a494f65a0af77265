"""The request limits that X tells in headers, and the ledger that keeps within them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.xapi.limits import Ledger, RateWindow, Window, parse_windows

NOW = 1_791_403_200.0
JITTER = 1.0


def told(remaining: int, reset: float, limit: int = 300, prefix: str = "x-rate-limit") -> dict[str, str]:
    return {
        f"{prefix}-limit": str(limit),
        f"{prefix}-remaining": str(remaining),
        f"{prefix}-reset": str(int(reset)),
    }


def exchange(ledger: Ledger, now: float, headers: dict[str, str] | None) -> None:
    """One request that is answered at once, or fails without an answer where `headers` is None."""
    ledger.sent(now)
    settle(ledger, now, headers)


def settle(ledger: Ledger, now: float, headers: dict[str, str] | None) -> None:
    """The end of a request that was sent before."""
    ledger.settled(now)
    if headers is not None:
        ledger.observe(headers, now)


def ledger_with(remaining: int, reset: float, limit: int = 300) -> Ledger:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, told(remaining, reset, limit))
    return ledger


# Reading headers


def test_the_three_headers_make_a_window() -> None:
    headers = told(299, NOW + 900)
    expected = {Window.M15: RateWindow(300, 299, NOW + 900)}
    assert parse_windows(headers) == expected
    assert parse_windows(httpx.Headers(headers)) == expected
    assert parse_windows({name.title(): value for name, value in headers.items()}) == expected


def test_of_two_daily_windows_the_tighter_counts() -> None:
    user = told(40, NOW + 80_000, 100, "x-user-limit-24hour")
    app = told(7, NOW + 70_000, 500, "x-app-limit-24hour")
    assert parse_windows(user | app) == {Window.H24: RateWindow(500, 7, NOW + 70_000)}
    assert parse_windows(app | user) == {Window.H24: RateWindow(500, 7, NOW + 70_000)}


def test_of_two_daily_windows_with_as_much_left_the_later_reset_counts() -> None:
    user = told(0, NOW + 80_000, 100, "x-user-limit-24hour")
    app = told(0, NOW + 70_000, 500, "x-app-limit-24hour")
    assert parse_windows(app | user)[Window.H24].reset_timestamp_seconds == NOW + 80_000


@pytest.mark.parametrize("junk", ["", " ", "-1", "1.5", "1e3", "nan", "0x10", "1_000", "9" * 64, "٣", "1, 2"])
def test_junk_in_a_header_is_as_good_as_no_header(junk: str) -> None:
    headers = told(5, NOW + 60) | {"x-rate-limit-limit": junk}
    assert parse_windows(headers) == {Window.M15: RateWindow(None, 5, NOW + 60)}


def test_no_headers_make_no_window() -> None:
    assert parse_windows({}) == {}
    assert parse_windows({"x-rate-limit-limit": "many", "date": "today"}) == {}


# First contact


def test_first_contact_sends_one_request_before_fanning_out() -> None:
    ledger = Ledger(JITTER)
    assert ledger.decide(NOW, 4) == 0
    ledger.sent(NOW)
    assert ledger.decide(NOW, 4) > 0
    assert ledger.awaits_answer(NOW)
    settle(ledger, NOW + 1, {})
    assert ledger.decide(NOW + 1, 3) == 0


def test_a_request_that_got_no_answer_is_no_contact() -> None:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, None)
    ledger.sent(NOW + 1)
    assert ledger.decide(NOW + 1, 3) > 0


def test_without_headers_nothing_is_delayed() -> None:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, {})
    for due in range(1000, 0, -1):
        assert ledger.decide(NOW, due) == 0
        ledger.sent(NOW)


# Within a window


def test_what_is_left_may_be_sent_at_once_while_it_is_enough() -> None:
    ledger = ledger_with(3, NOW + 900)
    for _ in range(3):
        assert ledger.decide(NOW, 3) == 0
        ledger.sent(NOW)


def test_a_spent_window_waits_for_its_reset_and_a_little_more() -> None:
    ledger = ledger_with(0, NOW + 600)
    assert ledger.decide(NOW, 1) == 600 + JITTER
    assert ledger.decide(NOW + 600, 1) == JITTER
    assert ledger.decide(NOW + 600 + JITTER, 1) == 0
    assert not ledger.awaits_answer(NOW)


def test_requests_in_flight_count_as_taken() -> None:
    ledger = ledger_with(2, NOW + 600)
    ledger.sent(NOW)
    ledger.sent(NOW)
    assert 0 < ledger.decide(NOW, 2) < 1


def test_more_than_is_left_is_spread_evenly_over_the_window() -> None:
    ledger = ledger_with(3, NOW + 800)
    now, sent_at = NOW, []
    for due in (10, 9, 8):
        now += ledger.decide(now, due)
        sent_at.append(now - NOW)
        exchange(ledger, now, told(due - 8, NOW + 800))
    assert sent_at == [pytest.approx(200), pytest.approx(400), pytest.approx(600)]
    assert ledger.decide(now, 7) == pytest.approx(200 + JITTER)


def test_a_request_that_got_no_answer_counts_as_taken() -> None:
    ledger = ledger_with(2, NOW + 600)
    exchange(ledger, NOW, None)
    exchange(ledger, NOW, None)
    assert ledger.decide(NOW, 1) == 600 + JITTER


def test_a_daily_limit_holds_back_as_well() -> None:
    ledger = Ledger(JITTER)
    headers = told(200, NOW + 600) | told(0, NOW + 40_000, 100, "x-user-limit-24hour")
    exchange(ledger, NOW, headers)
    assert ledger.decide(NOW, 1) == 40_000 + JITTER


def test_a_day_is_not_lost_to_answers_that_carried_no_headers() -> None:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, told(2, NOW + 40_000, 100, "x-app-limit-24hour"))
    exchange(ledger, NOW, None)
    exchange(ledger, NOW, None)
    assert ledger.decide(NOW, 1) == 900
    exchange(ledger, NOW + 900, told(1, NOW + 40_000, 100, "x-app-limit-24hour"))
    assert ledger.decide(NOW + 900, 1) == 0


def test_an_answer_that_was_overtaken_does_not_raise_what_is_left() -> None:
    ledger = ledger_with(5, NOW + 600)
    ledger.sent(NOW)
    ledger.sent(NOW)
    settle(ledger, NOW, told(0, NOW + 600))
    settle(ledger, NOW, told(4, NOW + 600))
    assert ledger.decide(NOW, 1) == 600 + JITTER
    assert ledger.current(NOW)[Window.M15].remaining == 0


def test_a_late_answer_of_the_window_before_does_not_close_this_one() -> None:
    ledger = ledger_with(5, NOW + 10)
    ledger.sent(NOW)
    ledger.sent(NOW)
    settle(ledger, NOW + 20, told(299, NOW + 910))
    settle(ledger, NOW + 21, told(0, NOW + 10))
    assert ledger.decide(NOW + 21, 1) == 0
    assert ledger.current(NOW + 21)[Window.M15].remaining == 299


def test_an_answer_to_a_lone_request_sets_right_what_was_guessed() -> None:
    ledger = ledger_with(3, NOW + 600)
    exchange(ledger, NOW, None)
    exchange(ledger, NOW, None)
    exchange(ledger, NOW, told(2, NOW + 600))
    assert ledger.decide(NOW, 2) == 0


def test_resets_that_machines_round_differently_are_one_window() -> None:
    ledger = ledger_with(1, NOW + 600)
    ledger.sent(NOW)
    ledger.sent(NOW)
    settle(ledger, NOW, told(0, NOW + 600))
    settle(ledger, NOW, told(1, NOW + 601))
    assert ledger.decide(NOW, 1) == 601 + JITTER


def test_a_window_goes_on_through_answers_that_do_not_name_its_reset() -> None:
    ledger = ledger_with(5, NOW + 600)
    exchange(ledger, NOW, {"x-rate-limit-remaining": "0"})
    assert ledger.decide(NOW, 1) == 600 + JITTER
    assert ledger.current(NOW) == {Window.M15: RateWindow(300, 0, NOW + 600)}


def test_a_reset_that_x_moves_begins_the_window_it_tells_of() -> None:
    ledger = ledger_with(5, NOW + 600)
    exchange(ledger, NOW, told(0, NOW + 300))
    assert ledger.decide(NOW, 1) == 300 + JITTER
    assert ledger.current(NOW) == {Window.M15: RateWindow(300, 0, NOW + 300)}


def test_an_answer_whose_window_is_over_already_says_nothing_of_the_next() -> None:
    ledger = ledger_with(0, NOW - 3)
    assert ledger.decide(NOW, 1) == 0
    assert ledger.current(NOW) == {Window.M15: RateWindow(300, None, NOW - 3)}


def test_a_reset_that_is_centuries_away_closes_a_window_for_a_quarter_of_an_hour() -> None:
    ledger = ledger_with(0, 99_999_999_999)
    assert ledger.decide(NOW, 1) == 900 + JITTER
    assert ledger.current(NOW)[Window.M15] == RateWindow(300, 0, None)


# The next window


def test_a_new_window_is_opened_by_one_request_alone() -> None:
    ledger = ledger_with(0, NOW + 5, limit=3)
    now = NOW + 5 + JITTER
    assert ledger.decide(now, 10) == 0
    ledger.sent(now)
    assert ledger.decide(now, 9) > 0
    assert ledger.awaits_answer(now)
    settle(ledger, now, {})
    ledger.sent(now)
    assert ledger.decide(now, 9) > 0
    settle(ledger, now, told(2, now + 5, 3))
    assert ledger.decide(now, 2) == 0


def test_an_answer_that_was_lost_beside_the_first_of_a_window_counts_as_taken() -> None:
    ledger = ledger_with(5, NOW + 5)
    ledger.sent(NOW)
    ledger.sent(NOW)
    settle(ledger, NOW + 6, None)
    settle(ledger, NOW + 6, told(1, NOW + 11))
    assert ledger.decide(NOW + 6, 1) > 1


def test_a_window_that_x_no_longer_tells_of_does_not_slow_the_rest() -> None:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, told(9, NOW + 600) | told(9, NOW + 5, 10, "x-user-limit-24hour"))
    exchange(ledger, NOW + 10, told(8, NOW + 600))
    ledger.sent(NOW + 10)
    assert ledger.decide(NOW + 10, 2) == 0


def test_what_is_left_is_unknown_once_the_reset_has_passed() -> None:
    ledger = ledger_with(7, NOW + 600)
    assert ledger.current(NOW + 599) == {Window.M15: RateWindow(300, 7, NOW + 600)}
    assert ledger.current(NOW + 600) == {Window.M15: RateWindow(300, None, NOW + 600)}
    assert Ledger(JITTER).current(NOW) == {}


def test_what_is_shown_is_what_x_told_and_not_what_is_guessed() -> None:
    ledger = ledger_with(7, NOW + 600)
    exchange(ledger, NOW, None)
    ledger.sent(NOW)
    assert ledger.current(NOW)[Window.M15].remaining == 7


# Refusals


def test_after_a_refusal_nothing_is_sent_before_its_end_and_then_one_alone() -> None:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, {})
    ledger.rate_limited(NOW + 900, NOW)
    assert ledger.decide(NOW + 1, 5) == 899 + JITTER
    now = NOW + 900 + JITTER
    assert ledger.decide(now, 5) == 0
    ledger.sent(now)
    assert ledger.decide(now, 4) > 0


def test_a_later_refusal_does_not_shorten_an_earlier_one() -> None:
    ledger = Ledger(JITTER)
    ledger.rate_limited(NOW + 900, NOW)
    ledger.rate_limited(NOW + 5, NOW)
    assert ledger.decide(NOW, 1) == 900 + JITTER


@pytest.mark.parametrize("until", [NOW - 5, math.inf, math.nan, NOW + 10**7])
def test_a_refusal_without_a_believable_end_lasts_a_quarter_of_an_hour(until: float) -> None:
    ledger = Ledger(JITTER)
    ledger.rate_limited(until, NOW)
    assert ledger.decide(NOW, 1) == 900 + JITTER


# A restart


def test_limits_outlive_a_restart_with_requests_in_flight_taken() -> None:
    before = ledger_with(3, NOW + 600)
    before.sent(NOW)
    before.sent(NOW)
    before.rate_limited(NOW + 30, NOW)
    after = Ledger(JITTER)
    after.restore(json.loads(json.dumps(before.state())), NOW + 1)
    assert after.current(NOW + 1) == {Window.M15: RateWindow(300, 3, NOW + 600)}
    assert after.decide(NOW + 1, 1) == 29 + JITTER
    assert after.decide(NOW + 31, 1) == 0
    assert after.decide(NOW + 31, 2) > 1


def test_limits_of_a_kind_that_is_not_known_are_not_restored() -> None:
    state = ledger_with(0, NOW + 600).state()
    windows = state["windows"]
    assert isinstance(windows, dict)
    ledger = Ledger(JITTER)
    ledger.restore({**state, "windows": {"x-week-limit": windows["x-rate-limit"]}}, NOW)
    assert ledger.decide(NOW, 1) == 0


@pytest.mark.parametrize("junk", [10**400, -(10**400), math.inf, math.nan, "soon", None, True])
def test_times_that_cannot_be_are_not_restored(junk: object) -> None:
    state = ledger_with(1, NOW + 600).state()
    for key in ("last_sent_timestamp_seconds", "blocked_until_timestamp_seconds"):
        ledger = Ledger(JITTER)
        ledger.restore({**state, key: junk}, NOW)
        assert 0 <= ledger.decide(NOW, 5) <= 600 + JITTER


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["windows", "blocked_until_timestamp_seconds", "x-rate-limit", "told", "unseen", "reset",
                 "limit", "remaining", "reset_timestamp_seconds"],
            ),
            inner,
            max_size=4,
        ),
    )
)  # fmt: skip
def test_a_state_of_any_shape_is_restored_or_ignored(state: object) -> None:
    ledger = Ledger(JITTER)
    rest = {"last_sent_timestamp_seconds": NOW, "blocked_until_timestamp_seconds": None}
    for whole in (state, {"windows": state} | rest, {"windows": {"x-rate-limit": state}} | rest):
        if isinstance(whole, dict):
            ledger.restore(whole, NOW)
    assert 0 <= ledger.decide(NOW, 1) <= 25 * 3600 + JITTER


@given(
    st.dictionaries(
        st.sampled_from([f"x-rate-limit-{name}" for name in ("limit", "remaining", "reset")]),
        st.text(max_size=12) | st.integers().map(str),
    )
)
def test_headers_of_any_kind_hold_back_for_a_day_at_most(headers: dict[str, str]) -> None:
    ledger = Ledger(JITTER)
    exchange(ledger, NOW, headers)
    assert 0 <= ledger.decide(NOW, 1) <= 25 * 3600 + JITTER


# A whole poll


def test_a_thousand_media_keys_pass_three_requests_per_five_seconds_unrefused() -> None:
    server, ledger = FakeX([FakeWindow("x-rate-limit", 3, 5.0)]), Ledger(JITTER)
    now = NOW
    for due in range(10, 0, -1):
        while (wait := ledger.decide(now, due)) > 0:
            now += wait
        ledger.sent(now)
        assert server.takes(now)
        ledger.settled(now)
        ledger.observe(server.headers(), now)
    assert now - NOW < 4 * (5 + JITTER + 1)


@dataclass
class FakeWindow:
    """A limit of the fake server: a window begins with the first request after the last one's end."""

    prefix: str
    limit: int
    length: float
    used: int = 0
    reset: float = 0.0

    def roll(self, now: float) -> None:
        if now >= self.reset:
            self.used, self.reset = 0, math.ceil(now + self.length)


@dataclass
class FakeX:
    """A server that counts requests in windows and refuses what is beyond."""

    windows: list[FakeWindow] = field(default_factory=list)

    def takes(self, now: float) -> bool:
        for window in self.windows:
            window.roll(now)
        if any(window.used >= window.limit for window in self.windows):
            return False
        for window in self.windows:
            window.used += 1
        return True

    def headers(self) -> dict[str, str]:
        together: dict[str, str] = {}
        for window in self.windows:
            together |= told(window.limit - window.used, window.reset, window.limit, window.prefix)
        return together


@dataclass
class Answer:
    """What travels back. The first answer of a window is the only one that can tell that it began."""

    headers: dict[str, str]
    opens_window: bool


class LedgerAgainstFakeX(RuleBasedStateMachine):
    """Many requests at once, answered out of order, late, without headers or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(JITTER)
        self.server = FakeX()
        self.now = NOW
        self.may_lose_headers = False
        self.travelling = 0
        self.answers: list[Answer] = []
        self.refused = False

    @initialize(
        limit=st.integers(1, 6),
        length=st.sampled_from([5.0, 900.0]),
        daily=st.none() | st.integers(1, 12),
        loses_headers=st.booleans(),
    )
    def starts(self, limit: int, length: float, daily: int | None, loses_headers: bool) -> None:  # noqa: FBT001
        self.server.windows.append(FakeWindow("x-rate-limit", limit, length))
        if daily is not None:
            self.server.windows.append(FakeWindow("x-user-limit-24hour", daily, 3000.0))
        # A day is probed after a quarter of an hour of guesses, at the price of one refusal.
        self.may_lose_headers = loses_headers and daily is None
        self.ledger.sent(self.now)
        assert self.server.takes(self.now)
        settle(self.ledger, self.now, self.server.headers())

    @rule(wanted=st.integers(1, 8), due=st.integers(1, 12))
    def sends_what_is_allowed(self, wanted: int, due: int) -> None:
        for _ in range(wanted):
            if self.ledger.decide(self.now, due) > 0:
                break
            self.ledger.sent(self.now)
            self.travelling += 1

    @rule(due=st.integers(1, 12))
    def waits_as_told(self, due: int) -> None:
        self.now += self.ledger.decide(self.now, due)

    @rule(seconds=st.floats(0.01, 20))
    def waits(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.travelling)
    @rule(count=st.integers(1, 6))
    def reach_x(self, count: int) -> None:
        for _ in range(min(count, self.travelling)):
            self.travelling -= 1
            self.refused |= not self.server.takes(self.now)
            opens_window = any(window.used == 1 for window in self.server.windows)
            self.answers.append(Answer(self.server.headers(), opens_window))

    @precondition(lambda self: self.answers)
    @rule(order=st.lists(st.integers(0, 5), min_size=1, max_size=6), loses_headers=st.booleans())
    def are_answered(self, order: list[int], *, loses_headers: bool) -> None:
        for place in order[: len(self.answers)]:
            answer = self.answers.pop(min(place, len(self.answers) - 1))
            self.ledger.settled(self.now)
            if not (loses_headers and self.may_lose_headers and not answer.opens_window):
                self.ledger.observe(answer.headers, self.now)

    @precondition(lambda self: self.answers and not self.answers[0].opens_window)
    @rule()
    def is_answered_without_headers(self) -> None:
        if self.may_lose_headers:
            self.answers.pop(0)
            self.ledger.settled(self.now)
            self.ledger.observe({}, self.now)

    @precondition(lambda self: self.travelling)
    @rule()
    def never_reaches_x(self) -> None:
        self.travelling -= 1
        self.ledger.settled(self.now)

    @precondition(lambda self: not self.travelling and not self.answers)
    @rule(due=st.integers(1, 12))
    def makes_progress_once_nothing_is_in_flight(self, due: int) -> None:
        until = self.now + 3000.0 + 2 * JITTER + 1
        while (wait := self.ledger.decide(self.now, due)) > 0:
            self.now += wait
            assert self.now < until

    @rule()
    def restarts(self) -> None:
        if not self.travelling and not self.answers:
            state = self.ledger.state()
            self.ledger = Ledger(JITTER)
            self.ledger.restore(json.loads(json.dumps(state)), self.now)

    @invariant()
    def nothing_is_refused_after_first_contact(self) -> None:
        assert not self.refused

    @invariant()
    def what_is_shown_is_true_or_absent(self) -> None:
        for window in self.ledger.current(self.now).values():
            assert window.remaining is None or 0 <= window.remaining <= (window.limit or 0)


TestLedgerAgainstFakeX = LedgerAgainstFakeX.TestCase
