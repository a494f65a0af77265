"""A writer of a journal as a process of its own, for tests that kill it or run several.

Arguments: the journal's folder, a name for its items, the first hour, how many hours (0 for no end). Each
hour is one write: a bucket for each of 50 items, all with the same figures, a state each, and a mark. Prints
each hour once it is written.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from tests.journal_support import bucket, opened, saved, told

ITEMS = 50


def main(folder: Path, name: str, first: int, hours: int) -> None:
    journal = opened(folder)
    for hour in range(first, first + hours) if hours else count(first):
        ids = [f"{name}{item:02}" for item in range(ITEMS)]
        journal.write(
            [told(*(bucket(item_id, hour, hour, hour, hour) for item_id in ids))],
            [saved(item_id, hour) for item_id in ids],
            {name: str(hour)},
        )
        sys.stdout.write(f"{hour}\n")
        sys.stdout.flush()
    journal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
