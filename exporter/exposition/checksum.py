"""The CRC-32 of joined texts, from the CRC-32 and length of each, without reading them again.

A CRC is a remainder of polynomials over GF(2): for texts A and B, and P the generator polynomial of
CRC-32, ``crc(A + B) = crc(A) * x^(8 * len(B)) + crc(B) mod P``, where + is XOR. So a text needs to
be known only by its CRC and by that power of x, its `shift`.

Remainders are 32-bit numbers as zlib writes them: bit 31 stands for x^0, bit 0 for x^31.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

_ONE = 1 << 31
_X_TO_THE_8 = _ONE >> 8
_ALL_ONES = 0xFFFF_FFFF

# A byte to eight bytes, one for each bit, the lowest first.
_SPREAD_BYTE = tuple(
    int.from_bytes(bytes(byte >> bit & 1 for bit in range(8)), "little") for byte in range(256)
)
# A byte to the binary digit that says whether it is odd.
_PARITY_DIGIT = b"01" * 128
_PRODUCT_BYTES = 63


@dataclass(frozen=True, slots=True)
class Checksum:
    """What has to be known of a text to join it to others.

    `crc` is its CRC-32, `length` its length in bytes, `shift` is ``x^(8 * length) mod P`` with every bit
    spread to a byte, ready to be multiplied by.
    """

    crc: int
    length: int
    shift: int


def checksum(text: bytes) -> Checksum:
    """The checksum of `text`."""
    return Checksum(zlib.crc32(text), len(text), _shift(len(text)))


def joined(checksums: Iterable[Checksum]) -> Checksum:
    """The checksum of the texts of `checksums`, one after the other."""
    crc = length = 0
    for part in checksums:
        if part.length:
            crc = _product(part.shift, _spread(crc)) ^ part.crc
            length += part.length
    return Checksum(crc, length, _shift(length))


def _shift(length: int) -> int:
    """``x^(8 * length)``, spread; one factor for each byte of `length`."""
    shift, place = _digit_shift(0, length & 0xFF), 0
    while length := length >> 8:
        place += 1
        if length & 0xFF:
            shift = _spread(_product(shift, _digit_shift(place, length & 0xFF)))
    return shift


@cache
def _digit_shift(place: int, digit: int) -> int:
    """``x^(8 * digit * 256^place)``, spread."""
    if digit == 0:
        return _spread(_ONE)
    if digit > 1:
        return _spread(_product(_digit_shift(place, digit - 1), _digit_shift(place, 1)))
    if place == 0:
        return _spread(_X_TO_THE_8)
    return _spread(_product(_digit_shift(place - 1, 255), _digit_shift(place - 1, 1)))


def _spread(remainder: int) -> int:
    """`remainder` with each bit in a byte of its own, so that a product of two carries nothing over."""
    return (
        _SPREAD_BYTE[remainder & 0xFF]
        | _SPREAD_BYTE[remainder >> 8 & 0xFF] << 64
        | _SPREAD_BYTE[remainder >> 16 & 0xFF] << 128
        | _SPREAD_BYTE[remainder >> 24] << 192
    )


def _product(left: int, right: int) -> int:
    """The product mod P of two spread remainders.

    An ordinary product adds up to 32 ones in each byte; whether a byte is odd is the bit without carry.
    """
    counts = (left * right).to_bytes(_PRODUCT_BYTES, "big")
    product = int(counts.translate(_PARITY_DIGIT), 2) << 1
    # The upper half is below x^32. The lower is x^32 times a remainder, which is what CRC-32 computes.
    low = (product & _ALL_ONES).to_bytes(4, "little")
    return (product >> 32) ^ zlib.crc32(low, _ALL_ONES) ^ _ALL_ONES
