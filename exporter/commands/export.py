"""`export`: the journal as records, for people with a notebook."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TextIO

import click

from exporter.backfill.files import check_writable, whole_file
from exporter.backfill.openmetrics import number_text
from exporter.backfill.span import end_hour, first_hour, hour_text
from exporter.backfill.spool import journal_path
from exporter.backfill.wanted import plain_id
from exporter.config.load import load_config
from exporter.config.settings import Config
from exporter.errors import JournalError
from exporter.journal import BucketState, JournalFile, StoredBucket
from exporter.model import Kind

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

# So many texts that come again and again are kept, and no more, however long the journal is.
_ALIKE = 4096


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
        texts = _texts(_chosen(journal, flags), config, _FORMS[flags.form])
        if flags.output is None:
            count = _write(sys.stdout, texts)
            sys.stdout.flush()
        else:
            with whole_file(flags.output) as file:
                count = _write(file, texts)
    if count <= 1:
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


def _write(file: TextIO, texts: Iterable[str]) -> int:
    count = 0
    for count, text in enumerate(texts, 1):  # noqa: B007 - how many there were
        file.write(text)
    return count


@dataclass(frozen=True, slots=True)
class _Form:
    """How records are written: `fields` gives some columns as they stand in a record, between commas."""

    header: str
    opening: str
    closing: str
    value: str
    fields: Callable[[Mapping[str, str | int]], str]


def _csv_fields(columns: Mapping[str, str | int]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(columns.values())
    return text.getvalue()


def _json_fields(columns: Mapping[str, str | int]) -> str:
    return json.dumps(columns, ensure_ascii=False, separators=(",", ":"))[1:-1]


_FORMS: Mapping[str, _Form] = {
    "csv": _Form(",".join(COLUMNS) + "\n", "", "\n", "", _csv_fields),
    "jsonl": _Form("", "{", "}\n", '"value":', _json_fields),
}


def _texts(buckets: Iterable[StoredBucket], config: Config, form: _Form) -> Iterator[str]:
    """The header, then the records of one bucket after the other.

    There are millions of them, so what they share is written out once.
    """
    yield form.header
    names = {item.id: item.name for account in config.accounts for item in account.items}

    @lru_cache(_ALIKE)
    def hour_of(hour: int) -> str:
        return form.fields({"hour": hour_text(hour)})

    @lru_cache(_ALIKE)
    def item_of(kind: Kind, account: str, item_id: str) -> str:
        name = names.get(item_id, "")
        return form.fields({"kind": kind.value, "account": account, "id": item_id, "name": name})

    @lru_cache(_ALIKE)
    def metric_of(metric: str) -> str:
        return form.fields({"metric": metric})

    @lru_cache(_ALIKE)
    def rest_of(state: BucketState, source: str, seen: float, changed: float, revisions: int) -> str:
        times = {"first_seen": _time_text(seen), "last_changed": _time_text(changed)}
        return form.fields({"state": state.name.lower(), "source": source, **times, "revisions": revisions})

    for bucket in buckets:
        head = f"{hour_of(bucket.hour)},{item_of(bucket.kind, bucket.account, bucket.item_id)}"
        rest = rest_of(bucket.state, bucket.source, bucket.first_seen, bucket.last_changed, bucket.revisions)
        yield "".join(
            f"{form.opening}{head},{metric_of(metric)},{form.value}{number_text(value)},{rest}{form.closing}"
            for metric, value in zip(bucket.metrics, bucket.figures, strict=True)
            if value == value  # noqa: PLR0124 - NaN alone differs from itself
        )


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
