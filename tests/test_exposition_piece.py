from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.checksum import joined
from exporter.exposition.piece import GZIP_HEADER, gzip_end, inflated, make_piece


@given(st.binary(max_size=2000))
def test_a_piece_gives_back_its_text(text: bytes) -> None:
    assert make_piece(text).text == text


@given(st.lists(st.binary(max_size=2000), max_size=6))
def test_pieces_in_any_order_inflate_to_their_texts_in_that_order(texts: list[bytes]) -> None:
    pieces = [make_piece(text) for text in texts]
    assert inflated(b"".join(piece.deflated for piece in reversed(pieces))) == b"".join(reversed(texts))


@given(st.lists(st.binary(max_size=2000), max_size=6), st.binary(max_size=200))
def test_pieces_and_an_end_are_one_gzip_member(texts: list[bytes], tail: bytes) -> None:
    pieces = [make_piece(text) for text in texts]
    end = gzip_end(tail, joined(piece.checksum for piece in pieces))
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    body = GZIP_HEADER + b"".join(piece.deflated for piece in pieces) + end
    assert reader.decompress(body) == b"".join(texts) + tail
    assert reader.eof
    assert reader.unused_data == b""


def test_an_empty_piece_adds_no_byte_to_a_page() -> None:
    assert make_piece(b"").deflated == b""
