from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

from bench.table import Row, as_text

ROOT = Path(__file__).parent.parent

WORK = [
    "idle scrape beside prometheus_client",
    "scrapes during polls, p99",
    "memory",
    "memory of a sidecar",
    "media answer beside xdk",
    "insights answer beside httpx-json",
    "start of run",
    "start of --help",
    "start of check-config",
    "wake-ups while idle",
]


def test_the_short_form_of_the_measurements_gives_every_row(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", "--smoke", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    measured = json.loads(file.read_text(encoding="utf-8"))
    rows = {row["work"]: row for row in measured["rows"]}
    assert set(WORK) <= set(rows)
    assert all(math.isfinite(row["ours"]) and row["why"] for row in rows.values())
    assert all(f"\n{work}" in done.stdout for work in rows)
    assert measured["machine"]["python"]


def test_the_table_says_what_holds() -> None:
    rows = [
        Row("fast", "ms", 1, "slow", 10, 0.2, "a"),
        Row("large", "MB", 100, "nothing", None, 90, "b"),
        Row("known", "ms", 1, "other", 2, None, "c"),
    ]
    assert [row.holds for row in rows] == [True, False, None]
    lines = as_text(rows).splitlines()
    assert [line.rpartition(" ")[2] for line in lines[1:3]] == ["yes", "NO"]
    assert lines[-3:] == ["fast: a", "large: b", "known: c"]
