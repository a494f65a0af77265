"""What of a channel outlives the process, as text."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from exporter.xapi.failures import Failure


@dataclass(frozen=True, slots=True)
class Kept:
    """All that X has taught a channel.

    `ledger` and `patience` are what those of that name keep. `failure` and `probe_at` are set while the
    endpoint is parked, Unix seconds.
    """

    ledger: dict[str, object]
    failure: Failure | None
    probe_at: float | None
    labels_name_ends: bool
    patience: dict[str, dict[str, float]]

    def text(self) -> str:
        """As text, for `read`."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, text: str) -> Kept | None:
        """What `text` gave before, None for a text that cannot be read."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return None
