"""Hours at their own times, as a file for `promtool tsdb create-blocks-from openmetrics`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from exporter.backfill.files import whole_file
from exporter.exposition.escaping import escape_label_value
from exporter.journal import JournalFile, StoredBucket
from exporter.model import Kind
from exporter.remotewrite.series import FAMILIES, timestamp_ms

_HELP = "What X reported for each hour, stamped one millisecond before its end."
_LARGEST_EXACT = 2**53


def write_openmetrics(
    path: Path, journal: JournalFile, ids: Mapping[Kind, Sequence[str]], external: Mapping[str, str]
) -> int:
    """Write all complete hours of the items `ids` to `path`, with the labels `external` on every series.

    The file appears under its name when it is whole. Returns how many samples it has.

    Raises:
        StartError: it cannot be written.
        JournalError: the journal cannot be read.
    """
    samples = 0
    with whole_file(path) as file:
        for line in openmetrics_lines(journal, ids, external):
            file.write(line)
            samples += not line.startswith("#")
    return samples


def openmetrics_lines(
    journal: JournalFile, ids: Mapping[Kind, Sequence[str]], external: Mapping[str, str]
) -> Iterator[str]:
    """The file line by line: families, then items, then metrics, then hours, so that no series is torn."""
    for kind, family in FAMILIES.items():
        if ids.get(kind):
            yield f"# HELP {family} {_HELP}\n# TYPE {family} gauge\n"
            buckets = journal.buckets(item_ids=ids[kind], only_complete=True)
            for item_id, hours in groupby(buckets, key=lambda bucket: bucket.item_id):
                yield from _item_lines(family, item_id, list(hours), external)
    yield "# EOF\n"


def _item_lines(
    family: str, item_id: str, buckets: Sequence[StoredBucket], external: Mapping[str, str]
) -> Iterator[str]:
    for metric in dict.fromkeys(name for bucket in buckets for name in bucket.metrics):
        labels = {**external, "id": item_id, "metric": metric}
        written = ",".join(f'{name}="{escape_label_value(value)}"' for name, value in sorted(labels.items()))
        for hour, value in _values(buckets, metric):
            yield f"{family}{{{written}}} {number_text(value)} {_seconds(hour)}\n"


def _values(buckets: Iterable[StoredBucket], metric: str) -> Iterator[tuple[int, float]]:
    for bucket in buckets:
        if metric in bucket.metrics:
            value = bucket.figures[bucket.metrics.index(metric)]
            if not math.isnan(value):
                yield bucket.hour, value


def _seconds(hour: int) -> str:
    """When an hour's sample is stamped, with its milliseconds."""
    seconds, milliseconds = divmod(timestamp_ms(hour), 1000)
    return f"{seconds}.{milliseconds:03}"


def number_text(value: float) -> str:
    """`value` with every digit it has, a whole number without a point."""
    return str(int(value)) if value.is_integer() and abs(value) <= _LARGEST_EXACT else repr(value)
