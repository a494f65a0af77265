"""What one answer to a slice says: whole hours for the journal, and items it has nothing for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from exporter.backfill.slices import Slice
from exporter.backfill.wanted import Wanted, born_hour
from exporter.figures.hours import whole_rows
from exporter.figures.window import AnswerHours
from exporter.journal import Bucket, BucketState, Told
from exporter.model import HOUR_SECONDS, Answer, Endpoint, Item, ItemProblem, has_number
from exporter.polling.complaints import PASSING
from exporter.polling.exchange import Answered
from exporter.vocabulary import wire_name


def told_of(wanted: Wanted, endpoint: Endpoint, asked: Slice, answered: Answered) -> Told:
    """The whole hours that an answer has any number for.

    An hour off the slice, or not over when X answered, is left out. So is one without a number, and every
    metric that the endpoint does not have: X saying nothing must not hide what it said before.
    """
    hours, width, ids = AnswerHours(answered.window), len(wanted.metrics), set(asked.ids)
    columns = [place for place, metric in enumerate(wanted.metrics) if wire_name(metric, endpoint)]
    buckets = [
        Bucket(report.id, hour, array("d", [row[place] for place in columns]), BucketState.COMPLETE)
        for report in answered.answer.reports
        if report.id in ids
        for hour, row in sorted(whole_rows(report, width, hours.told(report.starts)).items())
        if has_number(row)
    ]
    names = tuple(wanted.metrics[place].name for place in columns)
    return Told(wanted.account, wanted.kind, endpoint.value, names, answered.window.received_at, buckets)


@dataclass(slots=True)
class Labels:
    """Whether the historical endpoint labels hours by their end, which nobody public has shown.

    The 28-hour one betrays it by a label in the future. Here the first and the last label of a whole slice
    do, of items that are older than the slice.
    """

    name_ends: bool = False

    def learn(self, asked: Slice, answered: Answered) -> Answered:
        """`answered` with its labels read as this and earlier answers show they are meant."""
        old = {item.id for item in asked.items if born_hour(item) < asked.span.first}
        reports = (report for report in answered.answer.reports if report.id in old)
        labels = {label for report in reports for label in report.starts}
        start, end = asked.bounds.start, asked.bounds.end
        if start in labels:
            self.name_ends = False
        elif end in labels and min(labels) == start + HOUR_SECONDS:
            self.name_ends = True
        return replace(answered, window=replace(answered.window, labels_name_ends=self.name_ends))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the items of one slice fared.

    `answered` are those that are done with, whether X had figures or not. `again` are those that X had a
    passing fault with, and may tell of a moment later. `refused` are the problems of those that X gave
    nothing for and complained of. `complaints` are about items that it gave figures for none the less.
    """

    answered: list[Item] = field(default_factory=list)
    again: list[Item] = field(default_factory=list)
    refused: dict[str, ItemProblem] = field(default_factory=dict)
    complaints: dict[str, ItemProblem] = field(default_factory=dict)


def outcome_of(asked: Slice, answer: Answer, *, is_last: bool) -> Outcome:
    """Sort the items of `asked` by what `answer` says of them.

    With `is_last` an item is taken as it is told, passing faults or not.
    """
    outcome, problems = Outcome(), _by_id(answer.problems)
    told = {report.id for report in answer.reports if report.carries_data}
    for item in asked.items:
        said = problems.get(item.id, [])
        if any(problem.type in PASSING for problem in said) and not (is_last and item.id in told):
            outcome.again.append(item)
        elif said and item.id not in told:
            outcome.refused[item.id] = said[0]
        else:
            outcome.answered.append(item)
            if said:
                outcome.complaints[item.id] = said[0]
    return outcome


def _by_id(problems: Iterable[ItemProblem]) -> dict[str, list[ItemProblem]]:
    grouped: dict[str, list[ItemProblem]] = {}
    for problem in problems:
        if problem.id is not None:
            grouped.setdefault(problem.id, []).append(problem)
    return grouped
