"""Hours as an OpenMetrics file: whole series, exact numbers, and the last moment of each hour."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.backfill.openmetrics import openmetrics_lines, write_openmetrics
from exporter.errors import StartError
from exporter.journal import Bucket, BucketState, JournalFile, Told
from exporter.model import Kind

NOW = 1_791_403_500.0
HOUR = 497_611
IDS = {Kind.MEDIA: ["7_2", "7_1"], Kind.POST: ["5"]}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalFile]:
    file = JournalFile.open(tmp_path / "spool.sqlite3", NOW)
    yield file
    file.close()


def told(item_id: str, metrics: tuple[str, ...], rows: dict[int, list[float]]) -> Told:
    kind = Kind.MEDIA if "_" in item_id else Kind.POST
    buckets = [Bucket(item_id, hour, array("d", row), BucketState.COMPLETE) for hour, row in rows.items()]
    return Told("brand", kind, kind.value, metrics, NOW, buckets)


def test_the_file_is_written_out_in_full(journal: JournalFile, tmp_path: Path) -> None:
    journal.write(
        [
            told("5", ("likes",), {HOUR: [7]}),
            told("7_1", ("video_views", "watch_time_ms"), {HOUR: [1, math.nan], HOUR + 1: [2.5, 9e15]}),
            told("7_2", ("video_views",), {HOUR: [0]}),
            told("7_3", ("video_views",), {HOUR: [4]}),
        ]
    )
    path = tmp_path / "history.om"
    path.write_text("what was there before", encoding="utf-8")
    assert write_openmetrics(path, journal, IDS, {"site": 'a "b"\n', "zone": "z"}) == 5
    labels = r'site="a \"b\"\n",zone="z"'
    told_when = "What X reported for each hour, stamped one millisecond before its end."
    media, post = "x_media_analytics_hourly", "x_post_insights_hourly"
    assert path.read_text(encoding="utf-8").splitlines() == [
        f"# HELP {media} {told_when}",
        f"# TYPE {media} gauge",
        f'{media}{{id="7_1",metric="video_views",{labels}}} 1 1791403199.999',
        f'{media}{{id="7_1",metric="video_views",{labels}}} 2.5 1791406799.999',
        f'{media}{{id="7_1",metric="watch_time_ms",{labels}}} 9000000000000000 1791406799.999',
        f'{media}{{id="7_2",metric="video_views",{labels}}} 0 1791403199.999',
        f"# HELP {post} {told_when}",
        f"# TYPE {post} gauge",
        f'{post}{{id="5",metric="likes",{labels}}} 7 1791403199.999',
        "# EOF",
    ]
    assert sorted(each.name for each in tmp_path.iterdir() if "history" in each.name) == ["history.om"]


def test_prometheus_client_reads_the_file(journal: JournalFile) -> None:
    journal.write(
        [told("7_1", ("video_views",), {HOUR: [1], HOUR + 1: [2]}), told("5", ("likes",), {HOUR: [3]})]
    )
    text = "".join(openmetrics_lines(journal, IDS, {}))
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert [(family.name, family.type) for family in families] == [
        ("x_media_analytics_hourly", "gauge"),
        ("x_post_insights_hourly", "gauge"),
    ]
    assert [sample.value for family in families for sample in family.samples] == [1, 2, 3]


def test_a_kind_that_is_not_watched_has_no_family(journal: JournalFile) -> None:
    assert list(openmetrics_lines(journal, {Kind.MEDIA: [], Kind.POST: []}, {})) == ["# EOF\n"]


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(
    journal: JournalFile, tmp_path: Path
) -> None:
    with pytest.raises(StartError, match=r"gone/history\.om: cannot be written: No such file"):
        write_openmetrics(tmp_path / "gone" / "history.om", journal, IDS, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(StartError, match="folder: cannot be written: Is a directory"):
        write_openmetrics(tmp_path / "folder", journal, IDS, {})
    assert not (tmp_path / "folder.tmp").exists()
