"""`GET /api/v1/status`: the status page's data as JSON, in parts; `docs/status-api.md` describes it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from exporter.figures.window import WINDOW_HOURS
from exporter.model import HOUR_SECONDS
from exporter.polling.troubles import Trouble
from exporter.status.history import HistoryView, RemoteWriteView
from exporter.status.items import ItemStatus
from exporter.status.notices import Notice, notices
from exporter.status.status import AccountStatus, EndpointStatus, PollStatus, Status, WatchStatus
from exporter.xapi.failures import Failure
from exporter.xapi.limits import RateWindow, Window

VERSION = 1


def json_parts(status: Status) -> Iterator[bytes]:
    """The JSON of `status` in the order it is sent; items are written one by one."""
    head = {
        "version": VERSION,
        "exporter_version": status.version,
        "timestamp_seconds": status.now,
        "ready": status.ready,
        "config": {
            "loaded_timestamp_seconds": status.config_loaded_at,
            "newer_one_refused": status.config_refused,
        },
        "next_poll_timestamp_seconds": status.next_poll_at,
        "stale_after_seconds": status.stale_after_seconds,
        "notices": [_notice(notice) for notice in notices(status)],
        "history": None if status.history is None else _history(status.history),
    }
    yield from _with_list(head, "accounts", (_account(account) for account in status.accounts))
    yield b"\n"


def _with_list(head: dict[str, object], key: str, parts: Iterator[Iterator[bytes]]) -> Iterator[bytes]:
    """The object `head` with one more key: a list whose elements are written as they come."""
    yield msgspec.json.encode(head)[:-1] + b',"' + key.encode() + b'":['
    for place, element in enumerate(parts):
        if place:
            yield b","
        yield from element
    yield b"]}"


def _account(account: AccountStatus) -> Iterator[bytes]:
    sign_in = account.sign_in
    head: dict[str, object] = {
        "name": account.name,
        "sign_in": {
            "scheme": account.scheme,
            "login_required": sign_in.login_required,
            "token_expiry_timestamp_seconds": sign_in.token_expiry_timestamp_seconds,
            "retry_timestamp_seconds": sign_in.retry_timestamp_seconds,
            "sentence": sign_in.sentence,
        },
    }
    return _with_list(head, "watches", (_watch(watch) for watch in account.watches))


def _watch(watch: WatchStatus) -> Iterator[bytes]:
    head: dict[str, object] = {
        "kind": watch.kind,
        "metric": watch.headline.metric.name,
        "hour_start_timestamp_seconds": watch.hour * HOUR_SECONDS,
        "with_data": watch.with_data,
        "poll": _poll(watch.poll),
        "endpoints": [_endpoint(endpoint) for endpoint in watch.endpoints],
    }
    return _with_list(head, "items", (_item(item, watch.hour) for item in watch.items))


def _poll(poll: PollStatus) -> dict[str, object]:
    return {
        "endpoint": poll.endpoint,
        "outcome": poll.outcome,
        "batches": poll.batches,
        "finished_timestamp_seconds": poll.finished_at,
        "next_timestamp_seconds": poll.next_at,
        "errors": [
            {**_failure(error.failure), "batches": error.batches, "items": error.items}
            for error in poll.errors
        ],
    }


def _endpoint(endpoint: EndpointStatus) -> dict[str, object]:
    return {
        "endpoint": endpoint.endpoint,
        "path": endpoint.endpoint.path,
        "state": endpoint.state,
        "failure": None if endpoint.failure is None else _failure(endpoint.failure),
        "failing_since_timestamp_seconds": endpoint.failing_since,
        "recent_failures": [_trouble(trouble) for trouble in endpoint.troubles],
        "probe_timestamp_seconds": endpoint.probe_at,
        "last_success_timestamp_seconds": endpoint.last_success_at,
        "last_duration_seconds": endpoint.last_duration_seconds,
        "limits": [_limit(window, figures) for window, figures in endpoint.limits],
    }


def _limit(window: Window, figures: RateWindow) -> dict[str, object]:
    return {
        "window": window,
        "limit": figures.limit,
        "remaining": figures.remaining,
        "reset_timestamp_seconds": figures.reset_timestamp_seconds,
    }


def _failure(failure: Failure) -> dict[str, object]:
    return {
        "reason": failure.reason,
        "code": failure.code,
        "sentence": failure.sentence,
        "detail": failure.detail,
        "transaction_id": failure.transaction_id,
    }


def _trouble(trouble: Trouble) -> dict[str, object]:
    return {
        **_failure(trouble.failure),
        "count": trouble.count,
        "first_timestamp_seconds": trouble.first_at,
        "last_timestamp_seconds": trouble.last_at,
    }


def _history(history: HistoryView) -> dict[str, object]:
    return {
        "keep_seconds": history.keep_seconds,
        "trouble": history.trouble,
        "settling": [
            {
                "endpoint": source,
                "hours": settling.hours,
                "restated": settling.restated,
                "median_seconds": settling.median_seconds,
                "p90_seconds": settling.p90_seconds,
                "p99_seconds": settling.p99_seconds,
                "max_seconds": settling.max_seconds,
            }
            for source, settling in history.settling.items()
        ],
        "remote_write": None if history.remote_write is None else _remote_write(history.remote_write),
    }


def _remote_write(remote: RemoteWriteView) -> dict[str, object]:
    oldest = remote.oldest_hour
    return {
        "settle_seconds": remote.settle_seconds,
        "pending": remote.pending,
        "oldest_hour_start_timestamp_seconds": None if oldest is None else oldest * HOUR_SECONDS,
        "last_success_timestamp_seconds": remote.last_success_at,
        "error": remote.error,
        "error_timestamp_seconds": remote.error_at,
    }


def _notice(notice: Notice) -> dict[str, object]:
    return {
        "level": notice.level,
        "account": notice.account,
        "endpoint": notice.endpoint,
        "kind": notice.kind,
        "reason": notice.reason,
        "sentence": notice.sentence,
        "detail": notice.detail,
        "code": notice.code,
        "transaction_id": notice.transaction_id,
        "batches": notice.batches,
        "again_timestamp_seconds": notice.again_at,
        "items": [each.item.id for each in notice.items],
    }


def _item(item: ItemStatus, last: int) -> Iterator[bytes]:
    yield msgspec.json.encode(
        {
            "id": item.item.id,
            "name": item.item.name,
            "labels": dict(item.item.labels),
            "url": item.url,
            "created_timestamp_seconds": item.created_at,
            "up": item.state.up,
            "answered_timestamp_seconds": item.state.answered_at,
            "left_out_until_timestamp_seconds": item.left_out_until,
            "stale": item.stale,
            "hour_start_timestamp_seconds": None if item.hour is None else item.hour * HOUR_SECONDS,
            "value": item.value,
            "previous_value": item.before,
            "change": item.change,
            "change_ratio": item.change_ratio,
            "sum_28h": item.sum_28h,
            "hours_28h": item.hours_known,
            "curve_start_timestamp_seconds": (last - WINDOW_HOURS + 1) * HOUR_SECONDS,
            "curve": [value for _, value in item.curve(last)],
            "problems": [{"type": kind, "detail": detail} for kind, detail in item.complaints],
        }
    )
