"""The journal as records: everything in it once, in constant memory, beside whoever writes it."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path

import pytest

from exporter.backfill.span import hour_text
from exporter.journal import Bucket, BucketState, JournalFile, Told
from exporter.model import Kind
from exporter.vocabulary import MEDIA_METRICS
from tests.processes import exporter, finished

HOUR = 497_611  # 2026-10-07T19:00:00Z
SEEN = 1_791_403_500.0
COLUMNS = [
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
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts:\n  - name: brand\n    auth: {bearer_token: token-of-brand}\n"
        "    media: [{id: '7_1', name: 'Aurora, \"the\" reveal'}]\n    posts: ['5']\n",
        encoding="utf-8",
    )
    return path


def write(folder: Path, told: Iterable[Told]) -> JournalFile:
    """A journal with `told` in it, left open as by the daemon."""
    journal = JournalFile.open(folder / "state" / "journal" / "journal.sqlite3", SEEN)
    journal.write(told)
    return journal


def told(
    item_id: str,
    rows: dict[int, list[float]],
    *,
    account: str = "brand",
    seen_at: float = SEEN,
    state: BucketState = BucketState.COMPLETE,
) -> Told:
    kind = Kind.MEDIA if "_" in item_id else Kind.POST
    metrics = ("video_views", "watch_time_ms") if kind is Kind.MEDIA else ("impressions", "likes")
    source = "media_analytics" if kind is Kind.MEDIA else "insights_28hr"
    buckets = [Bucket(item_id, hour, array("d", row), state) for hour, row in rows.items()]
    return Told(account, kind, source, metrics, seen_at, buckets)


def sample(folder: Path) -> JournalFile:
    """Three items, one of them no longer watched; an hour restated, one running, one number absent."""
    return write(
        folder,
        [
            told("7_1", {HOUR - 1: [3, 4], HOUR: [5, math.nan]}),
            told("7_1", {HOUR - 1: [4, 4.5]}, seen_at=SEEN + 60),
            told("5", {HOUR: [0, 1]}, state=BucketState.RUNNING),
            told("7_9", {HOUR - 1: [7, 8]}, account="other"),
        ],
    )


def test_csv_has_one_record_for_each_item_hour_and_metric_with_a_number(config: Path, tmp_path: Path) -> None:
    journal = sample(tmp_path)
    done = finished("export", "--config.file", str(config), "--format", "csv")
    journal.close()
    assert (done.returncode, done.stderr) == (0, "")
    header, *records = csv.reader(done.stdout.splitlines())
    assert header == COLUMNS
    name, seen, changed = 'Aurora, "the" reveal', "2026-10-07T20:05:00Z", "2026-10-07T20:06:00Z"
    six, seven = "2026-10-07T18:00:00Z", "2026-10-07T19:00:00Z"
    media, posts = "media_analytics", "insights_28hr"
    assert sorted(records) == sorted(
        [
            [six, "media", "brand", "7_1", name, "video_views", "4", "complete", media, seen, changed, "1"],
            [
                six,
                "media",
                "brand",
                "7_1",
                name,
                "watch_time_ms",
                "4.5",
                "complete",
                media,
                seen,
                changed,
                "1",
            ],
            [seven, "media", "brand", "7_1", name, "video_views", "5", "complete", media, seen, seen, "0"],
            [seven, "post", "brand", "5", "5", "impressions", "0", "running", posts, seen, seen, "0"],
            [seven, "post", "brand", "5", "5", "likes", "1", "running", posts, seen, seen, "0"],
            [six, "media", "other", "7_9", "", "video_views", "7", "complete", media, seen, seen, "0"],
            [six, "media", "other", "7_9", "", "watch_time_ms", "8", "complete", media, seen, seen, "0"],
        ]
    )


def test_jsonl_says_the_same_with_numbers_as_numbers(config: Path, tmp_path: Path) -> None:
    journal = sample(tmp_path)
    form = ("export", "--config.file", str(config), "--format")
    lines = finished(*form, "jsonl").stdout.splitlines()
    header, *rows = csv.reader(finished(*form, "csv").stdout.splitlines())
    journal.close()
    records = [json.loads(line) for line in lines]
    assert [[str(record[column]) for column in header] for record in records] == rows
    assert {type(record["value"]) for record in records} == {int, float}
    assert {type(record["revisions"]) for record in records} == {int}


@pytest.mark.parametrize(
    ("flags", "ids", "hours"),
    [
        (["--id", "7_1"], {"7_1"}, {-1, 0}),
        (["--id", "https://x.com/brand/status/5", "--id", "7_9"], {"5", "7_9"}, {-1, 0}),
        (["--account", "other"], {"7_9"}, {-1}),
        (["--start", hour_text(HOUR)], {"7_1", "5"}, {0}),
        (["--end", "2026-10-07T18:30:00Z"], {"7_1", "7_9"}, {-1}),
        (["--start", "2026-10-07T18:59:59Z", "--end", hour_text(HOUR)], {"7_1", "7_9"}, {-1}),
    ],
)
def test_flags_choose_what_is_written(
    config: Path, tmp_path: Path, flags: list[str], ids: set[str], hours: set[int]
) -> None:
    sample(tmp_path).close()
    done = finished("export", "--config.file", str(config), "--format", "jsonl", *flags)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["id"] for record in records} == ids
    assert {record["hour"] for record in records} == {hour_text(HOUR + hour) for hour in hours}


def test_a_file_is_there_when_it_is_whole(config: Path, tmp_path: Path) -> None:
    sample(tmp_path).close()
    output = tmp_path / "figures.csv"
    form = ("export", "--config.file", str(config), "--format", "csv")
    done = finished(*form, "--output", str(output))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert output.read_text(encoding="utf-8") == finished(*form).stdout
    assert not list(tmp_path.glob("*.tmp"))


def test_nothing_that_fits_is_told_and_no_failure(config: Path, tmp_path: Path) -> None:
    sample(tmp_path).close()
    done = finished("export", "--config.file", str(config), "--format", "csv", "--id", "7_77")
    assert (done.returncode, done.stdout) == (0, ",".join(COLUMNS) + "\n")
    assert done.stderr.startswith("Nothing in the journal fits")


def test_without_a_journal_it_says_so_and_makes_none(config: Path, tmp_path: Path) -> None:
    done = finished("export", "--config.file", str(config), "--format", "csv")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "There is no journal at" in line
    assert "it begins when `run` or `backfill` has had figures" in line
    assert not (tmp_path / "state").exists()


def test_a_journal_that_cannot_be_read_is_told_in_a_sentence(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "journal"
    folder.mkdir(parents=True)
    (folder / "journal.sqlite3").write_bytes(b"something else altogether" * 100)
    done = finished("export", "--config.file", str(config), "--format", "csv")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "journal.sqlite3" in line
    assert (folder / "journal.sqlite3").read_bytes() == b"something else altogether" * 100


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "Missing option '--format'"),
        (["--format", "xml"], "'xml' is not one of"),
        (["--format", "csv", "--start", "noon"], "'noon' is no time; write it as 2026-09-01"),
    ],
)
def test_bad_arguments_are_told_in_one_sentence(config: Path, flags: list[str], said: str) -> None:
    done = finished("export", "--config.file", str(config), *flags)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def large(folder: Path, items: int, days: int) -> int:
    """A journal of so many media over so many days; returns how many numbers it has."""
    metrics = tuple(metric.name for metric in MEDIA_METRICS)
    journal = JournalFile.open(folder / "state" / "journal" / "journal.sqlite3", SEEN)
    for day in range(days):
        buckets = [
            Bucket(
                f"7_{item}",
                HOUR - 24 * day - hour,
                array("d", [float(item + hour)] * 10),
                BucketState.COMPLETE,
            )
            for item in range(items)
            for hour in range(24)
        ]
        journal.write([Told("brand", Kind.MEDIA, "media_analytics", metrics, SEEN, buckets)])
    journal.close()
    return items * days * 24 * 10


def peak_bytes(arguments: list[str]) -> tuple[int, int]:
    """(lines written, most memory resident) of one run."""
    script = (
        "import resource, subprocess, sys\n"
        "with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as process:\n"
        "    lines = sum(1 for _ in process.stdout)\n"
        "print(lines, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True
    )
    lines, peak = map(int, done.stdout.split())
    return lines, peak


def test_ten_times_the_journal_takes_no_more_memory(config: Path, tmp_path: Path) -> None:
    command = exporter("export", "--config.file", str(config), "--format", "csv")
    sizes = {}
    for items in (20, 200):
        numbers = large(tmp_path, items, 2)
        lines, sizes[items] = peak_bytes(command)
        assert lines == numbers + 1
    assert sizes[200] < sizes[20] + 20e6


def test_a_reader_that_goes_away_is_no_traceback(config: Path, tmp_path: Path) -> None:
    large(tmp_path, 100, 2)
    command = exporter("export", "--config.file", str(config), "--format", "csv")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("hour,kind")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1
