"""Which samples of a batch a receiver takes: found out with few questions, and without losing one.

Receivers refuse a message as a whole and name one reason. What to send next follows from the answers before:

- Everything is sent in the order of hours, since a receiver may take nothing older than it has.
- A refused message is halved until it goes through, and doubled again with each that does. A refused sample
  costs one request of its own, and a few to find it.
- What is too old or out of bounds is so in every series, so such refusals are narrowed down to an hour, and
  the hour is given up.
- Any other refusal is narrowed down to single samples. One that is out of order or a duplicate is given up.
- One that is refused for no such reason is given up only where the receiver takes others of the batch: one
  that refuses whatever it is sent is itself at fault. After a few of them and nothing taken, a few series
  from all over the batch are tried, and if none is taken, the batch is left as it is, for later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from exporter.journal import StoredBucket
from exporter.remotewrite.series import Sample, samples_of
from exporter.selfmetrics.remote_write import SkipReason

MOST_SAMPLES: Final = 2000

# So many lone samples are refused, and then so many from elsewhere, before the receiver itself is doubted.
DOUBTS: Final = 8
_OF_TIME: Final = frozenset({SkipReason.TOO_OLD, SkipReason.OUT_OF_BOUNDS})


class Sift:
    """One batch on its way: send `portion`, tell `taken`, `refused` or `too_large`, until it is empty.

    With `stuck` the receiver takes nothing now: the batch is left, and what is not settled comes again.
    `most` bounds a portion. `cautious` is for a receiver that took nothing the last time: its first refusal
    is enough.
    """

    def __init__(
        self, buckets: Iterable[StoredBucket], *, most: int = MOST_SAMPLES, cautious: bool = False
    ) -> None:
        batch = list(buckets)
        self._rest = sorted(samples_of(batch), key=lambda sample: (sample.hour, sample.series))
        self._open = Counter(sample.bucket for sample in self._rest)
        keys = ((bucket.item_id, bucket.hour) for bucket in batch)
        self._settled = [key for key in keys if key not in self._open]
        self._size = self.most = most
        self._cautious = cautious
        self._scouts: list[Sample] = []
        self._doubtful: list[Sample] = []
        self._skipped: Counter[SkipReason] = Counter()
        self._some_taken = False
        self.stuck = False

    @property
    def portion(self) -> Sequence[Sample]:
        """What to send next; empty at the end."""
        if self.stuck:
            return ()
        return self._scouts[:1] or self._rest[: self._size]

    def settled(self) -> list[tuple[str, int]]:
        """The hours of items of which every sample was taken or given up since this was last asked."""
        settled, self._settled = self._settled, []
        return settled

    def newly_skipped(self) -> Counter[SkipReason]:
        """How many samples were given up since this was last asked, by reason."""
        skipped, self._skipped = self._skipped, Counter()
        return skipped

    def taken(self) -> None:
        """The receiver took the portion."""
        portion = self.portion
        self._remove(portion)
        self._settle(portion)
        self._some_taken = True
        self._size = min(self.most, self._size * 2)
        # The receiver is sound, so what it refused it refused with reason.
        doubtful, self._doubtful, self._scouts = self._doubtful, [], []
        self._give_up(doubtful, SkipReason.REJECTED)

    def too_large(self) -> None:
        """The receiver will never take so many at once."""
        if len(self.portion) == 1:
            self.refused(SkipReason.REJECTED)
        else:
            self._size = self.most = len(self.portion) // 2

    def refused(self, reason: SkipReason) -> None:
        """The receiver will never take all of the portion."""
        if reason in _OF_TIME:
            self._refused_for_its_time(reason)
        elif self._cautious and not self._some_taken and reason is SkipReason.REJECTED:
            self.stuck = True
        elif len(self.portion) > 1:
            self._size = len(self.portion) // 2
        else:
            self._refused_alone(self.portion[0], reason)
        if self._doubtful and not self._rest:
            self.stuck = True

    def _refused_for_its_time(self, reason: SkipReason) -> None:
        hours = sorted({sample.hour for sample in self.portion})
        if len(hours) > 1:
            first_half = hours[: len(hours) // 2]
            self._size = sum(sample.hour <= first_half[-1] for sample in self.portion)
            return
        given_up = [sample for sample in self._rest if sample.hour == hours[0]]
        self._remove(given_up)
        self._give_up(given_up, reason)
        self._scouts = []

    def _refused_alone(self, sample: Sample, reason: SkipReason) -> None:
        self._remove([sample])
        if reason is not SkipReason.REJECTED or self._some_taken:
            self._give_up([sample], reason)
        else:
            self._doubtful.append(sample)
        if self._scouts:
            self._scouts = self._scouts[1:]
            self.stuck = not self._scouts
        elif len(self._doubtful) >= DOUBTS:
            self._scouts = self._spread()
            self.stuck = not self._scouts

    def _spread(self) -> list[Sample]:
        """The first samples of a few series from all over the rest, others than those in doubt."""
        doubted = {sample.series for sample in self._doubtful}
        firsts: dict[tuple[str, str, str], Sample] = {}
        for sample in self._rest:
            if sample.series not in doubted:
                firsts.setdefault(sample.series, sample)
        series = list(firsts.values())
        return series[:: max(1, len(series) // DOUBTS)][:DOUBTS]

    def _remove(self, samples: Sequence[Sample]) -> None:
        if samples and samples[0] is self._rest[0] and samples[-1] is self._rest[len(samples) - 1]:
            del self._rest[: len(samples)]
            return
        gone = {id(sample) for sample in samples}
        self._rest = [sample for sample in self._rest if id(sample) not in gone]

    def _give_up(self, samples: Sequence[Sample], reason: SkipReason) -> None:
        if samples:
            self._skipped[reason] += len(samples)
            self._settle(samples)

    def _settle(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self._open[sample.bucket] -= 1
            if not self._open[sample.bucket]:
                self._settled.append(sample.bucket)
