"""Request limits: what X's headers say of them, and a ledger that never asks beyond them.

X counts requests per endpoint and user, or app, in windows that open anew at a stated time
(`x-rate-limit-limit`, `-remaining`, `-reset`, usually every 15 minutes). Some endpoints also count them
per 24 hours, by user and by app. Headers may be missing, above all on answers that carry an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

# A reset further away than the longest window is junk; it must not silence an endpoint for years.
LONGEST_WAIT_SECONDS = 25 * 3600.0
# How long a window is taken to be shut when X does not say: its usual length.
UNTOLD_WAIT_SECONDS = 900.0

# How soon to decide again when the answer to a request in flight decides.
_ASK_AGAIN_SECONDS = 0.25
# Machines at X may round the reset of one window to different seconds.
_SAME_RESET_SECONDS = 1.0

_COUNT = re.compile(r"[0-9]{1,11}", re.ASCII)


class Window(StrEnum):
    """The length of a limit window; the `window` label of the exporter's own metrics."""

    M15 = "15m"
    H24 = "24h"


_WINDOWS = {
    "x-rate-limit": Window.M15,
    "x-user-limit-24hour": Window.H24,
    "x-app-limit-24hour": Window.H24,
}


@dataclass(frozen=True, slots=True)
class RateWindow:
    """One window as X last told it: requests allowed, requests left, and when it opens anew.

    None is what X did not say, or said unreadably. The reset is in Unix seconds by X's clock.
    """

    limit: int | None
    remaining: int | None
    reset_timestamp_seconds: float | None


def parse_windows(headers: Mapping[str, str]) -> dict[Window, RateWindow]:
    """The windows that `headers` tell of; of the two daily ones, the one with fewer requests left."""
    return _tightest(_read(headers).items())


def soon(timestamp_seconds: float | None, now: float) -> float | None:
    """`timestamp_seconds` if one can wait for it: ahead of `now`, and not beyond any window's length."""
    if timestamp_seconds is not None and now < timestamp_seconds <= now + LONGEST_WAIT_SECONDS:
        return timestamp_seconds
    return None


def _read(headers: Mapping[str, str]) -> dict[str, RateWindow]:
    """What `headers` tell by the header's prefix, so that the two daily limits stay apart."""
    values = {name.lower(): value for name, value in headers.items()}
    windows = {}
    for prefix in _WINDOWS:
        reset = _count(values.get(f"{prefix}-reset"))
        window = RateWindow(
            _count(values.get(f"{prefix}-limit")),
            _count(values.get(f"{prefix}-remaining")),
            None if reset is None else float(reset),
        )
        if window != RateWindow(None, None, None):
            windows[prefix] = window
    return windows


def _count(value: str | None) -> int | None:
    value = (value or "").strip()
    return int(value) if _COUNT.fullmatch(value) else None


def _tightest(windows: Iterable[tuple[str, RateWindow]]) -> dict[Window, RateWindow]:
    tightest: dict[Window, RateWindow] = {}
    for prefix, window in windows:
        other = tightest.get(_WINDOWS[prefix])
        if other is None or _tightness(window) < _tightness(other):
            tightest[_WINDOWS[prefix]] = window
    return tightest


def _tightness(window: RateWindow) -> tuple[float, float]:
    remaining = float("inf") if window.remaining is None else float(window.remaining)
    return remaining, -(window.reset_timestamp_seconds or 0.0)


@dataclass(slots=True)
class _Tally:
    """One window of the ledger.

    `told` is what the metrics show; its `remaining` is known. `unseen` counts requests that X may have
    counted since without our seeing it, as their answers were lost or carried no headers. `reset` is when
    the window opens anew, assumed where X does not say.
    """

    told: RateWindow
    unseen: int
    reset: float

    @property
    def left(self) -> int:
        """How many requests X surely still takes, those in flight included."""
        return (self.told.remaining or 0) - self.unseen

    def is_over(self, now: float) -> bool:
        """Whether X has opened a new window since, of which nothing is known yet."""
        return now >= self.reset


@dataclass(frozen=True, slots=True)
class _Saved:
    """What outlives the process."""

    windows: dict[str, _Tally]
    last_sent_timestamp_seconds: float
    blocked_until_timestamp_seconds: float | None


