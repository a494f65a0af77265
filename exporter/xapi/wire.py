"""Turns X's answers into figures: bytes in, `exporter.model.Answer` out, nothing asked of the world.

One decoder per endpoint. A value that is no number costs only itself; a body whose envelope cannot be read
is a `WireError` that names the place. Figures, hours and their meaning are none of this package's business:
buckets come out as X labels them, in X's order.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.model import Answer, Endpoint
from exporter.vocabulary import Metric
from exporter.xapi.wire_analytics import decode_media_analytics, decode_tweets_analytics
from exporter.xapi.wire_insights import decode_insights_28hr

__all__ = ["decode", "decode_insights_28hr", "decode_media_analytics", "decode_tweets_analytics"]


def decode(endpoint: Endpoint, body: bytes, metrics: Sequence[Metric]) -> Answer:
    """Read a 200 of `endpoint`; every row is as wide as `metrics` and in their order.

    :raises WireError: the envelope cannot be read.
    """
    return _DECODERS[endpoint](body, metrics)


_DECODERS = {
    Endpoint.MEDIA_ANALYTICS: decode_media_analytics,
    Endpoint.INSIGHTS_28HR: decode_insights_28hr,
    Endpoint.INSIGHTS_HISTORICAL: decode_insights_28hr,
    Endpoint.TWEETS_ANALYTICS: decode_tweets_analytics,
}
