"""Sample lines, compressed once so that they can be joined into a gzip body ever after."""

from __future__ import annotations

from dataclasses import dataclass

from isal import isal_zlib

from exporter.exposition.checksum import Checksum, checksum

# Measured on 1,000 sample lines: a third of the time of zlib's level 1 for a result 7 % smaller.
_LEVEL = 1
_RAW_DEFLATE = -isal_zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole lines of text, in the form in which they are served.

    `deflated` is raw deflate (RFC 1951) that ends on a byte with a full flush: it refers to nothing
    before it, nothing after it refers to it, and no block of it is the last. So the pieces of a page can
    stand in any order. It is empty for an empty text. The text itself is not kept, it would be eight
    times as large.
    """

    deflated: bytes
    checksum: Checksum

    @property
    def text(self) -> bytes:
        """The lines, UTF-8, each ended by a newline."""
        return inflated(self.deflated)


def make_piece(text: bytes) -> Piece:
    """Compress `text`: whole lines, each ended by a newline, or nothing. Pure, so any thread may call it."""
    return Piece(_deflated(text, isal_zlib.Z_FULL_FLUSH) if text else b"", checksum(text))


def inflated(deflated: bytes) -> bytes:
    """The text of one piece's `deflated`, or of several in a row."""
    return isal_zlib.decompressobj(_RAW_DEFLATE).decompress(deflated)


# ID1 ID2, deflate, no flags, no time, no extra flags, unknown system (RFC 1952).
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def gzip_end(tail: bytes, before: Checksum) -> bytes:
    """What ends a gzip member that holds the text of `before` so far: `tail`, then checksum and length."""
    crc = isal_zlib.crc32(tail, before.crc)
    length = (before.length + len(tail)) & 0xFFFF_FFFF
    return _deflated(tail, isal_zlib.Z_FINISH) + crc.to_bytes(4, "little") + length.to_bytes(4, "little")


def _deflated(text: bytes, flush: int) -> bytes:
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE, 4)
    return compressor.compress(text) + compressor.flush(flush)
