"""Leaves out of an answer's text what was read an hour ago and still stands there word for word.

X tells 28 hours of every item in every answer, and all but the newest were told in the answer before, nearly
always in the same words. So the beginning of a series, all but its last hours, is known again by its
checksum, and a stub takes its place before the rest is read.

Nothing is taken on trust. What is left out is a row of whole buckets, each of which was read when its hour
became known, so the text is JSON with them where it is JSON with the stub; and the stub turns up where they
would. In a text of another shape, such as one with spaces, nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TypeAlias

from xxhash import xxh3_64_intdigest

from exporter.figures.hours import Hours
from exporter.model import HOUR_SECONDS, Passage, Standing

# What is known of an item from answers read for the same metrics, None where nothing is.
Known: TypeAlias = Callable[[str], Hours | None]

# The two newest hours of a series, which X may restate, are read each time.
_READ_ANEW = 2
# A passage has a first hour and something after that.
_FEWEST = 2

_SERIES = b'","timestamped_metrics":[{'
_BETWEEN = b"},{"


@dataclass(frozen=True, slots=True)
class Shortened:
    """The text of an answer, and where its series stand.

    Those in `known` have a stub for what is known of them, whose timestamp is the key. Those in `new`, by the
    id of their item, stand there whole.
    """

    text: bytes
    known: dict[str, Series]
    new: dict[str, Series]


def shortened(body: bytes, id_name: str, hours_of: Known) -> Shortened:
    """`body` without the passages of the hours known; `id_name` is the key of an entry's id."""
    entry = b'{"%b":"' % id_name.encode()
    parts: list[bytes] = []
    known: dict[str, Series] = {}
    new: dict[str, Series] = {}
    seen: set[str] = set()
    done, over = 0, 0
    at = body.find(entry)
    while at >= 0:
        id_start = at + len(entry)
        end = id_end = body.find(b'"', id_start)
        if body.startswith(_SERIES, id_end):
            item_id = body[id_start:id_end].decode("latin-1")
            if item_id in seen:  # told in several places, it is better read whole
                return Shortened(body, {}, {})
            seen.add(item_id)
            start = id_end + len(_SERIES) - 1
            hours = hours_of(item_id)
            series = _series(body, start, hours, over)
            end = series.end
            if series.passage is not None:
                over = series.over  # the same for all others, mostly
                stub, text = _stub(len(known))
                parts += (body[done:start], text)
                known[stub] = series
                done = series.rest
            elif hours is not None:  # the first answer about an item is often the only one
                new[item_id] = series
        at = body.find(entry, end) if end >= 0 else -1
    return Shortened(b"".join((*parts, body[done:])) if parts else body, known, new)


@dataclass(slots=True)  # not frozen, which would take thrice the time to make, a hundred times an answer
class Series:
    """Where one item's series stands in `body`: from `start`, left out up to `rest`, to a bracket at `end`.

    What is left out tells hours among the known `hours`: those that `passage` tells, but for the first `over`
    of them, which are not told any more. Nothing is left out where `passage` is None.
    """

    body: bytes
    start: int
    rest: int
    end: int
    hours: Hours | None
    passage: Passage | None
    over: int

    @property
    def standing(self) -> Standing | None:
        """The hours left out, None for none."""
        if self.hours is None or self.passage is None:
            return None
        first = self.passage.first
        told = range(first + self.over, first + self.passage.rows)
        return Standing(self.hours.first, self.hours.width, self.hours.values, told)

    def passage_with(self, starts: tuple[float, ...], objects: int) -> Passage | None:
        """What to know the series by in the next answer.

        The rest of it turned out to tell buckets that start at `starts`, in so many JSON `objects`. None
        where it cannot be told which bytes tell which hours.
        """
        body, known = self.body, self.passage
        if known is not None and self.over == 0 and len(starts) == _READ_ANEW:
            return known
        # With no other brace in the text, each that follows a comma begins a bucket.
        if body.count(b"{", self.rest, self.end) != objects:
            return None
        first = _first_of_run(starts)
        if first is None:
            return None
        rows = len(starts) - _READ_ANEW
        if known is not None:
            if first != known.first + known.rows:
                return None
            first = known.first + self.over
            rows += known.rows - self.over
        if rows < _FEWEST:
            return None
        last = body.rfind(_BETWEEN, self.start, body.rfind(_BETWEEN, self.start, self.end)) + 2
        second = body.find(_BETWEEN, self.start) + 2
        head, rest = _mark(body, self.start, second), _mark(body, second, last)
        return Passage(first, rows, second - self.start, head, last - second, rest)


def _series(body: bytes, start: int, hours: Hours | None, over: int) -> Series:
    """The series at `start`, known or not; `over` hours of others were over, so perhaps of this one, too."""
    passage = None if hours is None else hours.passage
    if passage is not None:
        # Within the same hour a series begins as it did before; in the next hour, with the second bucket.
        for gone in (over, 1 - over):
            after = start if gone else start + passage.head_length
            rest = after + passage.rest_length
            if _mark(body, after, rest) == passage.rest and (
                gone or _mark(body, start, after) == passage.head
            ):
                return Series(body, start, rest, body.find(b"]", rest), hours, passage, gone)
    return Series(body, start, start, body.find(b"]", start), None, None, 0)


@cache
def _stub(number: int) -> tuple[str, bytes]:
    """The timestamp of a stub, and the stub."""
    timestamp = f"#{number}"
    return timestamp, b'{"timestamp":"%b"},' % timestamp.encode()


def _mark(body: bytes, start: int, end: int) -> int:
    return xxh3_64_intdigest(memoryview(body)[start:end])


@lru_cache(maxsize=64)
def _first_of_run(starts: tuple[float, ...]) -> int | None:
    """The first of the hours that begin at `starts`, None where those do not follow one another."""
    if not starts or starts[0] % HOUR_SECONDS or any(b - a != HOUR_SECONDS for a, b in pairwise(starts)):
        return None
    return int(starts[0] // HOUR_SECONDS)
