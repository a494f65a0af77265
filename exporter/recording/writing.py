"""What the recorder does with the open journal, in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.journal import JournalFile, SavedState, Told
from exporter.recording.entries import Heard


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Hours of items that turned out to be wrong, from `first_hour` on."""

    item_ids: tuple[str, ...]
    first_hour: int


def put_down(
    journal: JournalFile,
    news: Iterable[Heard | Forgotten],
    everything: tuple[list[Told], list[SavedState]] | None,
    marks: Mapping[str, str],
) -> None:
    """Write `everything` that stands, if given, then what is new in its order, and named texts.

    Raises:
        JournalError: it cannot be written.
    """
    told, states = everything or ([], [])
    for each in news:
        if isinstance(each, Forgotten):
            journal.write(told, states)
            told, states = [], []
            journal.forget_hours(each.item_ids, each.first_hour)
        else:
            told.append(each.told())
            states += each.states()
    journal.write(told, states, marks)
