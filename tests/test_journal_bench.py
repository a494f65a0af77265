"""The measurement of the journal, in small; and how compact what it fills is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bench.journal import Filled, Size, kept_rows, large_rows


def test_every_row_of_the_measurement_is_measured() -> None:
    rows = [*kept_rows(Size(20, 30)), *large_rows(150)]
    assert len(rows) == 12
    assert all(row.ours > 0 for row in rows)


def test_an_hour_of_ten_metrics_takes_less_than_seventy_bytes(tmp_path: Path) -> None:
    filled = Filled(tmp_path, Size(items=100, hours=150))
    with closing(filled.journal):
        filled.reopen()
        assert filled.path.stat().st_size / (100 * 150) < 70


def test_a_poll_writes_what_is_new_and_not_the_journal_again(tmp_path: Path) -> None:
    filled = Filled(tmp_path, Size(items=100, hours=150))
    with closing(filled.journal):
        filled.reopen()
        filled.poll()
        waiting = filled.path.with_name(f"{filled.path.name}-wal").stat().st_size
        assert waiting < filled.path.stat().st_size / 8
