"""A message reads back, by Prometheus' own definitions, as exactly the samples that went in."""

from __future__ import annotations

import math
import struct

import cramjam
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import HOUR_SECONDS, Kind
from exporter.remotewrite.message import packed_message, write_request
from exporter.remotewrite.series import FAMILIES, Sample, samples_of, timestamp_ms
from tests.remotewrite_support import HOUR, read, stored

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2**63).map(float), st.just(-0.0)
)
SAMPLES = st.lists(
    st.builds(
        Sample,
        family=st.sampled_from(sorted(FAMILIES.values())),
        item_id=st.from_regex(r"[0-9]{1,3}(_[0-9]{1,19})?", fullmatch=True),
        metric=st.sampled_from(["video_views", "watch_time_ms", "impressions"]),
        hour=st.integers(0, 10**6),
        value=NUMBERS,
    ),
    unique_by=lambda sample: (sample.series, sample.hour),
    max_size=40,
)
EXTERNAL = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True).filter(
        lambda name: name not in {"id", "metric"} and not name.startswith("__")
    ),
    st.text(min_size=1, max_size=300).filter(lambda text: text.isprintable()),
    max_size=4,
)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@given(SAMPLES, EXTERNAL)
def test_prometheus_own_definitions_read_what_was_written(
    samples: list[Sample], external: dict[str, str]
) -> None:
    found = read(packed_message(samples, external.items()))
    assert {(each.series, each.timestamp_ms, bits(each.value)) for each in found} == {
        (
            frozenset(
                {
                    ("__name__", sample.family),
                    ("id", sample.item_id),
                    ("metric", sample.metric),
                    *external.items(),
                }
            ),
            timestamp_ms(sample.hour),
            bits(sample.value),
        )
        for sample in samples
    }
    assert len(found) == len(samples)


@given(SAMPLES, st.randoms(use_true_random=False))
def test_a_message_depends_on_its_samples_alone_and_not_on_their_order(
    samples: list[Sample], random: object
) -> None:
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert write_request(shuffled, ()) == write_request(samples, ())


def test_the_body_is_snappys_block_format() -> None:
    body = packed_message([Sample("x_media_analytics_hourly", "1", "video_views", HOUR, 1.0)], ())
    # The frame format begins with a stream identifier; the block format with the length of what it holds.
    assert body[0] == len(cramjam.snappy.decompress_raw(body)) < 128


def test_the_time_of_an_hour_is_its_last_millisecond() -> None:
    assert timestamp_ms(0) == HOUR_SECONDS * 1000 - 1
    assert timestamp_ms(HOUR) == (HOUR + 1) * HOUR_SECONDS * 1000 - 1


def test_a_figure_that_x_did_not_give_is_no_sample() -> None:
    bucket = stored("1", HOUR, [0.0, math.nan, 7.0], metrics=("a", "b", "c"), kind=Kind.POST)
    assert list(samples_of([bucket])) == [
        Sample("x_post_insights_hourly", "1", "a", HOUR, 0.0),
        Sample("x_post_insights_hourly", "1", "c", HOUR, 7.0),
    ]
