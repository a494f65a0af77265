from __future__ import annotations

import pytest

from exporter.exposition.negotiation import Encoding, negotiate_encoding, negotiate_format

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3"
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/*", TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
        ("application/json", TEXT),
        ("text/plain", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("text/plain; version=1.0.0", f"{TEXT_1}; escaping=underscores"),
        ("text/plain; version=1.0.0; escaping=allow-utf-8", f"{TEXT_1}; escaping=allow-utf-8"),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", f"{OPENMETRICS}; escaping=underscores"),
        ('application/openmetrics-text; version="1.0.0"', f"{OPENMETRICS}; escaping=underscores"),
        (
            "application/openmetrics-text; version=1.0.0; escaping=dots",
            f"{OPENMETRICS}; escaping=underscores",
        ),
        # Versions that are not spoken here.
        ("application/openmetrics-text; version=0.0.1", TEXT),
        ("application/openmetrics-text; version=2.0.0", TEXT),
        (
            "application/openmetrics-text; version=2.0.0, application/openmetrics-text; version=1.0.0; q=0.5",
            f"{OPENMETRICS}; escaping=underscores",
        ),
        # The client's own order counts, by weight.
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", TEXT),
        ("application/openmetrics-text;q=0, */*", TEXT),
        ("application/openmetrics-text;q=much, */*;q=0.1", TEXT),
        ("application/openmetrics-text;q=7, */*;q=0.1", TEXT),
        (PROMETHEUS_2, f"{OPENMETRICS}; escaping=underscores"),
        (PROMETHEUS_3, f"{OPENMETRICS}; escaping=allow-utf-8"),
        (PROTOBUF_FIRST, f"{OPENMETRICS}; escaping=allow-utf-8"),
        (",;,=;q", TEXT),
    ],
)
def test_the_answer_is_in_the_format_the_client_likes_best(accept: str, content_type: str) -> None:
    assert negotiate_format(accept).content_type == content_type


@pytest.mark.parametrize(
    ("accept_encoding", "encoding"),
    [
        ("", Encoding.IDENTITY),
        ("identity", Encoding.IDENTITY),
        ("br, deflate", Encoding.IDENTITY),
        ("gzip", Encoding.GZIP),
        ("GZIP;q=0.5", Encoding.GZIP),
        ("gzip, deflate, br, zstd", Encoding.GZIP),
        ("*", Encoding.GZIP),
        ("gzip;q=0", Encoding.IDENTITY),
        ("gzip;q=0.000, *", Encoding.IDENTITY),
        ("*;q=0", Encoding.IDENTITY),
        ("gzip;q=nan", Encoding.IDENTITY),
    ],
)
def test_gzip_is_used_only_where_it_is_allowed(accept_encoding: str, encoding: Encoding) -> None:
    assert negotiate_encoding(accept_encoding) is encoding
