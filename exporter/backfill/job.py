"""One run of a backfill: all accounts and kinds side by side, every answer kept as it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from exporter.accounts import World
from exporter.backfill.span import Span, first_hour
from exporter.backfill.spool import Spool
from exporter.backfill.walk import Findings, Keeping, Pace, Walk
from exporter.backfill.wanted import Wanted
from exporter.backfill.workplace import workplace
from exporter.config.settings import Config
from exporter.errors import JournalError
from exporter.journal import JournalFile, Told

# Called with the pace of every walk, whenever one of them moves.
Show: TypeAlias = Callable[[Sequence[Pace]], None]


@dataclass(frozen=True, slots=True)
class Store:
    """Where answers go: the daemon's journal, hours from `first_kept` on, and the spool of this backfill."""

    journal: JournalFile
    first_kept: int
    spool: Spool

    @property
    def keeping(self) -> Keeping:
        """What walks need of it."""
        return Keeping(self.spool.coverage, self._keep)

    def _keep(self, told: Told, item_ids: Sequence[str], span: Span) -> None:
        """Put an answer down in both; only then are its hours not asked for again."""
        recent = [bucket for bucket in told.buckets if bucket.hour >= self.first_kept]
        if recent:
            self.journal.write([replace(told, buckets=recent)])
        self.spool.keep(told, item_ids, span)


def first_kept_hour(now: float, keep_seconds: float) -> int:
    """The oldest hour that the daemon's journal keeps at `now`, which `history.keep` decides."""
    return first_hour(now) - first_hour(keep_seconds)


async def run_walks(
    config: Config, world: World, wanted: Sequence[Wanted], span: Span, keeping: Keeping, show: Show
) -> dict[str, Findings]:
    """Ask for everything; what came of each walk, by the name of what it was for.

    Raises:
        JournalError: an answer could not be kept; those before it are.
    """
    paces: list[Pace] = []
    async with workplace(config, world, wanted) as desks:
        walks = [
            Walk(
                each,
                span,
                desks[each.account].channels,
                desks[each.account].surroundings,
                keeping,
                workers=config.api.max_concurrency,
                show=lambda: show(paces),
            )
            for each in wanted
        ]
        paces += [walk.pace for walk in walks]
        findings = await _side_by_side([walk.run() for walk in walks])
    return {each.name: found for each, found in zip(wanted, findings, strict=True)}


async def _side_by_side(runs: Iterable[Coroutine[None, None, Findings]]) -> list[Findings]:
    broken: list[JournalError] = []
    tasks: list[asyncio.Task[Findings]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(run) for run in runs]
    except* JournalError as errors:
        broken += _leaves(errors)
    if broken:
        raise broken[0]
    return [task.result() for task in tasks]


def _leaves(errors: ExceptionGroup[JournalError]) -> Iterator[JournalError]:
    for error in errors.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
