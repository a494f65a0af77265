"""`export`: the journal as records, for people with a notebook."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, TypeAlias

import click
import msgspec

from exporter.backfill.files import check_writable, whole_file
from exporter.backfill.span import end_hour, first_hour, hour_text
from exporter.backfill.spool import journal_path
from exporter.backfill.wanted import plain_id
from exporter.config.load import load_config
from exporter.config.settings import Config
from exporter.errors import JournalError
from exporter.journal import JournalFile, StoredBucket

COLUMNS = (
    "hour",
    "kind",
    "account",
    "id",
    "name",
    "metric",
    "value",
    "state",
    "source",
    "first_seen",
    "last_changed",
    "revisions",
)
_LARGEST_EXACT = 2**53

# One item, hour and metric, as in COLUMNS; times are RFC 3339.
Record: TypeAlias = tuple[str, str, str, str, str, str, float, str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class ExportFlags:
    """The flags of `export`; `start` and `end` are Unix seconds, `form` is csv or jsonl."""

    config_file: Path
    form: str
    start: float | None
    end: float | None
    account: str | None
    ids: tuple[str, ...]
    output: Path | None


def export(flags: ExportFlags, environ: Mapping[str, str]) -> int:
    """Write the journal's records as they are read, and return 0.

    Items that the configuration no longer watches are written as well, as long as the journal keeps them.

    Raises:
        ConfigError: the configuration is wrong.
        JournalError: there is no journal, or it cannot be read.
        StartError: the file of `--output` cannot be written.
    """
    config = load_config(flags.config_file, environ)
    path = journal_path(config.state_dir)
    if not path.exists():
        # Opening it would make one.
        raise JournalError(
            f"There is no journal at {path} yet; it begins when `run` or `backfill` has had figures."
        )
    if flags.output is not None:
        check_writable(flags.output)
    with closing(JournalFile.open(path, time.time())) as journal:
        records = _records(_chosen(journal, flags), config)
        if flags.output is None:
            count = _WRITERS[flags.form](sys.stdout, records)
            sys.stdout.flush()
        else:
            with whole_file(flags.output) as file:
                count = _WRITERS[flags.form](file, records)
    if not count:
        click.echo(
            "Nothing in the journal fits; it has what was read since `run` or `backfill` began.", err=True
        )
    return 0


def _chosen(journal: JournalFile, flags: ExportFlags) -> Iterator[StoredBucket]:
    return journal.buckets(
        item_ids=[plain_id(each) for each in flags.ids] or None,
        first_hour=None if flags.start is None else first_hour(flags.start),
        last_hour=None if flags.end is None else end_hour(flags.end) - 1,
        accounts=None if flags.account is None else [flags.account],
    )


def _records(buckets: Iterable[StoredBucket], config: Config) -> Iterator[Record]:
    names = {item.id: item.name for account in config.accounts for item in account.items}
    for bucket in buckets:
        item = (bucket.kind.value, bucket.account, bucket.item_id, names.get(bucket.item_id, ""))
        hour, state, source = hour_text(bucket.hour), bucket.state.name.lower(), bucket.source
        seen, changed = _time_text(bucket.first_seen), _time_text(bucket.last_changed)
        for metric, value in zip(bucket.metrics, bucket.figures, strict=True):
            if not math.isnan(value):
                yield (hour, *item, metric, _plain(value), state, source, seen, changed, bucket.revisions)


def _write_csv(file: TextIO, records: Iterable[Record]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for count, record in enumerate(records, 1):  # noqa: B007 - how many there were
        writer.writerow(record)
    return count


def _write_jsonl(file: TextIO, records: Iterable[Record]) -> int:
    encode, count = msgspec.json.Encoder().encode, 0
    for count, record in enumerate(records, 1):  # noqa: B007 - how many there were
        file.write(encode(dict(zip(COLUMNS, record, strict=True))).decode() + "\n")
    return count


_WRITERS: Mapping[str, Callable[[TextIO, Iterable[Record]], int]] = {"csv": _write_csv, "jsonl": _write_jsonl}


def _plain(value: float) -> float:
    """A whole number without a point."""
    return int(value) if value.is_integer() and abs(value) <= _LARGEST_EXACT else value


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
