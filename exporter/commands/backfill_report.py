"""What `backfill` prints: what it will ask, how far it is, and what it could not have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from exporter.backfill.planning import BackfillPlan, duration_words
from exporter.backfill.span import Span
from exporter.backfill.walk import Findings, Missed, Pace
from exporter.backfill.wanted import Wanted
from exporter.commands.console import plain_console
from exporter.plan import KNOWN_LIMIT
from exporter.xapi.failure_words import shown

# Without a terminal a line is printed at most so often.
LINE_SECONDS = 30.0
# A list of ids names so many.
_MOST_IDS = 5


def print_plan(plan: BackfillPlan, span: Span) -> None:
    """Say what will be asked of X and about how long it takes."""
    console = plain_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("account", "endpoint"):
        table.add_column(heading)
    for heading in ("items", "requests", "rows"):
        table.add_column(heading, justify="right")
    for walk in plan.walks:
        figures = (walk.items, walk.requests, walk.rows)
        table.add_row(walk.account, walk.endpoint.value, *(f"{figure:,}" for figure in figures))
    console.print(f"{span}, {span.hours:,} hours:\n")
    console.print(table)
    if plan.had:
        console.print(f"\nAn earlier run has had {plan.had:,} requests of it; this one goes on from there.")
    console.print(
        f"\n{plan.requests:,} requests for up to {plan.rows:,} hours of items, about"
        f" {duration_words(plan.seconds)}. Known limit: {KNOWN_LIMIT} requests per 15 minutes, account and"
        " endpoint; X's own headers are obeyed where they say less."
    )


class Display:
    """Shows how far the walks are: bars on a terminal, else a line now and then, on standard error."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_line = monotonic()
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[waits]}"),
            console=Console(stderr=True, markup=False, emoji=False, highlight=False),
            transient=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        """Begin to show."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def show(self, paces: Sequence[Pace]) -> None:
        """The walks are so far now."""
        if self._progress.disable:
            self._print_line(paces)
            return
        for pace in paces:
            if pace.name not in self._bars:
                self._bars[pace.name] = self._progress.add_task(pace.name, waits="")
            bar, waits = self._bars[pace.name], _waits(pace)
            self._progress.update(bar, completed=pace.done, total=pace.total, waits=waits)

    def _print_line(self, paces: Sequence[Pace]) -> None:
        now = self._monotonic()
        if now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            told = (f"{pace.name} {pace.done} of {pace.total}{_waits(pace)}" for pace in paces)
            click.echo("; ".join(told), err=True)


def explain(findings: Mapping[str, Findings], wanted: Sequence[Wanted]) -> bool:
    """Say on standard error what could not be had; whether nothing is missing."""
    names = {item.id: item.name for each in wanted for item in each.items}
    is_whole = True
    for walk, found in findings.items():
        for item_id, problem in (found.refused | found.complaints).items():
            told = f"{names.get(item_id, item_id)} ({item_id}): {problem.type}: {shown(problem.detail)}"
            click.echo(told, err=True)
        for missed in joined(found.missed):
            click.echo(f"{walk}: not had: {missed.span}, {_named(missed.item_ids)}: {missed.why}", err=True)
        is_whole = is_whole and not found.missed and not found.refused
    if not is_whole:
        click.echo("The same command asks again for what is missing, and for nothing else.", err=True)
    return is_whole


def joined(missed: Sequence[Missed]) -> list[Missed]:
    """Hours of the same items that follow one another, missed for the same reason, told as one."""
    found: list[Missed] = []
    for each in sorted(missed, key=lambda one: (one.why, one.item_ids, one.span.first)):
        last = found[-1] if found else None
        if last and (last.why, last.item_ids, last.span.end) == (each.why, each.item_ids, each.span.first):
            found[-1] = Missed(Span(last.span.first, each.span.end), each.item_ids, each.why)
        else:
            found.append(each)
    return found


def _waits(pace: Pace) -> str:
    return f", waiting for {pace.waits_for}" if pace.waits_for else ""


def _named(ids: Sequence[str]) -> str:
    rest = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(ids[:_MOST_IDS]) + rest
