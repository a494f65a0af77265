"""`poll`: everything once, printed."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from exporter.accounts import World
from exporter.board import Board, Watch
from exporter.commands.console import plain_console
from exporter.config.load import load_config
from exporter.config.settings import Config
from exporter.daemon import build_engine
from exporter.engine import Engine
from exporter.figures.state import ItemState
from exporter.logs import silent_logger
from exporter.model import Item, Kind
from exporter.polling.results import PollResult
from exporter.reality import real_world
from exporter.vocabulary import Metric
from exporter.xapi.failure_words import shown as fit_to_show
from exporter.xapi.failures import Failure

# What a table has room for; the other outputs have everything.
HEADLINES = {
    Kind.MEDIA: ("video_views", "playback_start", "playback_complete", "watch_time_ms"),
    Kind.POST: ("impressions", "engagements", "likes", "replies", "retweets"),
}


def poll(config_file: Path, output: str, environ: Mapping[str, str]) -> int:
    """Poll everything once and print it as `output`: table, json or openmetrics.

    Returns 0 when every item had data, else 1.

    Raises:
        ConfigError: the configuration is wrong.
    """
    config = load_config(config_file, environ)
    engine, results = asyncio.run(poll_all(config, real_world()))
    _PRINTERS[output](engine)
    _explain(engine, results)
    complete = all(engine.board.state(item.id).up for watch in engine.watches for item in watch.items)
    return 0 if complete else 1


async def poll_all(config: Config, world: World) -> tuple[Engine, list[PollResult]]:
    """Poll everything once; the engine then holds the figures. Progress shows on a terminal."""
    engine = build_engine(world, silent_logger())
    await engine.apply(config)
    bar = Progress(
        TextColumn("polling"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("items"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("", total=sum(len(watch.items) for watch in engine.watches))
        try:
            results = await engine.poll_once(lambda done: bar.advance(task, done))
        finally:
            await engine.stop()
    return engine, results


def _print_table(engine: Engine) -> None:
    console = plain_console()
    for watch in engine.watches:
        console.print(_table(watch, engine.board))
        console.print()


def _table(watch: Watch, board: Board) -> Table:
    wanted = {metric.name: metric for metric in watch.metrics}
    shown = [wanted[name] for name in HEADLINES[watch.kind] if name in wanted] or list(watch.metrics[:4])
    table = Table(title=f"{watch.account}: {watch.kind}", title_justify="left", box=None, pad_edge=False)
    for heading in ("name", "id", "hour (UTC)"):
        table.add_column(heading)
    for metric in shown:
        table.add_column(metric.name, justify="right")
    table.add_column(f"{shown[0].name} 28h", justify="right")
    table.add_column("hours", justify="right")
    for item in watch.items:
        table.add_row(item.name, item.id, *_cells(board.state(item.id), watch.metrics, shown))
    return table


def _cells(state: ItemState, metrics: Sequence[Metric], shown: Sequence[Metric]) -> Iterator[str]:
    if state.hours is None:
        yield "no data" if state.up is False else "not answered" if state.up is None else "no complete hour"
        return
    yield _hour(state.hours.shown_start_seconds)
    for metric in shown:
        yield _cell(state.hours.shown[metrics.index(metric)])
    yield _cell(state.hours.sums[metrics.index(shown[0])]) if shown[0].additive else ""
    yield str(state.hours.covered)


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}"


def _hour(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _print_json(engine: Engine) -> None:
    items = [
        _described(item, engine.board.state(item.id), watch.metrics)
        for watch in engine.watches
        for item in watch.items
    ]
    click.echo(json.dumps({"items": items}, indent=2, ensure_ascii=False))


def _described(item: Item, state: ItemState, metrics: Sequence[Metric]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": item.id,
        "kind": item.kind.value,
        "account": item.account,
        "name": item.name,
        "labels": dict(item.labels),
        "up": state.up,
    }
    if state.hours is not None:
        sums = [
            total if metric.additive else math.nan
            for metric, total in zip(metrics, state.hours.sums, strict=True)
        ]
        described |= {
            "hour_start_timestamp_seconds": state.hours.shown_start_seconds,
            "hour": _numbers(metrics, state.hours.shown),
            "28h": _numbers(metrics, sums),
            "28h_buckets": state.hours.covered,
        }
    if state.total is not None:
        described["28h_reported"] = _numbers(metrics, state.total)
    if state.problems:
        described["problems"] = [
            {"type": problem.type.value, "detail": fit_to_show(problem.detail)} for problem in state.problems
        ]
    return described


def _numbers(metrics: Sequence[Metric], row: Sequence[float]) -> dict[str, float]:
    return {
        metric.name: int(value) if value.is_integer() else value
        for metric, value in zip(metrics, row, strict=True)
        if not math.isnan(value)
    }


def _print_openmetrics(engine: Engine) -> None:
    click.echo(engine.page.text(None, b"# EOF\n"), nl=False)


_PRINTERS = {"table": _print_table, "json": _print_json, "openmetrics": _print_openmetrics}


def _explain(engine: Engine, results: Sequence[PollResult]) -> None:
    """Say on standard error why figures are missing."""
    for result in results:
        for failure in {failure.reason: failure for failure in result.failures.values()}.values():
            click.echo(f"{result.account}, {result.endpoint}: {failure.sentence}{_words(failure)}", err=True)
    for watch in engine.watches:
        for item in watch.items:
            for why in _why(engine.board.state(item.id)):
                click.echo(f"{item.name} ({item.id}): {why}", err=True)


def _words(failure: Failure) -> str:
    if not failure.detail:
        return ""
    # Without a status it was not X that spoke.
    return f" X said: {failure.detail}" if failure.code.isdecimal() else f" ({failure.detail})"


def _why(state: ItemState) -> Iterator[str]:
    """What X complained of, or that it gave no data without a word; nothing where there is data."""
    for problem in state.problems:
        yield f"{problem.type}: {fit_to_show(problem.detail)}"
    if state.up is False and not state.problems:
        yield "X answered without data for it"
