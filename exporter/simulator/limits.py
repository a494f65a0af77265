"""Rate limits: a window of requests per (account, endpoint), as X keeps and tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

QUARTER_HOUR = 900.0
DAY_SECONDS = 86400.0
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `requests` per `seconds`, and `daily` per 24 hours where there is such a window."""

    requests: int = 300
    seconds: float = QUARTER_HOUR
    daily: int | None = None


# By endpoint name; those X documents nothing about have the default.
DOCUMENTED = MappingProxyType({"users_me": Limit(75), "tweets_analytics": Limit(300)})


@dataclass(slots=True)
class _Window:
    """A window that opened with its first request and has taken `used`."""

    ends: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and what is told about the limits either way."""

    allowed: bool
    headers: Headers


class Limiter:
    """Counts requests; times are Unix seconds."""

    def __init__(self, limits: Mapping[str, Limit] | None = None) -> None:
        self._limits = {**DOCUMENTED, **(limits or {})}
        self._windows: dict[tuple[str, str, str], _Window] = {}

    def set(self, endpoint: str, limit: Limit) -> None:
        """Give `endpoint` another limit; windows that are open end at once."""
        self._limits[endpoint] = limit
        self._windows = {key: window for key, window in self._windows.items() if key[1] != endpoint}

    def take(self, account: str, endpoint: str, now: float) -> Verdict:
        """Count one request of `account`, unless a window is spent."""
        limit = self._limits.get(endpoint, Limit())
        windows = [("x-rate-limit", limit.requests, self._window(account, endpoint, "short", now, limit))]
        if limit.daily is not None:
            daily = self._window(account, endpoint, "daily", now, limit)
            windows.append(("x-user-limit-24hour", limit.daily, daily))
        allowed = all(window.used < most for _, most, window in windows)
        for _, _, window in windows:
            window.used += allowed
        return Verdict(allowed, tuple(header for each in windows for header in _told(*each)))

    def _window(self, account: str, endpoint: str, kind: str, now: float, limit: Limit) -> _Window:
        key = (account, endpoint, kind)
        window = self._windows.get(key)
        if window is None or now >= window.ends:
            window = self._windows[key] = _Window(now + (limit.seconds if kind == "short" else DAY_SECONDS))
        return window


def _told(prefix: str, most: int, window: _Window) -> Headers:
    return (
        (f"{prefix}-limit", str(most)),
        (f"{prefix}-remaining", str(max(0, most - window.used))),
        (f"{prefix}-reset", str(math.ceil(window.ends))),
    )
