"""Turns X's answers into figures: bytes in, `exporter.model.Answer` out, nothing asked of the world.

One decoder per endpoint. A value that is no number costs only itself; a body whose envelope cannot be read
is a `WireError` that names the place. Figures, hours and their meaning are none of this package's business:
buckets come out as X labels them, in X's order.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.model import Answer, Endpoint
from exporter.vocabulary import Metric
from exporter.xapi.wire_analytics import (
    decode_media_analytics,
    decode_tweets_analytics,
    decoding_media_analytics,
    decoding_tweets_analytics,
)
from exporter.xapi.wire_insights import decode_insights_28hr, decoding_insights_28hr
from exporter.xapi.wire_steps import Steps, finished

__all__ = ["decode", "decode_insights_28hr", "decode_media_analytics", "decode_tweets_analytics"]


def decode(endpoint: Endpoint, body: bytes, metrics: Sequence[Metric]) -> Answer:
    """Read a 200 of `endpoint`; every row is as wide as `metrics` and in their order.

    :raises WireError: the envelope cannot be read.
    """
    return finished(decoding(endpoint, body, metrics))


def decoding(endpoint: Endpoint, body: bytes, metrics: Sequence[Metric]) -> Steps:
    """As `decode`, in steps."""
    return _DECODERS[endpoint](body, metrics)


_DECODERS = {
    Endpoint.MEDIA_ANALYTICS: decoding_media_analytics,
    Endpoint.INSIGHTS_28HR: decoding_insights_28hr,
    Endpoint.INSIGHTS_HISTORICAL: decoding_insights_28hr,
    Endpoint.TWEETS_ANALYTICS: decoding_tweets_analytics,
}
