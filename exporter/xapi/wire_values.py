"""The two things X's answers are made of: numbers in several spellings, and the starts of hours."""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import starmap
from typing import TypeAlias, TypeVar

import msgspec

# What may stand where a number belongs. A decoder of this type refuses JSON's other kinds, booleans among
# them, and numbers that no float holds; it reads integers as floats, which is what they end as.
# `msgspec.Raw` is the text of a value that has not been read yet.
Value: TypeAlias = float | str | None
Cell: TypeAlias = Value | msgspec.Raw | msgspec.UnsetType

_T = TypeVar("_T")

_VALUE: msgspec.json.Decoder[Value] = msgspec.json.Decoder(Value)
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})"
)


class RowPacker:
    """Turns rows of `width` cells into numbers, NaN for each cell that is none."""

    def __init__(self, width: int) -> None:
        # Twice as fast as `array("d", row)`, and as strict: what is no number is a `struct.error`.
        self._pack = struct.Struct(f"{width}d").pack

    def __call__(self, rows: Sequence[Sequence[Cell]]) -> array[float]:
        """The numbers of `rows`, one row after the other."""
        try:
            return self._packed(rows)
        except struct.error:
            pass
        try:  # null is how X usually says nothing, in whole columns
            return self._packed([[math.nan if cell is None else cell for cell in row] for row in rows])
        except struct.error:
            return self._packed([[number(cell) for cell in row] for row in rows])

    def _packed(self, rows: Iterable[Sequence[Cell]]) -> array[float]:
        return array("d", b"".join(starmap(self._pack, rows)))


def number(cell: Cell) -> float:
    """The number `cell` stands for: an integer, a finite float or a decimal string; NaN for all else."""
    if isinstance(cell, int):
        try:
            return float(cell)
        except OverflowError:
            return math.nan
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else math.nan
    if isinstance(cell, str):
        return number(float(cell)) if _DECIMAL.fullmatch(cell) else math.nan
    return number(_value(cell)) if isinstance(cell, msgspec.Raw) else math.nan


def _value(raw: msgspec.Raw) -> Value:
    return parsed(raw, _VALUE)


def parsed(raw: msgspec.Raw, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    """`raw` as `decoder` reads it, None where it is of another kind."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def unix_seconds(timestamp: str | None) -> float | None:
    """`timestamp` as Unix seconds, None where it names no moment.

    Read are ``YYYY-MM-DDTHH:mm:ss``, a fraction or none, and ``Z`` or an offset such as ``+00:00``.
    """
    if timestamp is None or not _TIMESTAMP.fullmatch(timestamp):
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None
