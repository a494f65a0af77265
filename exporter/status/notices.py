"""What keeps figures away, and what else is good to know: in words, with what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from exporter.model import HOUR_SECONDS, Endpoint, Kind
from exporter.status.history import HistoryView
from exporter.status.items import ItemStatus
from exporter.status.status import AccountStatus, EndpointState, EndpointStatus, Status, WatchStatus
from exporter.status.words import ENDPOINTS, exact_span, item_words, source_name, span
from exporter.xapi.failure_reasons import rule
from exporter.xapi.failures import Failure, Reason


class Level(StrEnum):
    """How bad something is."""

    ERROR = "error"
    """A whole endpoint or account gives nothing until it is mended."""
    WARNING = "warning"
    """Some figures are missing or late."""
    NOTE = "note"
    """Good to know; no figure is missing for it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told.

    `account`, `endpoint` and `kind` say what it is about: a sign-in has an account alone, the configuration
    and the history none of them. `reason` is a closed word.
    `sentence` says what happened and what to do, `detail` is X's own words, empty where it has none.
    `items` are those it keeps figures away from, as far as they are known one by one, and `batches` says
    how many requests of the last poll failed so. `again_at` is when it is tried again, Unix seconds.
    """

    account: str | None
    level: Level
    reason: str
    sentence: str
    endpoint: Endpoint | None = None
    kind: Kind | None = None
    detail: str = ""
    code: str = ""
    transaction_id: str | None = None
    items: tuple[ItemStatus, ...] = ()
    batches: int = 0
    again_at: float | None = None


def notices(status: Status) -> tuple[Notice, ...]:
    """All that is to be told, the worst first, else by account."""
    told = list(_config(status))
    if status.history is not None:
        told += _history(status.history)
    told += [notice for account in status.accounts for notice in _account(account, status)]
    return tuple(notice for level in Level for notice in told if notice.level is level)


def _config(status: Status) -> Iterator[Notice]:
    if status.config_refused:
        sentence = (
            "The configuration was changed and has faults, so the one before stays in use. "
            "`x-analytics-exporter check-config` lists them; mend them and reload."
        )
        yield Notice(None, Level.WARNING, "config_refused", sentence)


def _history(history: HistoryView) -> Iterator[Notice]:
    if history.trouble is not None:
        sentence = f"{history.trouble} Meanwhile the hours are kept in memory alone."
        yield Notice(None, Level.WARNING, "journal", sentence)
    remote = history.remote_write
    if remote is None:
        return
    if remote.error is not None:
        yield Notice(None, Level.WARNING, "remote_write", remote.error)
    for source, settling in history.unsettled():
        sentence = (
            f"Of the hours of {source_name(source)}, one in a hundred still changed more than "
            f"{exact_span(settling.p99_seconds)} after its end, and `remote_write.settle` sends each after "
            f"{exact_span(remote.settle_seconds)}. What X changes later is not sent; "
            f"`settle: {math.ceil(settling.p99_seconds / HOUR_SECONDS)}h` would wait for it."
        )
        yield Notice(None, Level.NOTE, "settle_short", sentence)


def _account(account: AccountStatus, status: Status) -> Iterator[Notice]:
    sign_in = tuple(_sign_in(account))
    yield from sign_in
    for watch in account.watches:
        for endpoint in watch.endpoints:
            yield from _endpoint(watch, endpoint, signed_out_is_told=bool(sign_in))
        yield from _poll(watch)
        yield from _items(watch)
        yield from _stale(watch, status)


def _sign_in(account: AccountStatus) -> Iterator[Notice]:
    sign_in = account.sign_in
    if sign_in.login_required or sign_in.sentence is not None:
        yield Notice(
            account=account.name,
            level=Level.ERROR if sign_in.login_required else Level.WARNING,
            reason="login_required" if sign_in.login_required else "sign_in",
            sentence=sign_in.sentence or rule(Reason.SIGNED_OUT).sentence,
            again_at=sign_in.retry_timestamp_seconds,
        )


def _endpoint(watch: WatchStatus, endpoint: EndpointStatus, *, signed_out_is_told: bool) -> Iterator[Notice]:
    failure = endpoint.failure
    if failure is not None and not (signed_out_is_told and failure.reason is Reason.SIGNED_OUT):
        notice = _failed(watch, endpoint.endpoint, failure)
        notice = replace(notice, again_at=endpoint.probe_at or notice.again_at)
        yield _parked(notice, watch) if endpoint.state is EndpointState.PARKED else notice


def _parked(notice: Notice, watch: WatchStatus) -> Notice:
    """A parked endpoint stops what it serves, unless another one of the same items serves instead."""
    for other in watch.endpoints:
        if other.state is EndpointState.IN_SERVICE:
            sentence = f"{notice.sentence} Meanwhile the figures come from {ENDPOINTS[other.endpoint]}."
            return replace(notice, level=Level.NOTE, sentence=sentence)
    return replace(notice, level=Level.ERROR)


def _poll(watch: WatchStatus) -> Iterator[Notice]:
    """The failures of the last poll that are not the endpoint's own, which is told already."""
    told = {each.failure.reason for each in watch.endpoints if each.failure is not None}
    for error in watch.poll.errors:
        if error.failure.reason not in told:
            yield replace(_failed(watch, watch.poll.endpoint, error.failure), batches=error.batches)


def _failed(watch: WatchStatus, endpoint: Endpoint, failure: Failure) -> Notice:
    return Notice(
        account=watch.account,
        level=Level.WARNING,
        reason=failure.reason.value,
        sentence=failure.sentence,
        endpoint=endpoint,
        detail=failure.detail,
        code=failure.code,
        transaction_id=failure.transaction_id,
        again_at=failure.wait_until_seconds,
    )


def _items(watch: WatchStatus) -> Iterator[Notice]:
    """One notice for each thing X complains of, with the items it complains of, and its words for one."""
    alike: dict[str, list[ItemStatus]] = {}
    for item in watch.items:
        if item.state.problems:
            alike.setdefault(item.state.problems[0].type.value, []).append(item)
        elif item.state.up is False:
            alike.setdefault("no_figures", []).append(item)
    for reason, items in alike.items():
        sentence, detail = item_words(items[0])[0]
        yield _of_items(watch, reason, sentence, items, detail)


def _stale(watch: WatchStatus, status: Status) -> Iterator[Notice]:
    stale = tuple(item for item in watch.items if item.withdrawn and item.state.up)
    if stale:
        sentence = (
            f"The newest hour that X reported ended more than {span(status.stale_after_seconds)} ago, so "
            "the figures are withdrawn, here and on /metrics. They come back with newer hours."
        )
        yield _of_items(watch, "stale", sentence, stale)


def _of_items(
    watch: WatchStatus, reason: str, sentence: str, items: Sequence[ItemStatus], detail: str = ""
) -> Notice:
    left_out = [each.left_out_until for each in items if each.left_out_until is not None]
    return Notice(
        account=watch.account,
        level=Level.WARNING,
        reason=reason,
        sentence=sentence,
        kind=watch.kind,
        detail=detail,
        items=tuple(items),
        again_at=min(left_out) if len(left_out) == len(items) else None,
    )
