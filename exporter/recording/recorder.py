"""The daemon's journal: written behind what is shown, read at a start, and done without where it must be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from exporter.board import Watch
from exporter.errors import JournalError, JournalUnreadableError
from exporter.figures.state import ItemState
from exporter.journal import JournalFile, SavedState, Told
from exporter.model import HOUR_SECONDS, Endpoint, Kind
from exporter.recording.entries import Heard, saved, standing
from exporter.recording.opening import opened_journal, set_aside
from exporter.recording.ownership import Ownership
from exporter.recording.restoring import restored
from exporter.recording.writing import Forgotten, put_down

T = TypeVar("T")

# How often a journal that cannot be opened or written is tried again.
MEND_SECONDS = 60.0
# A stop does not wait longer than this for what is still to be written.
LAST_WRITE_SECONDS = 3.0
# So many answers are written at a time: one whose hours are all new fills some megabytes meanwhile.
WRITTEN_AT_ONCE = 1
# With so many still to be written polls wait, but not longer than this: the disk may not answer at all.
MOST_UNWRITTEN = 3
WAIT_SECONDS = 10.0

_SOURCES = {Kind.MEDIA: Endpoint.MEDIA_ANALYTICS, Kind.POST: Endpoint.INSIGHTS_28HR}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the daemon knows now: the states of what it watches, and named texts to keep over a restart."""

    states: Callable[[], Iterable[tuple[Watch, Mapping[str, ItemState]]]]
    marks: Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """How the journal does: `trouble` is a sentence for a person, None while it works."""

    path: Path
    trouble: str | None


