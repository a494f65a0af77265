"""Made-up series for the peers that know nothing of X."""

from __future__ import annotations

from collections.abc import Iterator

from bench.items import made_up_items
from exporter.model import Kind
from exporter.vocabulary import MEDIA_METRICS

FAMILY = "x_media_analytics"


def made_up_series(count: int) -> Iterator[tuple[str, str, int]]:
    """`count` times an id, a metric and a figure with some digits."""
    for number, item in enumerate(made_up_items(Kind.MEDIA, -(-count // len(MEDIA_METRICS)))):
        for place, metric in enumerate(MEDIA_METRICS[: count - number * len(MEDIA_METRICS)]):
            yield item.id, metric.name, (number * 7919 + place * 104_729) % 100_003
