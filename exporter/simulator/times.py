"""Unix seconds, their larger units, and how X writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY


@lru_cache(4096)
def iso(seconds: int) -> str:
    """Such as ``2026-10-07T19:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def http_date(seconds: float) -> str:
    """Such as ``Wed, 07 Oct 2026 19:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)
