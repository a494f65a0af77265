"""What stands of items beside their hours, and small named texts."""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from exporter.journal.catalogue import MetricLists, as_json, as_kind, numbered_items
from exporter.journal.figures import decode, encode
from exporter.journal.trouble import TornError
from exporter.journal.values import SavedState
from exporter.model import ItemErrorType, ItemProblem, Kind

_Problems: TypeAlias = list[tuple[str | None, str, str]]
_ERROR_TYPES = {error.value: error for error in ItemErrorType}


def write(connection: sqlite3.Connection, states: Iterable[SavedState]) -> None:
    """Note what stands of some items, in the place of what stood."""
    lists = MetricLists(connection)
    groups: dict[tuple[str, Kind], list[SavedState]] = defaultdict(list)
    for state in states:
        groups[state.account, state.kind].append(state)
    for (account, kind), together in groups.items():
        items = numbered_items(connection, account, kind, (state.item_id for state in together))
        connection.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    items[state.item_id].number,
                    state.up,
                    lists.number(state.metrics),
                    None if state.total is None else encode(state.total),
                    state.answered_at,
                    _problems_text(state.problems),
                )
                for state in together
            ],
        )


def read(connection: sqlite3.Connection, item_ids: Iterable[str]) -> dict[str, SavedState]:
    """What stands of those of the items of which anything was noted, by id."""
    lists = MetricLists(connection)
    rows = connection.execute(
        """
        SELECT item.id, item.account, item.kind, up, metrics, total, answered_at, problems
        FROM item JOIN state ON state.item = item.number
        WHERE item.id IN (SELECT value FROM json_each(?))
        """,
        (as_json(item_ids),),
    )
    states = {}
    for item_id, account, kind, up, metrics, total, answered_at, problems in rows:
        names = lists.names(metrics)
        states[item_id] = SavedState(
            item_id=item_id,
            account=account,
            kind=as_kind(kind),
            up=None if up is None else bool(up),
            metrics=names,
            total=_total(total, len(names)),
            answered_at=answered_at,
            problems=_problems(problems),
        )
    return states


def marks(connection: sqlite3.Connection, prefix: str) -> dict[str, str]:
    """The named texts whose names begin with `prefix`."""
    rows = connection.execute(
        "SELECT name, text FROM mark WHERE substr(name, 1, ?) = ? ORDER BY name", (len(prefix), prefix)
    )
    return dict(rows)


def mark(connection: sqlite3.Connection, name: str) -> str | None:
    """One named text."""
    row = connection.execute("SELECT text FROM mark WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def set_marks(connection: sqlite3.Connection, texts: Mapping[str, str | None]) -> None:
    """Keep named texts; None removes one."""
    connection.executemany(
        "INSERT OR REPLACE INTO mark VALUES (?, ?)",
        [(name, text) for name, text in texts.items() if text is not None],
    )
    connection.executemany(
        "DELETE FROM mark WHERE name = ?", [(name,) for name, text in texts.items() if text is None]
    )


def _total(figures: bytes | None, width: int) -> array[float] | None:
    return None if figures is None else decode(figures, width)


def _problems_text(problems: Iterable[ItemProblem]) -> str:
    entries = [(problem.id, problem.type.value, problem.detail) for problem in problems]
    return msgspec.json.encode(entries).decode()


def _problems(text: str) -> tuple[ItemProblem, ...]:
    try:
        entries = msgspec.json.decode(text, type=_Problems)
    except msgspec.DecodeError as error:
        raise TornError("an item's problems are no JSON") from error
    return tuple(
        ItemProblem(item_id, _ERROR_TYPES.get(name, ItemErrorType.OTHER), detail)
        for item_id, name, detail in entries
    )
