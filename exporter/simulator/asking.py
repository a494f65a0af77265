"""One request as an endpoint sees it: who asks, when, and everything it may answer from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.simulator.http import Pairs
from exporter.simulator.knobs import Knobs
from exporter.simulator.reporting import Reporter
from exporter.simulator.world import Account, ItemStatus, World


@dataclass(frozen=True, slots=True)
class Spoil:
    """A fault that concerns items of an otherwise good answer.

    `ids` are those it befalls, the first asked for where none is named, all with `everything`. They are
    answered for with `status`, or lose their first figure to the problem called `field_problem`.
    """

    status: ItemStatus | None = None
    field_problem: str | None = None
    ids: tuple[str, ...] = ()
    everything: bool = False

    def befalls(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Those of the `asked` ids that this concerns."""
        if self.everything:
            return tuple(asked)
        return tuple(each for each in asked if each in self.ids) if self.ids else tuple(asked[:1])


@dataclass(frozen=True, slots=True)
class Asking:
    """What an endpoint needs to answer; `now` is in Unix seconds, `pairs` are the query's."""

    now: float
    account: Account
    pairs: Pairs
    knobs: Knobs
    world: World
    reporter: Reporter
    spoil: Spoil = Spoil()

    def statuses(self, asked: Sequence[str]) -> dict[str, ItemStatus]:
        """What is to be said about each of the `asked` ids; a repeated one is answered once."""
        found = {each: self.world.status(each, self.account.name, self.now) for each in asked}
        if self.spoil.status is not None:
            found.update(dict.fromkeys(self.spoil.befalls(asked), self.spoil.status))
        return found

    def withheld(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Those of the `asked` ids that lose their first figure."""
        return self.spoil.befalls(asked) if self.spoil.field_problem else ()
