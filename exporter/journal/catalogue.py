"""Names that stand in the journal once, and the numbers that stand for them in its rows.

Nothing is remembered from one transaction to the next, so that several processes agree.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from exporter.journal.trouble import TornError
from exporter.model import Kind

_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class KnownItem:
    """An item of the journal; `newest` is its newest complete hour with a number."""

    number: int
    id: str
    account: str
    kind: Kind
    newest: int | None


class MetricLists:
    """The lists of metric names in the journal, as they are in one transaction; they are few."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT number, names FROM metric_list")
        self._names: dict[int, tuple[str, ...]] = {
            number: tuple(names.split(",")) if names else () for number, names in rows
        }
        self._numbers = {names: number for number, names in self._names.items()}

    def names(self, number: int) -> tuple[str, ...]:
        """The metric names of the rows that name `number`.

        Raises:
            TornError: there is no such list.
        """
        if number not in self._names:
            raise TornError(f"a row names the unknown metric list {number}")
        return self._names[number]

    def number(self, names: tuple[str, ...]) -> int:
        """The number of a list, a new one where it has none yet."""
        if names not in self._numbers:
            row = self._connection.execute("INSERT INTO metric_list (names) VALUES (?)", (",".join(names),))
            number = row.lastrowid or 0
            self._names[number], self._numbers[names] = names, number
        return self._numbers[names]


def sources(connection: sqlite3.Connection) -> dict[int, str]:
    """The endpoint values by their numbers."""
    return dict(connection.execute("SELECT number, name FROM source"))


def source_number(connection: sqlite3.Connection, name: str) -> int:
    """The number of an endpoint value, a new one where it has none yet."""
    known = connection.execute("SELECT number FROM source WHERE name = ?", (name,)).fetchone()
    if known is None:
        return connection.execute("INSERT INTO source (name) VALUES (?)", (name,)).lastrowid or 0
    return int(known[0])


def known_items(
    connection: sqlite3.Connection,
    ids: Iterable[str] | None = None,
    *,
    accounts: Iterable[str] | None = None,
    numbers: Iterable[int] | None = None,
) -> list[KnownItem]:
    """The items of the journal by id: those that are named, where anything is named."""
    wanted = {"id": ids, "account": accounts, "number": numbers}
    given = {column: values for column, values in wanted.items() if values is not None}
    among = "{} IN (SELECT value FROM json_each(?))"
    where = " AND ".join(among.format(column) for column in given) or "TRUE"
    rows = connection.execute(
        f"SELECT number, id, account, kind, newest FROM item WHERE {where} ORDER BY id",  # noqa: S608 - columns
        [as_json(values) for values in given.values()],
    )
    return [
        KnownItem(number, item_id, account, as_kind(kind), newest)
        for number, item_id, account, kind, newest in rows
    ]


def numbered_items(
    connection: sqlite3.Connection, account: str, kind: Kind, item_ids: Iterable[str]
) -> dict[str, KnownItem]:
    """The items by id, each noted as `account`'s; those not known yet get a number in the given order."""
    wanted = dict.fromkeys(item_ids)
    known = {item.id: item for item in known_items(connection, wanted)}
    changed = [
        (id_, account, kind.value)
        for id_ in wanted
        if id_ not in known or (known[id_].account, known[id_].kind) != (account, kind)
    ]
    if not changed:
        return known
    connection.executemany(
        "INSERT INTO item (id, account, kind) VALUES (?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET account = excluded.account, kind = excluded.kind",
        changed,
    )
    return {item.id: item for item in known_items(connection, wanted)}


def as_kind(text: str) -> Kind:
    """The kind that a row names.

    Raises:
        TornError: there is none of that name.
    """
    if text not in _KINDS:
        raise TornError("an item of an unknown kind")
    return _KINDS[text]


def as_json(values: Iterable[object]) -> str:
    """`values` as one parameter for `json_each`, since SQLite bounds how many a statement may have."""
    return msgspec.json.encode(list(values)).decode()