class Ledger:
    """Decides when the next request of one account to one endpoint may be sent.

    It neither waits nor reads a clock: `now` is Unix seconds by X's clock, handed in. Each request is
    reported when it is sent (`sent`), when it is over, however it ended (`settled`), and then by its
    answer's headers, if an answer came (`observe`), before anything else is sent.

    Until X has told how much is left, at first contact and in each new window, requests go one at a time.
    `jitter_seconds` is how long after a reset to send again, so that many pollers do not come at once.
    """

    def __init__(self, jitter_seconds: float = 1.0) -> None:
        self._jitter_seconds = jitter_seconds
        self._tallies: dict[str, _Tally] = {}
        self._in_flight = 0
        self._last_sent = 0.0
        self._blocked_until: float | None = None
        self._contacted = False
        # Whether the last request was sent with no other in flight.
        self._alone = False
        # Requests whose headers were not seen, since the last one that was sent with no other in flight.
        self._unseen_together = 0

    def decide(self, now: float, due: int) -> float:
        """Seconds to wait before the next request may be sent; 0 is now, when `sent` must follow at once.

        `due` is how many requests of the poll have no answer yet, this one and those in flight included.
        When that is more than a window has left, what is left is spread evenly until it opens anew.
        """
        waits = [self._wait(tally, now, due) for tally in self._tallies.values()]
        if self._blocked_until is not None:
            waits.append(self._blocked_until - now)
        if self.awaits_answer(now):
            waits.append(_ASK_AGAIN_SECONDS)
        return max([0.0, *waits])

    def awaits_answer(self, now: float) -> bool:
        """Whether others must wait for the request in flight, whose answer will tell what is left."""
        unknown = not self._contacted or any(tally.is_over(now) for tally in self._tallies.values())
        return unknown and self._in_flight > 0

    def sent(self, now: float) -> None:
        """A request leaves now."""
        self._alone = self._in_flight == 0
        if self._alone:
            self._unseen_together = 0
        self._in_flight += 1
        self._last_sent = now

    def settled(self, now: float, *, taken: bool = True) -> None:
        """A request is over: answered, failed or given up. It counts as taken until headers say more.

        One that did not leave after all is not `taken`.
        """
        self._in_flight = max(0, self._in_flight - 1)
        if not taken:
            return
        self._unseen_together += 1
        for tally in self._tallies.values():
            if not tally.is_over(now):
                tally.unseen += 1

    def observe(self, headers: Mapping[str, str], now: float) -> None:
        """Take the headers of the answer to the request that was settled last; junk in them is ignored."""
        self._contacted = True
        told = {prefix: window for prefix, window in _read(headers).items() if window.remaining is not None}
        if not told:
            return
        self._unseen_together = max(0, self._unseen_together - 1)
        for prefix in [key for key, tally in self._tallies.items() if tally.is_over(now)]:
            del self._tallies[prefix]
        for prefix, window in told.items():
            self._take(prefix, window, now)

    def rate_limited(self, until: float, now: float) -> None:
        """X refused a request over a limit: nothing is sent before `until` (Unix seconds), then one alone."""
        until = soon(until, now) or now + UNTOLD_WAIT_SECONDS
        self._blocked_until = max(self._blocked_until or 0.0, until + self._jitter_seconds)
        self._contacted = False

    def current(self, now: float) -> dict[Window, RateWindow]:
        """The windows as X last told them; `remaining` is None once the reset has passed."""
        return _tightest(
            (prefix, _emptied(tally.told) if tally.is_over(now) else tally.told)
            for prefix, tally in self._tallies.items()
        )

    def state(self) -> dict[str, object]:
        """What to keep over a restart, as plain values; requests in flight count as taken."""
        windows = {
            prefix: replace(tally, unseen=tally.unseen + self._in_flight)
            for prefix, tally in self._tallies.items()
        }
        saved: dict[str, object] = msgspec.to_builtins(_Saved(windows, self._last_sent, self._blocked_until))
        return saved

    def restore(self, state: Mapping[str, object], now: float) -> None:
        """Go on from a `state` kept before. One that cannot be read is as good as none: X is asked anew."""
        try:
            saved = msgspec.convert(state, _Saved)
        except (msgspec.ValidationError, TypeError):
            return
        self._blocked_until = soon(saved.blocked_until_timestamp_seconds, now)
        self._last_sent = min(saved.last_sent_timestamp_seconds, now)
        for prefix, tally in saved.windows.items():
            if prefix in _WINDOWS and tally.told.remaining is not None:
                self._take(prefix, tally.told, now)
                self._tallies[prefix].unseen = tally.unseen

    def _wait(self, tally: _Tally, now: float, due: int) -> float:
        """Seconds that one window holds the next request back; not positive for not at all."""
        opens = tally.reset + self._jitter_seconds
        available = tally.left - self._in_flight
        if now >= opens:
            return 0.0
        if tally.left <= 0:
            # Where X last told of more, answers without headers took it: look again, lest a day be lost.
            shut_by_guess = tally.told.remaining != 0
            return (min(opens, self._last_sent + UNTOLD_WAIT_SECONDS) if shut_by_guess else opens) - now
        if available <= 0:
            return min(opens - now, _ASK_AGAIN_SECONDS)
        if due <= tally.left:
            return 0.0
        return self._last_sent + (tally.reset - self._last_sent) / (available + 1) - now

    def _take(self, prefix: str, window: RateWindow, now: float) -> None:
        """Take what X tells of one window; `window.remaining` is known."""
        reset, told = soon(window.reset_timestamp_seconds, now), window.reset_timestamp_seconds
        old = self._tallies.get(prefix)
        if old is None:
            past = told if told is not None and told <= now else None
            self._begin(prefix, window, now, reset or past)
        elif reset is not None and abs(reset - old.reset) > _SAME_RESET_SECONDS:
            self._begin(prefix, window, now, reset)
        elif told is None or told > now:
            self._go_on(old, window, reset)
        # Else it is the late answer of a window that is over, and says nothing about this one.

    def _begin(self, prefix: str, window: RateWindow, now: float, reset: float | None) -> None:
        known = RateWindow(window.limit, window.remaining, reset)
        ends = now + UNTOLD_WAIT_SECONDS if reset is None else reset
        self._tallies[prefix] = _Tally(known, self._unseen_together, ends)

    def _go_on(self, tally: _Tally, window: RateWindow, reset: float | None) -> None:
        """More of the same window. Answers overtake each other, so the one with the least left is newest."""
        remaining, before = window.remaining or 0, tally.told.remaining or 0
        if self._alone and self._in_flight == 0:
            # All requests before this one were over, so that it is exact, even where it is more.
            tally.unseen, before = 1, remaining
        tally.unseen = max(0, tally.unseen - 1)
        if reset is not None:
            tally.reset = max(tally.reset, reset)
        limit = tally.told.limit if window.limit is None else window.limit
        tally.told = RateWindow(limit, min(before, remaining), tally.told.reset_timestamp_seconds)


def _emptied(window: RateWindow) -> RateWindow:
    return RateWindow(window.limit, None, window.reset_timestamp_seconds)
