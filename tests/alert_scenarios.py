"""What the alert rules are proven with: `deploy/prometheus/rules.test.yaml`, made by this file.

Write it anew with ``python -m tests.alert_scenarios > deploy/prometheus/rules.test.yaml``. Hours count from
the start of a test; an hour's figure is visible five minutes after its end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import yaml

from bench.alert_curves import (
    GRID_MINUTES,
    Item,
    decay,
    drop,
    figures,
    flat,
    night,
    notation,
    scraped,
    without,
)
from tests.alert_items import Collapse, collapses, silent_from_second_day, silent_items
from tests.alert_scenarios_exporter import Group, exporter_groups

_PER_HOUR = 60 // GRID_MINUTES
_ITEM_ALERTS = {"media": "XMediaViewsDropped", "post": "XPostImpressionsDropped"}

_HEAD = """\
# Proofs of rules.yaml, both ways: what fires and what stays silent. Run them with
# `promtool test rules rules.test.yaml`; it takes half a minute.
#
# Made by `python -m tests.alert_scenarios > deploy/prometheus/rules.test.yaml`: change that file, not this.
# Scrapes of items are ten minutes apart. `_x7` is seven scrapes without a sample, `700+0x5` six of 700.
"""


def _group(
    name: str, items: Sequence[Item], checks: list[Group], others: Mapping[str, str] | None = None
) -> Group:
    series = [pair for item in items for pair in scraped(item)] + list((others or {}).items())
    return {
        "name": name,
        "interval": f"{GRID_MINUTES}m",
        "input_series": [{"series": series_name, "values": values} for series_name, values in series],
        "promql_expr_test": checks,
    }


def _throughout(value: float) -> str:
    return notation([value] * (64 * _PER_HOUR))


def _firing(alert: str, item: str = "") -> str:
    only = f', id="{item}"' if item else ""
    return f'ALERTS{{alertname="{alert}", alertstate="firing"{only}}}'


def _now(series: str) -> str:
    return f"sum by (id) ({series})"


def _never(expr: str, hour: float) -> Group:
    return {"expr": expr, "eval_time": _clock(hour), "exp_samples": []}


def _counts(expr: str, hour: float, counts: Mapping[str, float], series: str = "") -> Group:
    samples = [
        {"labels": f'{series}{{id="{item}"}}', "value": count} for item, count in sorted(counts.items())
    ]
    return {"expr": expr, "eval_time": _clock(hour), "exp_samples": samples}


def _clock(hour: float) -> str:
    minutes = round(hour * 60)
    return f"{minutes // 60}h{minutes % 60}m"


def _stays_silent() -> list[Group]:
    def ever(hours: int) -> Group:
        firing = f'ALERTS{{alertstate="firing"}}[{hours}h]'
        return _never(f"count by (id, alertname) (count_over_time({firing}))", 63)

    items = silent_items()
    posts = [replace(item, kind="post") for item in items if item.id in {"decay-6h", "night-10-2", "noise"}]
    there = {'x_exporter_build_info{version="1"}': _throughout(1)}
    return [
        _group("decay, night, noise, spikes, blindness", [*items, *posts], [ever(63)], there),
        _group("nights from the second day on", silent_from_second_day(), [ever(32)], there),
    ]


def _pages() -> Group:
    cases = collapses()
    return _group("drops", [case.item for case in cases], [check for case in cases for check in _page(case)])


def _page(case: Collapse) -> list[Group]:
    """Silent until the first wholly low hour is over, firing by the deadline, and on without a gap."""
    item = case.item.id
    firing = _firing(_ITEM_ALERTS[case.item.kind], item)
    full = case.lasts * _PER_HOUR + 1
    low_hour_ends = math.ceil(case.begin) + 1
    return [
        _never(f"count_over_time({firing}[{low_hour_ends}h])", low_hour_ends),
        _counts(_now(firing), case.deadline_hour, {item: 1}),
        _counts(
            f"sum by (id) (count_over_time({firing}[{case.lasts}h]))",
            case.deadline_hour + case.lasts,
            {item: full},
        ),
    ]


def _ends_after_recovery() -> Group:
    firing = _now(_firing("XMediaViewsDropped"))
    return _group(
        "an alert ends within two hours of the first whole hour back",
        [Item("recovered", figures(52, flat(1000), drop(41, 0.02, 48)))],
        [_counts(firing, 48, {"recovered": 1}), _never(firing, 51)],
    )


def _two_replicas() -> Group:
    """One replica is late and still has the item's old name; there is one alert all the same."""
    amounts = figures(46, flat(1000), drop(41.5, 0.02))
    late = dict.fromkeys(range(46), 15)
    items = [
        Item("twice", amounts, name="New name"),
        Item("twice", amounts, name="Old name", late_minutes=late, instance="b:9877"),
    ]
    firing = f"count by (id) ({_firing('XMediaViewsDropped')})"
    return _group("two replicas that disagree", items, [_counts(firing, 45, {"twice": 1})])


