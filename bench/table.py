"""What was measured, as rows of one table and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: `ours` beside `peer`, both in `unit`, and what is wanted of them.

    `limit` is the highest share of `peer` that `ours` may be, or the highest `ours` itself where there is no
    peer; None where nothing is wanted but to be known. `why` explains the row in a sentence.
    """

    work: str
    unit: str
    ours: float
    against: str
    peer: float | None
    limit: float | None
    why: str

    @property
    def measure(self) -> float:
        """What is compared with `limit`."""
        return self.ours if self.peer is None else self.ours / self.peer

    @property
    def holds(self) -> bool | None:
        """Whether what is wanted holds; None where nothing is."""
        return None if self.limit is None else self.measure <= self.limit


_HEADINGS = ("work", "ours", "against", "peer", "ours/peer", "wanted", "holds")


def as_text(rows: Sequence[Row]) -> str:
    """The table, and a sentence for each row."""
    lines = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*(line.rstrip() for line in table), "", *(f"{row.work}: {row.why}" for row in rows)])


def write_json(rows: Sequence[Row], file: Path) -> None:
    """Everything measured, with the machine it was measured on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }
    measured = [dataclasses.asdict(row) | {"holds": row.holds} for row in rows]
    file.write_text(json.dumps({"machine": machine, "rows": measured}, indent=2) + "\n", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.work,
        f"{_number(row.ours)} {row.unit}",
        row.against,
        "" if row.peer is None else f"{_number(row.peer)} {row.unit}",
        "" if row.peer is None else _number(row.measure),
        "" if row.limit is None else f"<= {_number(row.limit)}{row.unit if row.peer is None else ''}",
        {None: "", True: "yes", False: "NO"}[row.holds],
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
