"""The page of all families: replaced slot by slot, read whole.

A slot is what is published together, such as one batch of ids. A scrape finds a slot's families
either all as they were or all as they are; it never finds half.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.exposition.checksum import Checksum, joined
from exporter.exposition.escaping import escape_help
from exporter.exposition.piece import GZIP_HEADER, Piece, gzip_end, inflated, make_piece

_NOTHING = make_piece(b"")

# One slot's change costs the checksums of one run, and one step for each run beside it.
_RUN_SLOTS = 32

# Of compressed text, about eight times as much inflated: enough to be worth a write.
_TEXT_PART_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: the name all its samples bear, its type such as ``gauge``, and what HELP says."""

    name: str
    type: str
    help: str

    @property
    def head(self) -> bytes:
        """The lines before the samples, alike in the text format and OpenMetrics."""
        return f"# HELP {self.name} {escape_help(self.help)}\n# TYPE {self.name} {self.type}\n".encode()


@dataclass(frozen=True, slots=True)
class Body:
    """What a scrape is answered: `length` bytes, in parts made as they are taken, to be taken once."""

    length: int
    parts: Iterable[bytes]


class Page:
    """The sample lines of every family and slot, ready to be served.

    Families stand in the order given here, slots in the order they were first published. A family
    without samples is not mentioned. `tail` is text for the end of the page, such as other metrics
    and the ``# EOF`` of OpenMetrics. Not thread-safe: one event loop owns it.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        self._columns = {family.name: _Column(family) for family in families}
        self._positions: dict[str, int] = {}
        self._whole: _Whole | None = None

    def publish(self, slot: str, pieces: Mapping[str, Piece]) -> None:
        """Replace everything `slot` shows by `pieces`, keyed by family name.

        Raises KeyError for a family the page does not have.
        """
        self.update(slot, dict.fromkeys(self._columns, _NOTHING) | dict(pieces))

    def update(self, slot: str, pieces: Mapping[str, Piece]) -> None:
        """Replace what `slot` shows of the families named in `pieces`.

        Raises KeyError for a family the page does not have.
        """
        changes = [(self._columns[name], piece) for name, piece in pieces.items()]
        position = self._positions.get(slot)
        if position is None:
            position = self._add(slot)
        for column, piece in changes:
            if column.replace(position, piece):
                self._whole = None

    def remove(self, slot: str) -> None:
        """Forget `slot`; nothing happens where there is none of the name."""
        gone = self._positions.pop(slot, None)
        if gone is None:
            return
        self._positions = {name: position for position, name in enumerate(self._positions)}
        for column in self._columns.values():
            column.delete(gone)
        self._whole = None

    def clear(self) -> None:
        """Forget all slots."""
        self._positions = {}
        for column in self._columns.values():
            column.clear()
        self._whole = None

    def text(self, names: frozenset[str] | None, tail: bytes) -> bytes:
        """The page as text. `names` keeps only the families so named; None keeps all."""
        return b"".join(self.text_body(names, tail).parts)

    def gzip(self, names: frozenset[str] | None, tail: bytes) -> bytes:
        """The same as one gzip member."""
        return b"".join(self.gzip_body(names, tail).parts)

    def text_body(self, names: frozenset[str] | None, tail: bytes) -> Body:
        """As `text`, inflated part by part: the page as it is now, whatever is published meanwhile."""
        columns = self._chosen(names)
        length = sum(column.checksum().length for column in columns) + len(tail)
        pieces = [piece.deflated for column in columns for piece in column.pieces()]
        return Body(length, _text_parts(pieces, tail))

    def gzip_body(self, names: frozenset[str] | None, tail: bytes) -> Body:
        """As `gzip`. Nothing but `tail` is compressed, and an unchanged page is not joined again."""
        if names is None:
            whole = self._whole = self._whole or _whole(self._chosen(None))
        else:
            whole = _whole(self._chosen(names))
        end = gzip_end(tail, whole.checksum)
        return Body(len(whole.start) + len(end), (whole.start, end))

    def _add(self, slot: str) -> int:
        position = self._positions[slot] = len(self._positions)
        for column in self._columns.values():
            column.append()
        return position

    def _chosen(self, names: frozenset[str] | None) -> list[_Column]:
        return [
            column
            for name, column in self._columns.items()
            if (names is None or name in names) and column.checksum().length
        ]


class _Column:
    """One family's pieces, one for each slot, and the checksums of each run of 32 and of all of it."""

    def __init__(self, family: Family) -> None:
        self._head = make_piece(family.head)
        self.clear()

    def clear(self) -> None:
        self._slots: list[Piece] = []
        self._runs: list[Checksum | None] = []
        self._all: Checksum | None = None

    def append(self) -> None:
        self._slots.append(_NOTHING)
        self._runs.extend([None] * (-(-len(self._slots) // _RUN_SLOTS) - len(self._runs)))

    def replace(self, position: int, piece: Piece) -> bool:
        """Put `piece` at `position`; whether that changed anything."""
        if self._slots[position] == piece:
            return False
        self._slots[position] = piece
        self._runs[position // _RUN_SLOTS] = None
        self._all = None
        return True

    def delete(self, position: int) -> None:
        del self._slots[position]
        self._runs = [None] * -(-len(self._slots) // _RUN_SLOTS)
        self._all = None

    def pieces(self) -> Iterator[Piece]:
        """The head and the slots' pieces, as they stand on the page."""
        yield self._head
        yield from self._slots

    def checksum(self) -> Checksum:
        """The checksum of head and samples, of nothing where there is no sample."""
        if self._all is None:
            samples = joined(self._run(index) for index in range(len(self._runs)))
            self._all = joined((self._head.checksum, samples)) if samples.length else samples
        return self._all

    def _run(self, index: int) -> Checksum:
        known = self._runs[index]
        if known is None:
            slots = self._slots[index * _RUN_SLOTS : (index + 1) * _RUN_SLOTS]
            known = self._runs[index] = joined(piece.checksum for piece in slots)
        return known


@dataclass(frozen=True, slots=True)
class _Whole:
    """A gzip member up to its tail, and the checksum of the text in it."""

    start: bytes
    checksum: Checksum


def _whole(columns: Sequence[_Column]) -> _Whole:
    pieces = (piece.deflated for column in columns for piece in column.pieces())
    start = b"".join((GZIP_HEADER, *pieces))
    return _Whole(start, joined(column.checksum() for column in columns))


def _text_parts(pieces: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= _TEXT_PART_BYTES:
            yield inflated(bytes(gathered))
            gathered.clear()
    yield inflated(bytes(gathered)) + tail
