"""Samples as the body of a request: remote write 1.0, a protobuf `WriteRequest` in snappy's block format.

The few kinds of fields that it takes are written by hand: a protobuf library costs more memory than all the
messages. The definitions are `prompb/remote.proto` and `prompb/types.proto` of Prometheus.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from exporter.remotewrite.series import Sample, timestamp_ms

# What stands before a field: its number, and how it is written.
_LENGTH: Final = 2
_TIMESERIES: Final = bytes([1 << 3 | _LENGTH])
_LABEL: Final = bytes([1 << 3 | _LENGTH])
_SAMPLE: Final = bytes([2 << 3 | _LENGTH])
_NAME: Final = bytes([1 << 3 | _LENGTH])
_VALUE: Final = bytes([2 << 3 | _LENGTH])
_DOUBLE_AND_TIME: Final = struct.Struct("<BdB")
_DOUBLE_FIELD: Final = 1 << 3 | 1
_TIME_FIELD: Final = 2 << 3 | 0

Labels = Iterable[tuple[str, str]]


def packed_message(samples: Iterable[Sample], external_labels: Labels) -> bytes:
    """The body that brings `samples`, with `external_labels` on every series."""
    # Only who sends needs it, and it takes 3 MB.
    import cramjam  # noqa: PLC0415

    return bytes(cramjam.snappy.compress_raw(write_request(samples, external_labels)))


def write_request(samples: Iterable[Sample], external_labels: Labels) -> bytes:
    """`WriteRequest`: each series once, its samples by time."""
    external = tuple(external_labels)
    by_series = sorted(samples, key=lambda sample: (sample.series, sample.hour))
    return b"".join(
        _field(_TIMESERIES, _series(list(together), external))
        for _, together in groupby(by_series, key=lambda sample: sample.series)
    )


def _series(samples: Sequence[Sample], external: tuple[tuple[str, str], ...]) -> bytes:
    first = samples[0]
    labels = [("__name__", first.family), ("id", first.item_id), ("metric", first.metric), *external]
    # A receiver may rely on labels that are sorted by their names' bytes.
    parts = [_field(_LABEL, _label(name, value)) for name, value in sorted(labels)]
    parts += [_field(_SAMPLE, _sample(sample)) for sample in samples]
    return b"".join(parts)


def _label(name: str, value: str) -> bytes:
    return _field(_NAME, name.encode()) + _field(_VALUE, value.encode())


def _sample(sample: Sample) -> bytes:
    value = _DOUBLE_AND_TIME.pack(_DOUBLE_FIELD, sample.value, _TIME_FIELD)
    return value + _varint(timestamp_ms(sample.hour))


def _field(key: bytes, content: bytes) -> bytes:
    return key + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A number that is not negative: seven bits to the byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
