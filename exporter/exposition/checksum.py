"""The CRC-32 of joined texts, from the CRC-32 and length of each, without reading them again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isal import isal_zlib


@dataclass(frozen=True, slots=True)
class Checksum:
    """What has to be known of a text to join it to others: its CRC-32 (RFC 1952), its length in bytes."""

    crc: int
    length: int


def checksum(text: bytes) -> Checksum:
    """The checksum of `text`."""
    return Checksum(isal_zlib.crc32(text), len(text))


def joined(checksums: Iterable[Checksum]) -> Checksum:
    """The checksum of the texts of `checksums`, one after the other."""
    crc = length = 0
    for part in checksums:
        crc = isal_zlib.crc32_combine(crc, part.crc, part.length)
        length += part.length
    return Checksum(crc, length)
