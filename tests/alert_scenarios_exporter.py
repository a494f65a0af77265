"""When the alerts about the exporter itself fire, and when they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Group = dict[str, Any]

_BUILD = 'x_exporter_build_info{instance="a:9877",job="sidecar",version="1"}'
_UP = 'up{instance="a:9877",job="sidecar"}'
_WHO = 'account="brand",endpoint="insights_28hr"'
_POLLED = f"x_exporter_poll_success{{{_WHO}}}"
_PARKED = f'x_exporter_endpoint_parked{{{_WHO},reason="retired"}}'
_LOGIN = 'x_exporter_login_required{account="brand"}'
_EXPIRY = 'x_exporter_token_expiry_timestamp_seconds{account="brand"}'
_REFUSED = 'x_exporter_token_refreshes_total{account="brand",outcome="refused"}'
_LAG = 'x_exporter_remote_write_lag_seconds{instance="a:9877",job="sidecar"}'
_SKIPPED = 'x_exporter_remote_write_skipped_total{instance="a:9877",job="sidecar",reason="out_of_bounds"}'
_WINDOW = f'{{{_WHO},window="15m"}}'


SEVERITIES = {
    "XMediaViewsDropped": "critical",
    "XPostImpressionsDropped": "critical",
    "XItemNotReported": "critical",
    "XPollFailing": "warning",
    "XEndpointParked": "warning",
    "XLoginRequired": "critical",
    "XTokenExpiring": "warning",
    "XRateLimitNearlySpent": "warning",
    "XConfigReloadFailed": "warning",
    "XRemoteWriteFailing": "warning",
    "XExporterDown": "critical",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Series, scraped each minute, and the labels with which `alert` fires at `minute`; None if silent."""

    what: str
    alert: str
    minute: int
    series: Mapping[str, str]
    fires: Mapping[str, str] | None = None


def cases() -> list[Case]:
    """Each alert of the group x-exporter, both ways."""
    account, who = {"account": "brand"}, {"account": "brand", "endpoint": "insights_28hr"}
    place = {"instance": "a:9877", "job": "sidecar"}
    return [
        Case("two polls fail", "XPollFailing", 90, {_POLLED: "1+0x5 0+0x100"}, who),
        Case("one poll fails", "XPollFailing", 80, {_POLLED: "1+0x5 0+0x59 1+0x60"}),
        Case("parked is not failing", "XPollFailing", 90, {_POLLED: "0+0x100", _PARKED: "1+0x100"}),
        Case("signed out is not failing", "XPollFailing", 90, {_POLLED: "0+0x100", _LOGIN: "1+0x100"}),
        Case(
            "a poll that is due does not come",
            "XPollFailing",
            160,
            {f"x_exporter_poll_next_timestamp_seconds{{{_WHO}}}": "3600+0x200", _POLLED: "1+0x200"},
            who,
        ),
        Case(
            "an endpoint is retired", "XEndpointParked", 30, {_PARKED: "1+0x60"}, {**who, "reason": "retired"}
        ),
        Case("an endpoint is open", "XEndpointParked", 30, {_PARKED: "0+0x60"}),
        Case(
            "the sibling endpoint stands in",
            "XEndpointParked",
            30,
            {
                _PARKED: "1+0x60",
                'x_exporter_post_source{account="brand",source="tweets_analytics"}': "1+0x60",
            },
        ),
        Case("login is required", "XLoginRequired", 10, {_LOGIN: "1+0x60"}, account),
        Case("login is not required", "XLoginRequired", 10, {_LOGIN: "0+0x60"}),
        Case("a token is long over", "XTokenExpiring", 150, {_EXPIRY: "3600+0x200"}, account),
        Case("a token waits for the next poll", "XTokenExpiring", 110, {_EXPIRY: "3900+0x119 11100+0x60"}),
        Case(
            "renewing fails while a token ends",
            "XTokenExpiring",
            80,
            {_EXPIRY: "4200+0x200", _REFUSED: "0+0x58 1+0x5 2+0x60"},
            account,
        ),
        Case(
            "a token is renewed", "XTokenExpiring", 80, {_EXPIRY: "4200+0x58 11400+0x60", _REFUSED: "0+0x200"}
        ),
        Case(
            "a limit is nearly spent",
            "XRateLimitNearlySpent",
            20,
            {
                f"x_exporter_rate_limit_remaining{_WINDOW}": "20+0x60",
                f"x_exporter_rate_limit_limit{_WINDOW}": "300+0x60",
            },
            {**who, "window": "15m"},
        ),
        Case(
            "a limit is half spent",
            "XRateLimitNearlySpent",
            20,
            {
                f"x_exporter_rate_limit_remaining{_WINDOW}": "150+0x60",
                f"x_exporter_rate_limit_limit{_WINDOW}": "300+0x60",
            },
        ),
        Case(
            "a reload is refused",
            "XConfigReloadFailed",
            10,
            {'x_exporter_config_last_reload_successful{instance="a:9877",job="sidecar"}': "0+0x60"},
            place,
        ),
        Case(
            "a reload works",
            "XConfigReloadFailed",
            10,
            {'x_exporter_config_last_reload_successful{instance="a:9877",job="sidecar"}': "1+0x60"},
        ),
        Case("a receiver is down", "XRemoteWriteFailing", 60, {_LAG: "0+0x5 0+60x60"}, place),
        Case("a receiver was down for half an hour", "XRemoteWriteFailing", 50, {_LAG: "0+60x40 0+0x60"}),
        Case("a receiver takes every hour", "XRemoteWriteFailing", 50, {_LAG: "0+0x60", _SKIPPED: "7+0x60"}),
        Case(
            "a receiver refuses for good",
            "XRemoteWriteFailing",
            60,
            {_LAG: "0+0x60", _SKIPPED: "0+0x5 7+0x60"},
            place,
        ),
        Case("a target is down", "XExporterDown", 60, {_UP: "1+0x10 0+0x60", _BUILD: "1+0x10"}, place),
        Case("all targets are gone", "XExporterDown", 60, {_UP: "1+0x10", _BUILD: "1+0x10"}, {}),
        Case("there never was a target", "XExporterDown", 60, {'up{instance="b",job="node"}': "0+0x60"}, {}),
        Case(
            "one of two is down",
            "XExporterDown",
            60,
            {
                _UP: "1+0x10 0+0x60",
                _BUILD: "1+0x10",
                _BUILD.replace("a:", "b:"): "1+0x70",
                _UP.replace("a:", "b:"): "1+0x70",
            },
            place,
        ),
        Case("a target is up", "XExporterDown", 60, {_UP: "1+0x70", _BUILD: "1+0x70"}),
        Case(
            "a stranger is down",
            "XExporterDown",
            60,
            {
                _UP: "1+0x70",
                _BUILD: "1+0x70",
                'up{instance="n:9100",job="node"}': "0+0x70",
            },
        ),
    ]


def exporter_groups() -> list[Group]:
    """One group of promtool's for each case."""
    return [_group(case) for case in cases()]


def _group(case: Case) -> Group:
    expr = f'count_over_time(ALERTS{{alertname="{case.alert}", alertstate="firing"}}[1m])'
    return {
        "name": f"{case.alert}: {case.what}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [
            {"expr": expr, "eval_time": f"{case.minute}m", "exp_samples": _samples(case)},
        ],
    }


def _samples(case: Case) -> list[Group]:
    if case.fires is None:
        return []
    severity = SEVERITIES[case.alert]
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity, **case.fires}
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return [{"labels": f"{{{inner}}}", "value": 1}]
