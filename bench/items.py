"""Made-up items."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.model import Item, Kind

FIRST_ID = 1_880_028_106_020_515_840
_ID_STEP = 982_451_653_337


def made_up_items(kind: Kind, count: int) -> Iterator[Item]:
    """`count` items whose ids differ as snowflakes do."""
    for number in range(count):
        item_id = str(FIRST_ID + number * _ID_STEP)
        if kind is Kind.MEDIA:
            item_id = f"13_{item_id}"
        yield Item(item_id, kind, "brand", f"Video {number}")