class Recorder:
    """Puts down what X says, within moments of its being shown, and gives it back after a restart.

    Whatever is wrong with the journal, figures are served from memory: nothing here raises but `run`. What
    could not be written is made good for once the journal works again. `clock` gives Unix seconds; `show`
    is told whether the journal works. All methods belong to one event loop, the file to one thread at a
    time.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        log: FilteringBoundLogger,
        show: Callable[[bool], None],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._log = log
        self._show = show
        self._path: Path | None = None
        self._keep_seconds = 0.0
        self._standing = Standing(list, dict)
        self._file: JournalFile | None = None
        self._owner: Ownership | None = None
        self._trouble: str | None = None
        self._turn = asyncio.Lock()
        self._news: list[Heard | Forgotten] = []
        self._written_marks: dict[str, str] = {}
        self._touched = False
        # Answers were not written; the next write brings everything that stands.
        self._behind = False
        self._pruned_hour = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: list[Callable[[], None]] = []

    @property
    def status(self) -> JournalStatus | None:
        """How the journal does, None before `adopt`."""
        return None if self._path is None else JournalStatus(self._path, self._trouble)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every write."""
        self._listeners.append(listener)

    async def adopt(self, state_dir: Path, keep_seconds: float, standing_now: Standing) -> None:
        """Keep the journal below `state_dir` from now on, each hour for `keep_seconds`."""
        path = state_dir / "journal" / "journal.sqlite3"
        self._keep_seconds, self._standing = keep_seconds, standing_now
        self._pruned_hour = 0
        if path == self._path:
            return
        async with self._turn:
            moved = self._path is not None
            await self._close()
            self._path = path
            await self._open()
            self._behind = self._behind or moved
            self._written_marks = {}

    async def restore(self, watch: Watch) -> dict[str, ItemState]:
        """The states that the items of `watch` had; empty where nothing is known or can be read."""
        try:
            return await self.run(partial(restored, watch=watch))
        except JournalError:
            return {}

    async def marks(self, prefix: str) -> dict[str, str]:
        """The kept texts whose names begin with `prefix`."""
        try:
            return await self.run(lambda journal: journal.marks(prefix))
        except JournalError:
            return {}

    def heard(self, heard: Heard) -> None:
        """Put an answer down soon."""
        if self._trouble is not None:
            self._behind = True
            return
        self._news.append(heard)
        self.touched()

    def forgotten(self, item_ids: Iterable[str], first_hour: int) -> None:
        """Strike out the hours of some items from `first_hour` on."""
        self._news.append(Forgotten(tuple(item_ids), first_hour))
        self.touched()

    def touched(self) -> None:
        """Something that `Standing.marks` tells has changed: put it down soon."""
        self._touched = True
        if self._trouble is None and self._path is not None:
            self._begin("write", self._write)

    async def room(self) -> None:
        """Wait while many answers are still to be written, but not for ever."""
        writing = self._tasks.get("write")
        if len(self._news) > MOST_UNWRITTEN and writing is not None:
            await asyncio.wait([writing], timeout=WAIT_SECONDS)

    async def run(self, work: Callable[[JournalFile], T]) -> T:
        """Do `work` with the journal, in a thread, while nobody else uses it.

        Raises:
            JournalError: it cannot be done; the journal is taken for broken and opened again later.
        """
        # Once begun it goes on whatever becomes of the caller, so that no two threads have the file.
        return await asyncio.shield(asyncio.ensure_future(self._run(work)))

    async def aclose(self) -> None:
        """Write what is left, for a few seconds at most, and close."""
        mending = self._tasks.pop("mend", None)
        if mending is not None:
            mending.cancel()
        if self._news or self._touched:
            self.touched()
        writing = self._tasks.get("write")
        if writing is not None:
            await asyncio.wait([writing], timeout=LAST_WRITE_SECONDS)
        async with self._turn:
            await self._close()

    async def _run(self, work: Callable[[JournalFile], T]) -> T:
        async with self._turn:
            if self._file is None:
                raise JournalError(self._trouble or "The journal is closed.")
            try:
                return await asyncio.to_thread(work, self._file)
            except JournalError as error:
                await self._broke(error)
                raise

    async def _write(self) -> None:
        while self._news or self._touched or self._behind:
            news, self._news = self._news[:WRITTEN_AT_ONCE], self._news[WRITTEN_AT_ONCE:]
            self._touched = False
            behind, self._behind = self._behind, False
            marks = {
                name: text
                for name, text in self._standing.marks().items()
                if behind or self._written_marks.get(name) != text
            }
            everything = self._everything() if behind else None
            try:
                await self.run(lambda journal: put_down(journal, news, everything, marks))  # noqa: B023
                self._written_marks |= marks
                await self._prune()
            except JournalError:
                self._behind = True
                return
            for listener in self._listeners:
                listener()

    def _everything(self) -> tuple[list[Told], list[SavedState]]:
        told, states = [], []
        for watch, known in self._standing.states():
            answered = {item_id: state for item_id, state in known.items() if state.answered_at is not None}
            told.append(standing(watch.account, _SOURCES[watch.kind], watch.metrics, answered, self._clock()))
            states += [
                saved(item_id, watch.account, watch.kind, watch.metrics, state)
                for item_id, state in answered.items()
            ]
        return told, states

    async def _prune(self) -> None:
        hour = int(self._clock() // HOUR_SECONDS)
        if hour != self._pruned_hour:
            before = hour - int(self._keep_seconds // HOUR_SECONDS)
            await self.run(lambda journal: journal.prune(before))
            self._pruned_hour = hour

    async def _open(self) -> None:
        """Open the journal, setting aside what cannot be read; `_trouble` says what came of it."""
        if self._path is None:
            return
        try:
            self._owner = await asyncio.to_thread(Ownership, self._path.parent)
            self._file = await asyncio.to_thread(opened_journal, self._path, self._clock(), self._log)
        except JournalError as error:
            await self._broke(error)
            return
        if self._trouble is not None:
            self._log.info("the journal is written again", path=str(self._path))
        self._trouble = None
        self._show(True)  # noqa: FBT003 - the callback takes nothing else

    async def _broke(self, error: JournalError) -> None:
        """Go on without the journal, and try to open it anew after a while."""
        if self._trouble != str(error):
            self._log.error(str(error))
        self._trouble = str(error)
        self._behind = True
        self._show(False)  # noqa: FBT003 - the callback takes nothing else
        was_open = self._file is not None
        await self._close()
        if was_open and self._path is not None and isinstance(error, JournalUnreadableError):
            # What it holds is kept for whoever can mend it; what stands in memory begins a new one.
            await asyncio.to_thread(set_aside, self._path, self._clock(), self._log)
            await self._open()
        else:
            self._begin("mend", self._mend)

    async def _mend(self) -> None:
        while self._trouble is not None:
            await self._sleep(MEND_SECONDS)
            async with self._turn:
                await self._open()
        self._begin("write", self._write)

    async def _close(self) -> None:
        file, self._file = self._file, None
        owner, self._owner = self._owner, None
        if file is not None:
            await asyncio.to_thread(file.close)
        if owner is not None:
            owner.release()

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Let `work` run as the one task of that name, unless it runs already."""
        running = self._tasks.get(name)
        if running is None or running.done():
            self._tasks[name] = asyncio.create_task(work(), name=f"journal {name}")  # type: ignore[arg-type]
