"""A row of figures as few bytes: what most hours hold is zeros and small whole numbers.

Half a byte for each metric says how its number is kept, in the order of the metrics and padded to whole
bytes; then come the numbers that need room of their own. A row without any number is no bytes at all.

====  =============================  =====================
code  number                         bytes
====  =============================  =====================
0     none, X gave none              0
1     0                              0
2     whole, up to 255               1
3     whole, up to 65,535            2, low byte first
4     whole, up to 4,294,967,295     4, low byte first
5     any other                      8, an IEEE 754 double
====  =============================  =====================
"""

from __future__ import annotations

import math
import struct
from array import array
from dataclasses import dataclass
from functools import lru_cache

from exporter.journal.trouble import TornError

_NONE, _ZERO, _DOUBLE = "0", "1", "5"
_FORMATS = {"2": "B", "3": "H", "4": "I", _DOUBLE: "d"}
_LARGEST = 0xFFFF_FFFF
# An account's items mostly share a few layouts; the rest is made anew each time.
_REMEMBERED_LAYOUTS = 1024


def encode(row: array[float]) -> bytes:
    """`row` as bytes; rows that are equal, number for number, give equal bytes."""
    codes = []
    numbers: list[float] = []
    for number in row:
        code = _code(number)
        codes.append(code)
        if code not in (_NONE, _ZERO):
            numbers.append(number if code == _DOUBLE else int(number))
    if not numbers and _ZERO not in codes:
        return b""
    head = bytes.fromhex("".join(codes) + _NONE * (len(codes) % 2))
    return head + _layout(head).numbers.pack(*numbers)


def decode(figures: bytes, width: int) -> array[float]:
    """The row of `width` metrics that `figures` was made from.

    Raises:
        TornError: no row of that width gives these bytes.
    """
    if not figures:
        return array("d", [math.nan]) * width
    room = (width + 1) // 2
    if len(figures) < room:
        raise TornError("a row of figures has the wrong length")
    head = figures[:room]
    layout = _layout(head)
    if layout.places and layout.places[-1] >= width:
        raise TornError("a row of figures is too wide")
    try:
        numbers = layout.numbers.unpack(figures[len(head) :])
    except struct.error as error:
        raise TornError("a row of figures has the wrong length") from error
    row = layout.zeros[:width]
    for place, number in zip(layout.places, numbers, strict=True):
        row[place] = number
    return row


def _code(number: float) -> str:
    if 0 < number <= _LARGEST and number == int(number):
        if number <= 0xFF:  # noqa: PLR2004 - the largest that fits a byte
            return "2"
        return "3" if number <= 0xFFFF else "4"  # noqa: PLR2004 - the largest that fits two
    if math.isnan(number):
        return _NONE
    return _ZERO if number == 0 and math.copysign(1, number) > 0 else _DOUBLE


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the numbers of a row go: `zeros` is the row without them."""

    numbers: struct.Struct
    places: tuple[int, ...]
    zeros: array[float]


@lru_cache(_REMEMBERED_LAYOUTS)
def _layout(head: bytes) -> _Layout:
    codes = head.hex()
    if codes.strip("012345"):
        raise TornError("a row of figures has an unknown code")
    places = tuple(place for place, code in enumerate(codes) if code in _FORMATS)
    numbers = struct.Struct("<" + "".join(_FORMATS[codes[place]] for place in places))
    return _Layout(numbers, places, array("d", [0.0 if code == _ZERO else math.nan for code in codes]))
