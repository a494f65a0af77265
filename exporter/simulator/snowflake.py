"""Ids that carry their time of birth, minted and read without the exporter's own code."""

from __future__ import annotations

EPOCH_MS = 1288834974657
FIRST_SNOWFLAKE = 30_000_000_000
SEQUENCES = 1 << 22


def mint(born_seconds: float, sequence: int) -> int:
    """The id of something made at `born_seconds` (Unix); `sequence` tells apart those of one millisecond."""
    return (round(born_seconds * 1000) - EPOCH_MS) * SEQUENCES + sequence % SEQUENCES


def born_seconds(item_id: str) -> float:
    """When `item_id` (a post id or media key) was minted, in Unix seconds; 0 for ids before snowflakes."""
    number = int(item_id.rpartition("_")[2])
    if number < FIRST_SNOWFLAKE:
        return 0.0
    return ((number >> 22) + EPOCH_MS) / 1000
