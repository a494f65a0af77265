"""`backfill`: hours of the past, asked of X, kept in the journal, and handed on at their own times."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from exporter.accounts import World
from exporter.backfill.coverage import Coverage
from exporter.backfill.delivery import deliver
from exporter.backfill.files import check_writable
from exporter.backfill.job import Store, first_kept_hour, run_walks
from exporter.backfill.openmetrics import write_openmetrics
from exporter.backfill.planning import BackfillPlan, backfill_plan
from exporter.backfill.span import Span, span_between
from exporter.backfill.spool import Spool, journal_path, spool_path
from exporter.backfill.wanted import Wanted, wanted_of
from exporter.commands.backfill_report import Display, explain, print_plan
from exporter.config.load import load_config
from exporter.config.settings import Config
from exporter.daemon import stop_signal
from exporter.journal import JournalFile
from exporter.logs import build_logger
from exporter.model import Kind
from exporter.reality import real_world

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BackfillFlags:
    """The flags of `backfill`; `start` and `end` are Unix seconds."""

    config_file: Path
    start: float
    end: float
    account: str | None
    ids: tuple[str, ...]
    output: Path | None
    remote_write: bool
    dry_run: bool

    @property
    def hands_on(self) -> bool:
        """Whether the figures go anywhere but into the journal."""
        return self.output is not None or self.remote_write


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be done: `span` as the arguments name it, `asked` as far as its hours are kept anywhere."""

    flags: BackfillFlags
    config: Config
    wanted: Sequence[Wanted]
    span: Span
    asked: Span
    first_kept: int

    @property
    def spool_path(self) -> Path:
        """Where an earlier run with the same arguments has left what it had."""
        keeps_figures = self.flags.hands_on
        return spool_path(self.config.state_dir, self.wanted, self.span, keeps_figures=keeps_figures)

    def plan(self, coverage: Coverage) -> BackfillPlan:
        """What is still to be asked."""
        return backfill_plan(self.wanted, self.asked, coverage, self.config.api.max_concurrency)


def backfill(flags: BackfillFlags, environ: Mapping[str, str]) -> int:
    """Ask for everything, keep it, hand it on; 0 when nothing is missing, else 1.

    Raises:
        ConfigError: the configuration is wrong.
        click.UsageError: the arguments ask for what there is not.
        JournalError: the journal or the spool cannot be used.
        StartError: the file of `--output` cannot be written.
    """
    config, world = load_config(flags.config_file, environ), real_world()
    task = _task(flags, config, world.clock())
    if flags.dry_run:
        print_plan(task.plan(_coverage(task, world.clock())), task.asked)
        return 0
    if flags.output is not None:
        check_writable(flags.output)
    with ExitStack() as opened:
        now = world.clock()
        spool = opened.enter_context(Spool(task.spool_path, now, keeps_figures=flags.hands_on))
        journal = JournalFile.open(journal_path(config.state_dir), now)
        opened.callback(journal.close)
        print_plan(task.plan(spool.coverage), task.asked)
        try:
            is_whole = _done(task, world, Store(journal, task.first_kept, spool))
        except _StoppedError:
            click.echo("Stopped. What was had is kept: the same command goes on from here.", err=True)
            return 1
        if is_whole:
            spool.remove()
    return 0 if is_whole else 1


class _StoppedError(Exception):
    """A signal came before all was done."""


def _done(task: _Task, world: World, store: Store) -> bool:
    """Ask, hand on, and say what is missing; whether nothing is."""
    with Display(world.monotonic) as display:
        findings = asyncio.run(
            _until_stopped(
                run_walks(task.config, world, task.wanted, task.asked, store.keeping, display.show)
            )
        )
    rows = sum(found.rows for found in findings.values())
    click.echo(f"X gave figures for {rows:,} hours of items.")
    is_delivered = _hand_on(task, world, store.spool)
    return explain(findings, task.wanted) and is_delivered


async def _until_stopped(work: Coroutine[None, None, T]) -> T:
    """Do `work`, unless a signal ends it.

    Raises:
        _StoppedError: it was not done.
    """
    stopping, working = asyncio.create_task(stop_signal().wait()), asyncio.create_task(work)
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _StoppedError
        return await working
    finally:
        for each in (working, stopping):
            each.cancel()
        # What must not be dropped, a refresh of tokens, is waited for.
        await asyncio.gather(working, stopping, return_exceptions=True)


def _task(flags: BackfillFlags, config: Config, now: float) -> _Task:
    if flags.output is not None and flags.remote_write:
        raise click.UsageError("--output and --remote-write exclude each other; run it twice to have both")
    if flags.remote_write and config.remote_write is None:
        raise click.UsageError(f"--remote-write: `remote_write` is not in {config.file}; add its `url` there")
    try:
        wanted = wanted_of(config, flags.account, flags.ids)
        span = span_between(flags.start, flags.end, now, _settle(flags, config))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    first_kept = first_kept_hour(now, config.history.keep_seconds)
    if flags.hands_on or first_kept <= span.first:
        return _Task(flags, config, wanted, span, span, first_kept)
    kept = Span(first_kept, span.end)
    told = f"The journal keeps hours from {kept.text_of_first} on (`history.keep`)"
    if kept.hours <= 0:
        raise click.UsageError(
            f"{told}, so that nothing of {span} would be kept; give --output or --remote-write"
        )
    click.echo(
        f"{told}; older ones are left out, since neither --output nor --remote-write is given.", err=True
    )
    return _Task(flags, config, wanted, span, kept, first_kept)


def _settle(flags: BackfillFlags, config: Config) -> tuple[float, str]:
    """How long after its end an hour may be asked for, in seconds, and the key that says so."""
    settles = [(config.poll.settle_seconds, "poll.settle")]
    if flags.remote_write and config.remote_write is not None:
        settles.append((config.remote_write.settle_seconds, "remote_write.settle"))
    return max(settles)


def _coverage(task: _Task, now: float) -> Coverage:
    """What an earlier run has had, without leaving anything behind where there was none."""
    if not task.spool_path.exists():
        return Coverage()
    with Spool(task.spool_path, now, keeps_figures=task.flags.hands_on) as spool:
        return spool.coverage


def _hand_on(task: _Task, world: World, spool: Spool) -> bool:
    """Bring the figures where the flags want them; whether all of them are there."""
    remote = task.config.remote_write
    if task.flags.output is not None:
        ids = {
            kind: [item.id for each in task.wanted if each.kind is kind for item in each.items]
            for kind in Kind
        }
        external = dict(remote.external_labels) if remote else {}
        samples = write_openmetrics(task.flags.output, spool.file, ids, external)
        click.echo(f"{task.flags.output} has {samples:,} samples.")
    if not task.flags.remote_write or remote is None:
        return True
    with Display(world.monotonic) as display:
        log = build_logger("warning", "logfmt")
        sending = deliver(remote, spool.file, world, log, lambda pace: display.show([pace]))
        taken, refused = asyncio.run(_until_stopped(sending))
    click.echo(f"{remote.address} took {taken:,} samples.")
    if refused:
        click.echo(
            f"It refused {refused.total():,} for good. Once it is mended, the same command sends all of them"
            f" again and asks nothing of X. To let it be, delete {task.spool_path}.",
            err=True,
        )
    return not refused