def _expectations() -> Group:
    """What an hour should bring, by day, at dusk and with decay."""
    dusk, fading = night(100, 12, steep=True), decay(12)
    items = [
        Item("dusk", figures(45, flat(1000), dusk)),
        Item("fading-at-dusk", figures(45, flat(64_000), dusk, fading)),
    ]

    def expected(item: str, hour: int, value: float) -> Group:
        return _counts(
            f'x:media_views:expected{{id="{item}"}}', hour, {item: value}, "x:media_views:expected"
        )

    return _group(
        "what is expected",
        items,
        [
            expected("dusk", 40, 10_000),
            expected("dusk", 45, 100),
            # Just what comes. Its level would say 63,000, the same hour yesterday 2,100.
            expected("fading-at-dusk", 45, 534),
        ],
    )


def _not_reported() -> Group:
    """X answers without the items from hour 41 on; their last figures stay until they are withdrawn."""

    def item(name: str, level: float, kind: str = "media", account: str = "brand") -> Item:
        return Item(name, without(figures(56, flat(level)), 40, 56), kind=kind, account=account)

    gone = [item("gone", 700), item("small", 30), item("gone-post", 700, "post")]
    # Another replica, which has not been told of the new name yet.
    twin = replace(gone[0], name="Old name", instance="b:9877")
    # Polls of this account fail, so nobody knows about its post.
    unknown = item("unknown", 700, "post", "other")
    there = Item("there", figures(56, flat(700)))
    always, never = _throughout(1), _throughout(0)
    others = {
        **{
            f'x_{each.kind}_up{{id="{each.id}"}}': notation([1] * (41 * _PER_HOUR) + [0] * (16 * _PER_HOUR))
            for each in (*gone, unknown)
        },
        'x_media_up{id="there"}': always,
        'x_exporter_poll_success{account="brand",endpoint="media_analytics"}': always,
        'x_exporter_poll_success{account="brand",endpoint="insights_28hr"}': never,
        'x_exporter_poll_success{account="brand",endpoint="tweets_analytics"}': always,
        'x_exporter_poll_success{account="other",endpoint="insights_28hr"}': never,
    }
    firing = _now(_firing("XItemNotReported"))
    missed = {"gone": 1.0, "gone-post": 1.0}
    checks = [
        _never(firing, 41),
        _counts(firing, 42, missed),
        _counts(firing, 47, missed),
        _never(f"count_over_time({_firing('XMediaViewsDropped')}[56h])", 56),
    ]
    return _group("what X no longer reports", [*gone, twin, unknown, there], checks, others)


def _words() -> Group:
    """Every word of an alert about an item."""
    item = Item("13_1880028106020515840", figures(45, flat(1000), drop(41.5, 0.02)), name="Launch trailer")
    group = _group("words", [item], [])
    group["external_labels"] = {"grafana_url": "https://grafana.example.org"}
    group["alert_rule_test"] = [
        {
            "eval_time": "45h",
            "alertname": "XMediaViewsDropped",
            "exp_alerts": [
                {
                    "exp_labels": {
                        "severity": "critical",
                        "kind": "media",
                        "id": item.id,
                        "account": item.account,
                        "name": item.name,
                    },
                    "exp_annotations": {
                        "summary": "Launch trailer: video views dropped to 2% of what was expected",
                        "description": (
                            "Launch trailer (13_1880028106020515840, account brand) had 20 video views in "
                            "the last reported hour, where about 1000 were expected from its level before "
                            "and the same hour yesterday. Decay, night and noise are accounted for. Check "
                            "first whether the video still plays for somebody who is not signed in, then "
                            "whether a campaign ended."
                        ),
                        "dashboard_url": (
                            "https://grafana.example.org/d/x-analytics-item?var-id=13_1880028106020515840"
                        ),
                        "runbook_url": "docs/runbooks.md#xmediaviewsdropped",
                    },
                }
            ],
        }
    ]
    return group


def groups() -> list[Group]:
    """All proofs, in the order of the file."""
    return [
        *_stays_silent(),
        _pages(),
        _ends_after_recovery(),
        _two_replicas(),
        _not_reported(),
        _expectations(),
        _words(),
        *exporter_groups(),
    ]


def document() -> str:
    """The text of `rules.test.yaml`."""
    content = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{GRID_MINUTES}m",
        # A threshold from the evaluation before would be too old to be found.
        "group_eval_order": ["x-thresholds", "x-media", "x-posts", "x-exporter"],
        "tests": groups(),
    }
    return _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    sys.stdout.write(document())
