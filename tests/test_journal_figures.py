"""Rows of figures as bytes."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.journal.figures import decode, encode
from exporter.journal.trouble import TornError

# Where the bytes a number takes change, and what must not be taken for something else.
EDGES = (0, -0.0, 1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, 2**53 + 2, 1e300, 0.5, -1, 5e-324)
NUMBERS = st.one_of(
    st.just(math.nan),
    st.sampled_from([float(edge) for edge in EDGES]),
    st.integers(0, 2**40).map(float),
    st.floats(allow_nan=False),
)
ROWS = st.lists(NUMBERS, max_size=30).map(lambda row: array("d", row))


@given(ROWS)
def test_a_row_comes_back_as_it_was(row: array[float]) -> None:
    assert decode(encode(row), len(row)).tobytes() == row.tobytes()


@given(ROWS, ROWS)
def test_only_equal_rows_give_equal_bytes(one: array[float], other: array[float]) -> None:
    other = other[: len(one)] + array("d", [math.nan]) * (len(one) - len(other))
    assert (encode(one) == encode(other)) is (one.tobytes() == other.tobytes())


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ([math.nan] * 26, 0),
        ([0] * 26, 13),
        ([7] + [0] * 9, 5 + 1),
        ([1200, 1100, 900, 700, 500, 300, 250, 0, 0, 40_000_000], 5 + 6 * 2 + 1 + 4),
        ([0.5], 1 + 8),
    ],
)
def test_a_number_takes_the_room_it_needs(row: list[float], size: int) -> None:
    assert len(encode(array("d", row))) == size


@given(st.binary(max_size=40), st.integers(0, 30))
def test_other_bytes_are_refused_or_give_a_row_of_the_asked_width(figures: bytes, width: int) -> None:
    try:
        row = decode(figures, width)
    except TornError:
        return
    assert len(row) == width


def test_a_number_beyond_the_last_metric_is_refused() -> None:
    with pytest.raises(TornError):
        decode(b"\x02\x07", 1)


@pytest.mark.parametrize("figures", [b"\x99", b"\x22", b"\x22\x01", b"\x22\x01\x02\x03", b"\x20\x01\x02"])
def test_bytes_that_no_row_of_two_gives_are_refused(figures: bytes) -> None:
    with pytest.raises(TornError):
        decode(figures, 2)


def test_the_bytes_of_a_narrower_row_are_refused() -> None:
    with pytest.raises(TornError):
        decode(encode(array("d", [0.0, 0.0])), 3)
