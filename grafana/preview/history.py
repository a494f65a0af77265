"""What Prometheus would hold had it scraped the demo for days, as text that promtool makes blocks from.

Figures are the simulator's truth. What the exporter says of itself is today's scrape taken back in time: one
good poll an hour, five minutes past, with what one poll counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.simulator import Simulator

HOUR = 3600
STEP = 900
_POLL_AT = 300
_SUM_HOURS = 28
_WINDOW = 900
# Families that tell when something was or will be; the seconds lie after the last poll.
_POLL_TIMES = {
    "x_exporter_poll_last_success_timestamp_seconds": 2,
    "x_exporter_poll_next_timestamp_seconds": HOUR,
    "x_exporter_rate_limit_reset_timestamp_seconds": _WINDOW,
}
_COUNTED = ("_total", "_bucket", "_count", "_sum")
_OURS = ("x_", "process_")

Value = Callable[[int], float | None]


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end`, in Unix seconds, a sample every `STEP`."""

    start: int
    end: int

    def times(self) -> range:
        """When there is a sample."""
        return range(self.start, self.end, STEP)


def last_poll(now: int) -> int:
    """When the last poll before `now` was due."""
    return (now - _POLL_AT) // HOUR * HOUR + _POLL_AT


def shown_hour(now: int) -> int:
    """Start of the hour shown at `now`: the newest that was complete at the last poll."""
    return last_poll(now) // HOUR * HOUR - HOUR


def history(scrape: str, x: Simulator, span: Span, target: Mapping[str, str]) -> Iterator[str]:
    """Lines of every series that `scrape` holds, with the labels of the scraped `target`, back in time."""
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            if sample.name.startswith(_OURS) and not sample.name.endswith("_created"):
                yield from _lines(sample.name, {**sample.labels, **target}, _value(sample, x, span), span)
    size = sum(not line.startswith("#") for line in scrape.splitlines())
    for name, value in (("up", 1), ("scrape_duration_seconds", 0.004), ("scrape_samples_scraped", size)):
        yield from _lines(name, target, _constant(value), span)
    yield "# EOF\n"


def _lines(name: str, labels: Mapping[str, str], value: Value, span: Span) -> Iterator[str]:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    for time in span.times():
        number = value(time)
        if number is not None:
            yield f"{name}{{{inside}}} {number} {time}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _value(sample: Sample, x: Simulator, span: Span) -> Value:
    """What `sample` was at an earlier time."""
    if "metric" in sample.labels:
        return _figure(sample, x)
    if "id" in sample.labels:
        return _about_item(sample, x)
    if sample.name.endswith(_COUNTED):
        first, per_hour = last_poll(span.start), sample.value
        return lambda now: per_hour * (1 + (last_poll(now) - first) // HOUR)
    if sample.name in _POLL_TIMES:
        after = _POLL_TIMES[sample.name]
        return lambda now: last_poll(now) + after
    if sample.name == "x_exporter_rate_limit_remaining":
        return lambda now: sample.value if now - last_poll(now) < _WINDOW else None
    return _constant(sample.value)


def _constant(value: float) -> Value:
    return lambda _now: value


def _hourly(value: Callable[[int], float | None]) -> Value:
    """`value` of the hour shown, worked out once for each."""
    remembered = cache(value)
    return lambda now: remembered(shown_hour(now))


def _figure(sample: Sample, x: Simulator) -> Value:
    item, metric = sample.labels["id"], sample.labels["metric"]
    truth = cache(lambda hour: x.truth(item, metric, hour))

    def summed(shown: int) -> float | None:
        known = [value for back in range(_SUM_HOURS) if (value := truth(shown - back * HOUR)) is not None]
        return sum(known) if known else None

    return _hourly(summed if "_28h" in sample.name else truth)


def _about_item(sample: Sample, x: Simulator) -> Value:
    """A family without a metric; all but what the configuration tells begins with the first hour shown."""
    if sample.name.endswith(("_info", "_created_timestamp_seconds")):
        return _constant(sample.value)
    item = sample.labels["id"]
    lead = "video_views" if "_" in item else "impressions"

    def value(shown: int) -> float | None:
        if x.truth(item, lead, shown) is None:
            return None
        if sample.name.endswith("_bucket_start_timestamp_seconds"):
            return shown
        if sample.name.endswith("_28h_buckets"):
            hours = (x.truth(item, lead, shown - back * HOUR) for back in range(_SUM_HOURS))
            return sum(figure is not None for figure in hours)
        return sample.value

    return _hourly(value)
