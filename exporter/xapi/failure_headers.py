"""What the headers of a failed answer say: X's transaction id, and until when to keep off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from exporter.xapi.limits import UNTOLD_WAIT_SECONDS, Window, parse_windows, soon

_TRANSACTION_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_DATE = 64
_LONGEST_ADDRESS = 500


def header(headers: Mapping[str, str], name: str) -> str:
    """The value of header `name` (lower case), however the mapping spells it; empty without one."""
    return next((value for key, value in headers.items() if key.lower() == name), "")


def transaction_id(headers: Mapping[str, str]) -> str | None:
    """X's `x-transaction-id`, by which its support finds a request."""
    return clean_transaction_id(header(headers, "x-transaction-id"))


def clean_transaction_id(value: str | None) -> str | None:
    """`value` if it is a transaction id: anything else in that header is not shown."""
    value = (value or "").strip()
    return value if _TRANSACTION_ID.fullmatch(value) else None


def retry_after_timestamp_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """When `retry-after` lets one ask again, given in seconds or as an HTTP date; None if unreadable."""
    value = header(headers, "retry-after").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return soon(now + int(value), now)
    return soon(_http_date(value), now)


def limit_opens_timestamp_seconds(headers: Mapping[str, str], now: float) -> float:
    """When a limit that X says is spent opens again: the latest time its headers name, or in 15 minutes."""
    windows = parse_windows(headers)
    spent = [window for window in windows.values() if window.remaining == 0]
    if not spent and Window.M15 in windows:
        spent = [windows[Window.M15]]
    told = [soon(window.reset_timestamp_seconds, now) for window in spent]
    told.append(retry_after_timestamp_seconds(headers, now))
    return max((at for at in told if at is not None), default=now + UNTOLD_WAIT_SECONDS)


def redirect_target(headers: Mapping[str, str]) -> str:
    """Scheme and host that `location` points to; the rest of it may carry secrets. Empty without a host."""
    try:
        address = urlsplit(header(headers, "location")[:_LONGEST_ADDRESS])
        host = address.hostname
    except ValueError:
        return ""
    return f"{address.scheme or 'https'}://{host}" if host else ""


def _http_date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value[:_LONGEST_DATE])
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
