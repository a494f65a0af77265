"""Who is told of what comes in; polling tells it and need not know what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from exporter.recording.entries import Heard


class Record(Protocol):
    """Takes down what X says; no method raises, and only `room` waits."""

    def heard(self, heard: Heard) -> None:
        """An answer has been shown."""

    def forgotten(self, item_ids: Iterable[str], first_hour: int) -> None:
        """What was known of items from `first_hour` on (hours since the epoch) turned out to be wrong."""

    def touched(self) -> None:
        """Something to be kept over a restart has changed: a limit, a failure, a poll begun."""

    async def room(self) -> None:
        """Wait while much that was heard is still to be put down: until then it fills memory."""


class Unrecorded:
    """Keeps nothing, where there is no journal."""

    def heard(self, heard: Heard) -> None:
        """Pass over it."""

    def forgotten(self, item_ids: Iterable[str], first_hour: int) -> None:
        """Pass over it."""

    def touched(self) -> None:
        """Pass over it."""

    async def room(self) -> None:
        """Go on at once."""
