"""Everything that is measured, against the peers: ``python -m bench``, or ``--smoke`` for a glance."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import poll_rows, process_rows, scrape_rows
from bench.contestant import ROOT, Contestant
from bench.cores import load_core
from bench.sizes import FULL, SMOKE
from bench.table import Row, as_text, write_json

_GROUPS = {
    "answers": poll_rows.answer_rows,
    "scrapes": scrape_rows.rows,
    "process": process_rows.rows,
    "growth": poll_rows.growth_rows,
}


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="few and small: shows that it works, not how fast"
    )
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "bench.json", help="where the JSON goes"
    )
    parser.add_argument("--only", choices=_GROUPS, help="one group of rows instead of all")
    arguments = parser.parse_args()
    sizes = SMOKE if arguments.smoke else FULL
    rows: list[Row] = []
    with Contestant("canned", core=load_core()) as api:
        for name in [arguments.only] if arguments.only else _GROUPS:
            for row in _GROUPS[name](api.first, sizes):
                print(f"{row.work}: {row.ours:.4g} {row.unit}, peer {row.peer}", file=sys.stderr)
                rows.append(row)
    write_json(rows, arguments.json)
    print(as_text(rows))


if __name__ == "__main__":
    main()
