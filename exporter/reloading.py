"""Reading the configuration again while the daemon runs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from exporter.config.cautions import cautions
from exporter.config.settings import Config
from exporter.engine import Engine
from exporter.errors import ConfigError

# Nothing is polled: this only bounds how long the watcher's thread may outlive a stop.
WATCHER_WAKES_MS = 60_000


class Reloader:
    """Loads the configuration with `load` and lets `engine` go on with it, one reload at a time.

    A configuration with faults changes nothing but what says so: the log, and
    `x_exporter_config_last_reload_successful`. `clock` gives Unix seconds. Each reload is done within a
    context of `around`. What else depends on the configuration is given it by `also`.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        engine: Engine,
        log: FilteringBoundLogger,
        clock: Callable[[], float],
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        also: Callable[[Config], Awaitable[None]] | None = None,
    ) -> None:
        self._load = load
        self._engine = engine
        self._log = log
        self._clock = clock
        self._around = around
        self._also = also
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self, config: Config) -> None:
        """Let the engine begin with `config`, which has been loaded already."""
        await self._apply(config)
        self._succeeded(config)

    async def reload(self) -> list[str]:
        """Load and apply the configuration; the faults that prevented it, none when it succeeded."""
        async with self._turn:
            with self._around():
                return await self._reload()

    async def _reload(self) -> list[str]:
        try:
            config = await asyncio.to_thread(self._load)
        except ConfigError as error:
            self._engine.metrics.config_last_reload_successful.set(0)
            faults = [str(fault) for fault in error.faults]
            self._log.error(
                "configuration not reloaded, the old one stays", faults=len(faults), first=faults[0]
            )
            return faults
        await self._apply(config)
        self._succeeded(config)
        items = sum(len(account.items) for account in config.accounts)
        self._log.info("configuration reloaded", accounts=len(config.accounts), items=items)
        return []

    async def _apply(self, config: Config) -> None:
        await self._engine.apply(config)
        if self._also is not None:
            await self._also(config)

    def request(self) -> None:
        """Reload soon, from a signal handler."""
        task = asyncio.create_task(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def watch(self, file: Path) -> None:
        """Reload whenever the content of `file` changes, until cancelled.

        The folder is watched, not the file: editors and Kubernetes put a new file in its place.
        """
        from watchfiles import awatch  # noqa: PLC0415 - few want this, and it costs each of them memory

        content = await asyncio.to_thread(_digest, file)
        folders = await asyncio.to_thread(_folders, file)
        changes = awatch(
            *folders,
            recursive=False,
            rust_timeout=WATCHER_WAKES_MS,
            debounce=200,
            ignore_permission_denied=True,
        )
        async for _ in changes:
            now = await asyncio.to_thread(_digest, file)
            if now not in (None, content):
                content = now
                await self.reload()

    def _succeeded(self, config: Config) -> None:
        for caution in cautions(config):
            self._log.warning(caution)
        self._engine.metrics.config_last_reload_successful.set(1)
        self._engine.metrics.config_last_reload_success_timestamp_seconds.set(self._clock())


def _digest(file: Path) -> bytes | None:
    """What tells one content of `file` from another; None while there is no such file."""
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return None


def _folders(file: Path) -> set[Path]:
    """Where a change of `file` shows: where its name is, and where the link that it may be leads."""
    return {file.parent, file.resolve().parent}
