"""The journal's file: the one class through which it is read and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from exporter.journal import buckets, database, outbox, retention
from exporter.journal import states as item_states
from exporter.journal.catalogue import known_items
from exporter.journal.database import Database
from exporter.journal.settling import settling
from exporter.journal.values import SavedState, Settling, StoredBucket, Told

# How many hours of items `buckets` holds in memory at a time.
_ROWS_AT_A_TIME = 5000


class JournalFile:
    """One open journal: blocking, for one thread at a time; several processes may have it open.

    Raises (every method):
        JournalError: it cannot be read or written now; nothing of the call was written.
        JournalUnreadableError: the file is torn.
    """

    def __init__(self, file: Database) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, now: float) -> JournalFile:
        """Open the journal at `path`, and make it where there is none: for the owner alone to read.

        A journal of an older version is brought up to date. `now` is Unix seconds.

        Raises:
            JournalUnreadableError: the file is torn, of another program, or no database. It is left as it
                is; `set_aside` makes room for a new one.
            JournalError: the file is of a newer version, locked, read-only, not permitted, or the disk is
                full.
        """
        return cls(Database(path, now))

    @staticmethod
    def set_aside(path: Path, now: float) -> Path:
        """Rename a journal to ``journal-YYYYmmddTHHMMSSZ.sqlite3``, the files beside it too.

        Nothing is deleted or overwritten. Returns the new path.
        """
        return database.set_aside(path, now)

    def close(self) -> None:
        """Close the file; what was written is kept without this too."""
        self._file.close()

    def write(
        self,
        told: Iterable[Told],
        states: Iterable[SavedState] = (),
        marks: Mapping[str, str | None] | None = None,
    ) -> int:
        """Note answers in their order, states and marks, as a whole; returns how many hours changed.

        See `exporter.journal.rules` for what replaces what.
        """
        with self._file.writing() as connection:
            changed = sum(buckets.write(connection, each) for each in told)
            item_states.write(connection, states)
            item_states.set_marks(connection, marks or {})
        return changed

    def states(self, item_ids: Iterable[str]) -> dict[str, SavedState]:
        """What stands beside the hours of those of the items that were ever answered about, by id."""
        with self._file.reading() as connection:
            return item_states.read(connection, item_ids)

    def buckets(
        self,
        *,
        item_ids: Iterable[str] | None = None,
        first_hour: int | None = None,
        last_hour: int | None = None,
        only_complete: bool = False,
        accounts: Iterable[str] | None = None,
    ) -> Iterator[StoredBucket]:
        """The hours known, by item id, then by hour; both ends belong to it, and None bounds nothing.

        Few are in memory at a time, and what others write meanwhile may show in those that follow.
        """
        with self._file.reading() as connection:
            items = known_items(connection, item_ids, accounts=accounts)
            hours = buckets.present_hours(connection, first_hour, last_hour)
        step = max(1, _ROWS_AT_A_TIME // max(1, len(hours)))
        for start in range(0, len(items), step):
            with self._file.reading() as connection:
                some = buckets.read(
                    connection, items[start : start + step], hours, only_complete=only_complete
                )
            yield from some

    def newest_complete(self, item_ids: Iterable[str]) -> dict[str, int]:
        """The newest complete hour with a number, of those of the items that have one."""
        with self._file.reading() as connection:
            items = known_items(connection, item_ids)
        return {item.id: item.newest for item in items if item.newest is not None}

    def forget_hours(self, item_ids: Iterable[str], first_hour: int) -> None:
        """Strike out what is known of some items from `first_hour` on, in the outbox too."""
        with self._file.writing() as connection:
            retention.forget(connection, item_ids, first_hour)

    def mark(self, name: str) -> str | None:
        """A small text that was kept under `name`."""
        with self._file.reading() as connection:
            return item_states.mark(connection, name)

    def marks(self, prefix: str) -> dict[str, str]:
        """The kept texts whose names begin with `prefix`."""
        with self._file.reading() as connection:
            return item_states.marks(connection, prefix)

    def set_marks(self, marks: Mapping[str, str | None]) -> None:
        """Keep small texts by name; None removes one."""
        with self._file.writing() as connection:
            item_states.set_marks(connection, marks)

    def prune(self, before_hour: int) -> int:
        """Remove the hours before `before_hour`, in the outbox too; returns how many hours of items went.

        An item that X has answered about since keeps its newest complete hour. One hour at a time is
        removed, so that nobody waits long.
        """
        with self._file.reading() as connection:
            hours = buckets.present_hours(connection, last_hour=before_hour - 1)
        removed = 0
        for hour in hours:
            with self._file.writing() as connection:
                removed += retention.drop_hour(connection, hour, before_hour)
        with self._file.writing() as connection:
            retention.drop_items(connection, before_hour)
        return removed

    def settling(self, since_hour: int, until_hour: int) -> dict[str, Settling]:
        """How old figures were when they last changed, by endpoint value.

        It looks at the hours from `since_hour` to before `until_hour`; younger ones than 28 hours may
        change yet.
        """
        with self._file.reading() as connection:
            return settling(connection, since_hour, until_hour)

    def open_outbox(self, first_hour: int) -> None:
        """Queue every hour that becomes complete from now on while polls still tell it, by whoever writes it.

        When the outbox was closed before, the complete hours from `first_hour` on are queued now.
        """
        with self._file.writing() as connection:
            outbox.open_outbox(connection, first_hour)

    def close_outbox(self) -> None:
        """Queue nothing any more, and drop what waits."""
        with self._file.writing() as connection:
            outbox.close_outbox(connection)

    def outbox_size(
        self, last_hour: int | None = None, settle_seconds: float = 0.0
    ) -> tuple[int, int | None]:
        """How many hours of items wait, and the oldest hour of them.

        With `last_hour` only those count that `outbox_take` would give.
        """
        with self._file.reading() as connection:
            return outbox.size(connection, last_hour, settle_seconds)

    def outbox_take(self, last_hour: int, most: int, settle_seconds: float = 0.0) -> list[StoredBucket]:
        """The oldest hours that wait, up to `last_hour` and at most `most`.

        An hour that X was last asked about less than `settle_seconds` after its end may have changed since:
        it is left until X was asked again, or tells it no more.

        They wait on until `outbox_done`, and are given with the same figures again until then, whatever X
        says meanwhile.
        """
        with self._file.writing() as connection:
            return outbox.take(connection, last_hour, most, settle_seconds)

    def outbox_done(self, sent: Iterable[tuple[str, int]]) -> None:
        """Take hours out of the outbox, each named by its item id and itself."""
        with self._file.writing() as connection:
            outbox.done(connection, sent)
