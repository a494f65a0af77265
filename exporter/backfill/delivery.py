"""Handing hours on by remote write: everything in the spool, the oldest first, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from prometheus_client.registry import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from exporter.accounts import World
from exporter.backfill.walk import Pace
from exporter.config.settings import RemoteWriteSettings
from exporter.journal import JournalFile
from exporter.remotewrite.receiver import open_receiver_http
from exporter.remotewrite.sender import Sender
from exporter.remotewrite.surroundings import Surroundings
from exporter.selfmetrics.remote_write import RemoteWriteMetrics, SkipReason

T = TypeVar("T")

_LOOK_SECONDS = 1.0


async def deliver(
    settings: RemoteWriteSettings,
    file: JournalFile,
    world: World,
    log: FilteringBoundLogger,
    show: Callable[[Pace], None],
) -> tuple[int, Counter[SkipReason]]:
    """Send every complete hour in `file`, however long the receiver is down; what was sent is not sent again.

    Returns how many samples the receiver took and how many it refused for good, by reason. After a refusal
    all of it is sent again the next time, since that is what whoever has mended the receiver wants.

    Raises:
        JournalError: the file cannot be read or written.
    """

    async def run(work: Callable[[JournalFile], T], /) -> T:
        return work(file)

    metrics = RemoteWriteMetrics(CollectorRegistry(), world.clock)
    surroundings = Surroundings(world.clock, world.sleep, world.random, open_receiver_http, log)
    sender = Sender(settings, run, surroundings, metrics)
    file.open_outbox(0)
    pace = Pace("remote write", total=file.outbox_size()[0])
    watching = asyncio.create_task(_watch(sender, file, pace, show))
    try:
        await sender.drain()
    finally:
        watching.cancel()
    if sender.progress.skipped:
        file.close_outbox()
    return sender.progress.taken, sender.progress.skipped


async def _watch(sender: Sender, file: JournalFile, pace: Pace, show: Callable[[Pace], None]) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        pace.done = pace.total - file.outbox_size()[0]
        pace.waits_for = "the receiver" if sender.progress.error else ""
        show(pace)
