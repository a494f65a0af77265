"""The two things X's answers are made of: numbers in several spellings, and the starts of hours."""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias, TypeVar

import msgspec

# What may stand where a number belongs. A decoder of this type refuses JSON's other kinds, booleans among
# them, and numbers that no float holds. `msgspec.Raw` is the text of a value that has not been read yet.
Value: TypeAlias = int | float | str | None
Cell: TypeAlias = Value | msgspec.Raw | msgspec.UnsetType

_T = TypeVar("_T")

_VALUE: msgspec.json.Decoder[Value] = msgspec.json.Decoder(Value)
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})"
)


def numbers(cells: Sequence[Cell]) -> array[float]:
    """`cells` as numbers, NaN for each that is none."""
    try:
        return _packed(cells)
    except struct.error:
        pass
    try:  # null is how X usually says nothing, in whole columns
        return _packed([math.nan if cell is None else cell for cell in cells])
    except struct.error:
        return _packed([number(cell) for cell in cells])


def _packed(cells: Sequence[Cell]) -> array[float]:
    # Twice as fast as `array("d", cells)`, and as strict: what is no number is a `struct.error`.
    return array("d", struct.pack(f"{len(cells)}d", *cells))


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
