"""Turns X's answers into figures: bytes in, `exporter.model.Answer` out, nothing asked of the world.

One decoder per endpoint. A value that is no number costs only itself; a body whose envelope cannot be read
is a `WireError` that names the place. Figures, hours and their meaning are none of this package's business:
buckets come out as X labels them, in X's order.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.model import Answer, Endpoint
from exporter.vocabulary import Metric
from exporter.xapi.requests import INSIGHTS
from exporter.xapi.wire_analytics import (
    decode_media_analytics,
    decode_tweets_analytics,
    decoding_analytics,
    nothing_known,
)
from exporter.xapi.wire_insights import decode_insights_28hr, decoding_insights_28hr
from exporter.xapi.wire_passages import Known
from exporter.xapi.wire_steps import Steps, finished

__all__ = [
    "Known",
    "decode",
    "decode_insights_28hr",
    "decode_media_analytics",
    "decode_tweets_analytics",
    "decoding",
    "nothing_known",
]


def decode(endpoint: Endpoint, body: bytes, metrics: Sequence[Metric]) -> Answer:
    """Read a 200 of `endpoint`; every row is as wide as `metrics` and in their order.

    :raises WireError: the envelope cannot be read.
    """
    return finished(decoding(endpoint, body, metrics))


def decoding(
    endpoint: Endpoint, body: bytes, metrics: Sequence[Metric], known: Known = nothing_known
) -> Steps:
    """As `decode`, in steps.

    Hours `known` of items, which were read for the same `metrics`, are standing where X still says the same.
    """
    if endpoint in INSIGHTS:
        return decoding_insights_28hr(body, metrics)
    return decoding_analytics(endpoint, body, metrics, known)
