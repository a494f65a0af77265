"""When each feed is polled: aligned to the UTC hour, never twice at a time, missed polls made up once."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger


def next_due(now: float, every_seconds: float, offset_seconds: float) -> float:
    """The first aligned time after `now`: a multiple of `every_seconds` since the epoch, plus the offset.

    All in Unix seconds. The epoch lies on a UTC midnight, so hours and days are aligned too.
    """
    turns = math.floor((now - offset_seconds) / every_seconds) + 1
    return turns * every_seconds + offset_seconds


class AlignedTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler 3 carries no types
    """Fires at every aligned time; unlike an interval it stays aligned after an unaligned first run."""

    def __init__(self, every_seconds: float, offset_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._offset_seconds = offset_seconds

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """APScheduler's question; the answer lies after the previous run, or after now for the first."""
        after = (previous_fire_time or now).timestamp()
        return datetime.fromtimestamp(next_due(after, self._every_seconds, self._offset_seconds), UTC)


class Schedule:
    """Runs jobs with APScheduler; a job is an awaitable that is awaited to its end."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to run what is due; needs a running event loop."""
        self._scheduler.start()

    def every(
        self, name: str, job: Callable[[], Awaitable[object]], every_seconds: float, offset_seconds: float
    ) -> None:
        """Run `job` at every aligned time from the next one on, in place of an earlier job of that name."""
        self._scheduler.add_job(
            job, AlignedTrigger(every_seconds, offset_seconds), id=name, replace_existing=True
        )

    def once(self, job: Callable[[], Awaitable[object]]) -> None:
        """Run `job` now, one time."""
        self._scheduler.add_job(job)

    def names(self) -> set[str]:
        """The names of the jobs that run every so often."""
        return {job.id for job in self._scheduler.get_jobs() if isinstance(job.trigger, AlignedTrigger)}

    def remove(self, name: str) -> None:
        """Run the named job no more; one that is running ends by itself."""
        self._scheduler.remove_job(name)

    def next_run(self, name: str) -> float | None:
        """When the named job runs next, Unix seconds."""
        job: Job | None = self._scheduler.get_job(name)
        return None if job is None or job.next_run_time is None else job.next_run_time.timestamp()

    def stop(self) -> None:
        """Start nothing any more; jobs that are running are cancelled. Stopping twice does no harm."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
