"""What becomes of a stored hour when X tells of it again.

- A complete hour replaces whatever stands; of two complete ones the one written later stands.
- A running hour replaces a running or a cut one.
- A cut hour stands only where nothing does.
- Metrics that an answer was not asked for keep their numbers, if what stands tells as much of the hour.
- Where nothing stands, an hour without any number is not noted.
"""

from __future__ import annotations

import math
from array import array

from exporter.journal.catalogue import MetricLists
from exporter.journal.figures import decode, encode
from exporter.journal.rows import Row
from exporter.journal.values import BucketState


def succeeding(standing: Row | None, telling: Row, lists: MetricLists) -> Row | None:
    """What is to stand for the hour of `telling`, None where nothing changes.

    `telling` is what an answer says of the hour as if nothing stood: seen first, changed and completed at
    the time of the answer.
    """
    if standing is None:
        return telling if telling.figures else None
    if telling.state < standing.state or telling.state == BucketState.CUT:
        return None
    if telling.state > standing.state:
        return _put_over(standing, telling, revised=False)
    if (telling.metrics, telling.figures) == (standing.metrics, standing.figures):
        return None
    return _restated(standing, telling, lists)


def _restated(standing: Row, telling: Row, lists: MetricLists) -> Row | None:
    """An hour told again as fully as before."""
    if telling.metrics == standing.metrics:
        return _put_over(standing, telling, revised=standing.is_whole)
    joined, is_other = _joined(standing, telling, lists)
    if is_other:
        return _put_over(standing, joined, revised=standing.is_whole)
    if (joined.metrics, joined.figures) == (standing.metrics, standing.figures):
        return None
    # Numbers never asked for before are news to us, not a change of X's mind.
    return _put_over(standing, joined, revised=False)._replace(
        source=standing.source, last_changed=standing.last_changed
    )


def _put_over(standing: Row, telling: Row, *, revised: bool) -> Row:
    is_first = standing.completed_at is None
    return telling._replace(
        first_seen=standing.first_seen,
        completed_at=telling.completed_at if is_first else standing.completed_at,
        was_newest=telling.was_newest if is_first else standing.was_newest,
        revisions=standing.revisions + revised,
    )


def _joined(standing: Row, telling: Row, lists: MetricLists) -> tuple[Row, bool]:
    """`telling` with the metrics that only `standing` has, and whether it changes any number of those."""
    old_names, new_names = lists.names(standing.metrics), lists.names(telling.metrics)
    names = old_names + tuple(name for name in new_names if name not in old_names)
    old = decode(standing.figures, len(old_names))
    row = array("d", [math.nan]) * len(names)
    row[: len(old_names)] = old
    for name, number in zip(new_names, decode(telling.figures, len(new_names)), strict=True):
        row[names.index(name)] = number
    is_other = row[: len(old_names)].tobytes() != old.tobytes()
    return telling._replace(metrics=lists.number(names), figures=encode(row)), is_other
