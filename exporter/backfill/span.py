"""The time a command is asked about: RFC 3339 in, whole hours since the Unix epoch out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.model import HOUR_SECONDS

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
_RFC3339 = re.compile(rf"{_DATE}([Tt ]{_TIME}([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """The hours from `first` on, `end` not included, as hours since the Unix epoch."""

    first: int
    end: int

    @property
    def hours(self) -> int:
        """How many hours that is."""
        return self.end - self.first

    @property
    def text_of_first(self) -> str:
        """The beginning of the first hour, RFC 3339."""
        return hour_text(self.first)

    def __str__(self) -> str:
        return f"{hour_text(self.first)} to {hour_text(self.end)}"


def parse_time(text: str) -> float:
    """Unix seconds of an RFC 3339 date or datetime; a date is its midnight, and UTC where no zone is given.

    Raises:
        ValueError: it is neither; the text says what is wanted.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is no time; write it as 2026-09-01 or 2026-09-01T06:00:00Z")
    try:
        time = datetime.fromisoformat(text.upper())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no time that there is: {error}") from error


def first_hour(seconds: float) -> int:
    """The hour that `seconds` lies in, which is the first that a span from there has."""
    return int(seconds // HOUR_SECONDS)


def end_hour(seconds: float) -> int:
    """The hour after the last one that a span up to `seconds` touches."""
    return -int(-seconds // HOUR_SECONDS)


def span_between(start: float, end: float, now: float, settle: tuple[float, str]) -> Span:
    """The whole hours from `start` to `end`, widened to full hours; all in Unix seconds.

    `settle` is how many seconds after its end an hour may be asked for, and the key that says so.

    Raises:
        ValueError: there is no hour in between, or not all of them are over; the text says which.
    """
    span = Span(first_hour(start), end_hour(end))
    if span.hours <= 0:
        raise ValueError(f"--start must be before --end: {span} holds no hour")
    seconds, key = settle
    newest = first_hour(now - seconds)
    if span.end > newest:
        waiting = f" and settled (`{key}`)" if seconds else ""
        raise ValueError(
            f"--end: the hour that ends at {hour_text(span.end)} is not over{waiting}; "
            f"ask for {hour_text(newest)} or earlier"
        )
    return span


def hour_text(hour: int) -> str:
    """The beginning of an hour since the Unix epoch, RFC 3339."""
    return datetime.fromtimestamp(hour * HOUR_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
