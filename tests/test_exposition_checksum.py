from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.checksum import checksum, joined

texts = st.lists(st.binary(max_size=600), max_size=8)


@given(texts)
def test_joined_checksums_are_the_checksum_of_the_joined_texts(parts: list[bytes]) -> None:
    assert joined(map(checksum, parts)) == checksum(b"".join(parts))
    assert joined(map(checksum, parts)).crc == zlib.crc32(b"".join(parts))


@given(texts, texts)
def test_joining_in_groups_gives_the_same(left: list[bytes], right: list[bytes]) -> None:
    grouped = joined((joined(map(checksum, left)), joined(map(checksum, right))))
    assert grouped == joined(map(checksum, left + right))


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_lengths_of_more_than_one_byte_are_joined_right(before: int, after: int) -> None:
    left, right = b"x" * before, b"y" * after
    assert joined((checksum(left), checksum(right))).crc == zlib.crc32(left + right)


def test_texts_beyond_sixteen_megabytes_are_joined_right() -> None:
    text = b"x_media_analytics 1\n" * 1000
    known = checksum(text)
    assert joined([known] * 1000).crc == zlib.crc32(text * 1000)
    assert joined([joined([known] * 500)] * 2) == joined([known] * 1000)


def test_no_text_at_all_has_the_checksum_of_nothing() -> None:
    assert joined(()) == checksum(b"")
    assert checksum(b"").crc == 0
