"""What one answer gives the journal to write: only the hours that it changed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from exporter.figures.hours import Hours, in_full_for, whole_rows
from exporter.figures.state import ItemState
from exporter.figures.window import AnswerHours, AnswerWindow, ToldHours
from exporter.journal import Bucket, BucketState, SavedState, Told
from exporter.model import Answer, Endpoint, ItemReport, Kind, has_number
from exporter.vocabulary import Metric, wire_name


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer of X, and the states of the items it was asked about, before and after it."""

    account: str
    endpoint: Endpoint
    metrics: tuple[Metric, ...]
    answer: Answer
    window: AnswerWindow
    before: Mapping[str, ItemState]
    after: Mapping[str, ItemState]

    @property
    def kind(self) -> Kind:
        """What the items are."""
        return self.endpoint.kind

    def told(self) -> Told:
        """The buckets that say something new: whole hours, and those cut or still running."""
        hours = AnswerHours(self.window)
        buckets = [
            bucket
            for report in self.answer.reports
            if report.id in self.after
            for bucket in self._buckets(report, self.before.get(report.id), hours)
        ]
        metrics, buckets = self._had(buckets)
        names = tuple(metric.name for metric in metrics)
        return Told(self.account, self.kind, self.endpoint.value, names, self.window.received_at, buckets)

    def _had(self, buckets: list[Bucket]) -> tuple[Sequence[Metric], list[Bucket]]:
        """The metrics that the endpoint has, and `buckets` of those: of others it takes nothing back."""
        has = [wire_name(metric, self.endpoint) is not None for metric in self.metrics]
        if all(has):
            return self.metrics, buckets
        cut = [replace(each, figures=array("d", compress(each.figures, has))) for each in buckets]
        return list(compress(self.metrics, has)), cut

    def states(self) -> list[SavedState]:
        """What stands of the items beside their hours."""
        return [
            saved(item_id, self.account, self.kind, self.metrics, state)
            for item_id, state in self.after.items()
        ]

    def _buckets(self, report: ItemReport, before: ItemState | None, hours: AnswerHours) -> Iterator[Bucket]:
        known = None if before is None else before.hours
        width = len(self.metrics)
        report = in_full_for(known, report)
        for hour, row in _news(known, report, width, hours.told(report.starts)):
            yield Bucket(report.id, hour, row, BucketState.COMPLETE)
        for index, hour, is_cut in hours.parts(report.starts):
            row = report.values[index * width : (index + 1) * width]
            if has_number(row) and not (is_cut and _known(known, hour) is not None):
                yield Bucket(report.id, hour, row, BucketState.CUT if is_cut else BucketState.RUNNING)


def saved(
    item_id: str, account: str, kind: Kind, metrics: tuple[Metric, ...], state: ItemState
) -> SavedState:
    """`state` as the journal keeps it, without its hours."""
    names = tuple(metric.name for metric in metrics)
    return SavedState(item_id, account, kind, state.up, names, state.total, state.answered_at, state.problems)


def standing(
    account: str, endpoint: Endpoint, metrics: tuple[Metric, ...], states: Mapping[str, ItemState], now: float
) -> Told:
    """All hours known of some items, for a journal that has missed answers."""
    names = tuple(metric.name for metric in metrics)
    buckets = [
        Bucket(item_id, hour, row, BucketState.COMPLETE)
        for item_id, state in states.items()
        if state.hours is not None
        for hour, row in state.hours.rows()
        if has_number(row)
    ]
    return Told(account, endpoint.kind, endpoint.value, names, now, buckets)


def _news(
    known: Hours | None, report: ItemReport, width: int, told: ToldHours
) -> Iterator[tuple[int, array[float]]]:
    """The whole hours of `report` that say something else than is known."""
    told = _shortened(known, report, width, told)
    for hour, row in whole_rows(report, width, told).items():
        old = _known(known, hour)
        said_before = old is not None and has_number(old)
        if (has_number(row) or said_before) and (old is None or old.tobytes() != row.tobytes()):
            yield hour, row


def _shortened(known: Hours | None, report: ItemReport, width: int, told: ToldHours) -> ToldHours:
    """`told` without the hours that are as they were, where that is seen at one look: the usual case."""
    if known is None or not told.is_run:
        return told
    first, row = told.rows[0]
    same = min(known.last, told.rows[-1][0]) + 1 - first
    if same <= 0 or first < known.first:
        return told
    telling = report.values[row * width : (row + same) * width]
    if telling.tobytes() != known.between(first, first + same - 1).tobytes():
        return told
    return ToldHours(told.rows[same:], told.is_run)


def _known(hours: Hours | None, hour: int) -> array[float] | None:
    if hours is None or not hours.first <= hour <= hours.last:
        return None
    return hours.between(hour, hour)
