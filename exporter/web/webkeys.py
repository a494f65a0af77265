"""The words of the web configuration beside TLS: users, headers and the rate limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from exporter.config.refusal import RefusedError
from exporter.config.settings import Secret
from exporter.config.values import whole_number
from exporter.web.section import Section

# The headers that may be set, and the values that a browser knows, where those are few.
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_HEADER_VALUE = re.compile("[ -~]+")

_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_HASH_ALLOWED: Final = 'a bcrypt hash of cost 4 to 14, as `htpasswd -nBC 10 "" | tr -d ":\\n"` prints it'
# Beyond it one check takes seconds, longer than a scrape or a stop may wait.
_COSTS: Final = range(4, 15)

_INTERVAL = re.compile(r"(?=.)(?:(?:[0-9]{1,9}(?:\.[0-9]{1,9})?)(?:ms|us|µs|ns|s|m|h))+|0")
_AMOUNT = re.compile(r"([0-9.]+)([a-zµ]+)")
_UNIT_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `burst` requests at once, and one more every `interval_seconds`."""

    interval_seconds: float
    burst: int


def read_users(section: Section) -> dict[str, Secret]:
    """The bcrypt hash of each user."""
    hashes = {user: section.value(user, _password_hash, _HASH_ALLOWED) for user in section.keys()}  # noqa: SIM118 - no mapping
    for user in hashes:
        if not section.has(user):
            section.refuse(user, f"found nothing; allowed: {_HASH_ALLOWED}")
        if not user or ":" in user:
            section.refuse(user, "found a name that is empty or holds a colon, which nobody can sign in with")
    return {user: Secret(text) for user, text in hashes.items() if text is not None}


def _password_hash(text: str) -> str | None:
    match = _HASH.fullmatch(text)
    if match and int(match[1]) not in _COSTS:
        raise RefusedError("", f"cost {int(match[1])}")
    return text if match else None


def read_headers(section: Section) -> tuple[tuple[str, str], ...]:
    """The headers to be sent with every answer."""

    def parse(name: str) -> str | None:
        values = HEADERS[name]
        return section.value(
            name,
            lambda text: text if _HEADER_VALUE.fullmatch(text) and (not values or text in values) else None,
            " or ".join(values) or "visible ASCII in one line",
            values,
        )

    parsed = {name: parse(name) for name in HEADERS}
    return tuple((name, text) for name, text in parsed.items() if text is not None)


def read_rate_limit(section: Section) -> RateLimit | None:
    """The limit for all clients together; None where there is none."""
    interval = section.value("interval", _interval, "a duration such as 1s or 200ms, or 0 for no limit")
    burst = section.value("burst", lambda text: whole_number(text) or None, "a whole number from 1")
    if section.has("interval") != section.has("burst") and interval != 0:
        missing = "burst" if section.has("interval") else "interval"
        section.refuse(missing, "this key is required and missing; interval and burst go together")
    return RateLimit(interval, burst) if interval and burst else None


def _interval(text: str) -> float | None:
    if not _INTERVAL.fullmatch(text):
        return None
    return sum(float(amount) * _UNIT_SECONDS[unit] for amount, unit in _AMOUNT.findall(text))
