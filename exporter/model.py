"""The values that travel through the exporter, from the configured item to the reported bucket.

Times are Unix seconds unless a name says otherwise. A figure that X did not report is NaN in an
array and absent everywhere else; it is never 0.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import StrEnum

HOUR_SECONDS = 3600

# X's first snowflake ids were minted at this time; smaller ids say nothing about theirs.
SNOWFLAKE_EPOCH_MS = 1288834974657
FIRST_SNOWFLAKE = 30_000_000_000


class Kind(StrEnum):
    """What is watched."""

    MEDIA = "media"
    POST = "post"


class Endpoint(StrEnum):
    """Where figures come from; the value is the `endpoint` label of the exporter's own metrics."""

    MEDIA_ANALYTICS = "media_analytics"
    INSIGHTS_28HR = "insights_28hr"
    TWEETS_ANALYTICS = "tweets_analytics"
    INSIGHTS_HISTORICAL = "insights_historical"

    @property
    def path(self) -> str:
        """Path below `api.base_url`."""
        return _PATHS[self]

    @property
    def kind(self) -> Kind:
        """What this endpoint reports about."""
        return Kind.MEDIA if self is Endpoint.MEDIA_ANALYTICS else Kind.POST

    @property
    def batch_size(self) -> int:
        """How many ids one request may name."""
        return _BATCH_SIZES[self]


_PATHS = {
    Endpoint.MEDIA_ANALYTICS: "/2/media/analytics",
    Endpoint.INSIGHTS_28HR: "/2/insights/28hr",
    Endpoint.TWEETS_ANALYTICS: "/2/tweets/analytics",
    Endpoint.INSIGHTS_HISTORICAL: "/2/insights/historical",
}
_BATCH_SIZES = {
    Endpoint.MEDIA_ANALYTICS: 100,
    Endpoint.INSIGHTS_28HR: 25,
    Endpoint.TWEETS_ANALYTICS: 100,
    Endpoint.INSIGHTS_HISTORICAL: 25,
}


def created_timestamp_seconds(item_id: str) -> float | None:
    """When X minted `item_id`, in Unix seconds, read from the snowflake in it.

    For a media key the part after ``_`` counts. None for ids older than snowflakes.
    """
    number = int(item_id.rpartition("_")[2])
    if number < FIRST_SNOWFLAKE:
        return None
    return ((number >> 22) + SNOWFLAKE_EPOCH_MS) / 1000


@dataclass(frozen=True, slots=True)
class Item:
    """One media or post that the configuration asks to watch.

    `id` is the media key (``13_1880028106020515840``) or post id, decimal digits only. `name` is the
    id where the configuration gives none. `labels` are the configuration's own, sorted by name.
    """

    id: str
    kind: Kind
    account: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)  # not frozen, which takes thrice the time to make, and it is made for every item
class Passage:
    """The text in which X told some hours, to be known again without being read.

    It tells `rows` hours, the first of which is `first` (hours since the epoch): that one in `head_length`
    bytes, all others in `rest_length` bytes after it. `head` and `rest` are the XXH3 of either, 64 bits.
    """

    first: int
    rows: int
    head_length: int
    head: int
    rest_length: int
    rest: int


@dataclass(slots=True)  # not frozen, which takes thrice the time to make, and it is made for every item
class Standing:
    """Hours that X told in the words in which it had told them before.

    Of the rows in `values`, `width` metrics wide and beginning with the hour `first`, those of the hours
    `told`.
    """

    first: int
    width: int
    values: array[float]
    told: range

    @property
    def rows(self) -> array[float]:
        """The rows of the hours told, one after the other."""
        start, stop = self.told.start - self.first, self.told.stop - self.first
        return self.values[start * self.width : stop * self.width]


@dataclass(slots=True)  # not frozen, which takes thrice the time to make, and it is made for every item
class ItemReport:
    """What one answer of X carries about one item.

    `starts` are the bucket labels in the answer's order, as Unix seconds; they may repeat, be out of
    order, or lie off the hour. `values` holds one row per start, each as wide as the asked metrics
    and in their order, NaN where X gave no usable number. `total` is X's own sum over its sliding
    28 hours (`metrics_total` of `/2/insights/28hr`), one row, or None where X sends none. Hours that are
    `standing` have no row here. `passage` is the text of hours that need not be read again.
    """

    id: str
    starts: tuple[float, ...]
    values: array[float]
    total: array[float] | None = None
    standing: Standing | None = None
    passage: Passage | None = None

    @property
    def carries_data(self) -> bool:
        """Whether any number at all was reported."""
        return (
            has_number(self.values)
            or (self.total is not None and has_number(self.total))
            or (self.standing is not None and has_number(self.standing.rows))
        )

    def followed_by(self, later: ItemReport) -> ItemReport:
        """What this one tells, then what `later` tells of the same item."""
        first, second = self.in_full(), later.in_full()
        return ItemReport(self.id, first.starts + second.starts, first.values + second.values)

    def in_full(self) -> ItemReport:
        """The same with a row for each hour that is standing, before the others."""
        if self.standing is None:
            return self
        starts = tuple(float(hour * HOUR_SECONDS) for hour in self.standing.told) + self.starts
        values = self.standing.rows + self.values
        return ItemReport(self.id, starts, values, self.total, None, self.passage)


def has_number(row: array[float]) -> bool:
    """Whether any place of `row` is not NaN."""
    for value in row:  # noqa: SIM110 - asked so often that a generator's start would show
        if value == value:  # noqa: PLR0124 - NaN alone differs from itself
            return True
    return False


class ItemErrorType(StrEnum):
    """Why X gave no data for an item in an answer that is otherwise good; the `type` label.

    Each is the last segment of a problem's `type` with underscores; `OTHER` is any X may add.
    """

    RESOURCE_NOT_FOUND = "resource_not_found"
    NOT_AUTHORIZED_FOR_RESOURCE = "not_authorized_for_resource"
    RESOURCE_UNAVAILABLE = "resource_unavailable"
    DISALLOWED_RESOURCE = "disallowed_resource"
    NOT_AUTHORIZED_FOR_FIELD = "not_authorized_for_field"
    FIELD_HYDRATION_FAILURE = "field_hydration_failure"
    INTERNAL_ERROR = "internal_error"
    ENGAGEMENT_ERROR = "engagement_error"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ItemProblem:
    """One entry of an answer's `errors[]`, or of `data[].errors[]` in insights.

    `id` is the item meant, None where X names none. `detail` is X's own sentence, unaltered, at most
    300 characters.
    """

    id: str | None
    type: ItemErrorType
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded 200: reports in the answer's order, at most one per id, and what X complained of."""

    reports: tuple[ItemReport, ...]
    problems: tuple[ItemProblem, ...] = ()
