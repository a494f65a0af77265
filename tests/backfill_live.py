"""A backfill as a process: a simulated X that listens, a configuration that asks it, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.backfill.span import Span, hour_text
from exporter.journal import BucketState, JournalFile
from exporter.simulator import Account, Knobs, Simulator
from exporter.simulator import World as SimWorld
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import mint
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS

HOUR = 3600
TOKEN = "token-of-brand"
MEDIA_NAMES = tuple(metric.name for metric in MEDIA_METRICS)
POST_NAMES = tuple(metric.name for metric in POST_METRICS)


@dataclass(frozen=True, slots=True)
class Stage:
    """A simulated X that listens, and a configuration that asks it."""

    x: Simulator
    folder: Path
    config: Path
    media: Sequence[str]
    posts: Sequence[str]
    span: Span
    media_metrics: Sequence[str]

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal" / "journal.sqlite3"

    @property
    def spools(self) -> list[Path]:
        return sorted(self.journal.parent.glob("backfill-*.sqlite3"))

    def arguments(self, *flags: str, span: Span | None = None) -> list[str]:
        asked = span or self.span
        times = ["--start", hour_text(asked.first), "--end", hour_text(asked.end)]
        return ["backfill", "--config.file", str(self.config), *times, *flags]

    def truth(self, span: Span) -> dict[tuple[str, str, int], int]:
        """Every figure of `span` by item, metric and hour."""
        return {
            (item_id, metric, hour): amount
            for ids, metrics in ((self.media, self.media_metrics), (self.posts, POST_NAMES))
            for item_id in ids
            for metric in metrics
            for hour in range(span.first, span.end)
            if (amount := self.x.truth(item_id, metric, hour * HOUR)) is not None
        }

    def kept(self) -> dict[tuple[str, str, int], float]:
        """Every figure in the daemon's journal; all of them complete."""
        journal = JournalFile.open(self.journal, time.time())
        try:
            buckets = list(journal.buckets())
        finally:
            journal.close()
        assert {bucket.state for bucket in buckets} <= {BucketState.COMPLETE}
        return {
            (bucket.item_id, metric, bucket.hour): value
            for bucket in buckets
            for metric, value in zip(bucket.metrics, bucket.figures, strict=True)
            if value == value  # noqa: PLR0124 - NaN alone differs from itself
        }


@contextmanager
def staged(
    folder: Path,
    *,
    media: int = 0,
    posts: int = 0,
    days: float = 50 / 24,
    media_metrics: Sequence[str] = MEDIA_NAMES,
    top: str = "",
    knobs: Knobs | None = None,
) -> Iterator[Stage]:
    """A stage with items that are `days` old, and a span that is one hour longer than that."""
    now_hour = int(time.time() // HOUR)
    ids = [mint((now_hour - days * 24) * HOUR, number) for number in range(media + posts)]
    keys, numbers = [f"13_{each}" for each in ids[:media]], [str(each) for each in ids[media:]]
    world = SimWorld((Account("brand", "1", "brand", (TOKEN,)),), any_id=True)
    with Served(Simulator(world, clock=time.time, knobs=knobs)) as served:
        lines = [f"api: {{base_url: '{served.base_url}', max_concurrency: 2}}", top]
        lines += ["accounts:", "  - name: brand", f"    auth: {{bearer_token: {TOKEN}}}"]
        lines += [f"    media_metrics: [{', '.join(media_metrics)}]"]
        lines += ["    media:", *(f"      - '{each}'" for each in keys)] if keys else []
        lines += ["    posts:", *(f"      - '{each}'" for each in numbers)] if numbers else []
        config = folder / "config.yaml"
        config.write_text("\n".join([*lines, ""]), encoding="utf-8")
        span = Span(now_hour - int(days * 24) - 1, now_hour)
        yield Stage(served.simulator, folder, config, keys, numbers, span, media_metrics)
