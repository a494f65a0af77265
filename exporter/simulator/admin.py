"""``/_simulator/…``: how tests in another process, and the demo's audience, direct the play.

``GET requests``, ``GET truth?id=&metric=&start=&hours=``, ``GET tokens``, ``POST issue``, ``POST knobs``.
Open to loopback clients only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from exporter.simulator.core import Simulator
from exporter.simulator.faults import Fault
from exporter.simulator.http import SimRequest, SimResponse, json_response
from exporter.simulator.limits import Limit
from exporter.simulator.times import HOUR
from exporter.simulator.world import Effect, Item, ItemStatus

ADMIN_PREFIX = "/_simulator/"


def administer(simulator: Simulator, request: SimRequest, client: str) -> SimResponse:
    """Answer one request below ``/_simulator/`` that came from address `client`."""
    if not _is_loopback(client):
        return json_response(403, {"error": "only clients on this machine may direct the simulated X"})
    try:
        return _answer(simulator, request)
    except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
        return json_response(400, {"error": f"{type(error).__name__}: {error}"})


def direct(simulator: Simulator, script: Mapping[str, Any]) -> None:
    """Do what `script` says, the body of ``POST /_simulator/knobs``.

    ``knobs`` are turned; ``items`` (by id) take `status`, `owner`, `deleted_at`, and either `drop_at` or
    `spike_at` with `factor` and `until`; ``faults`` is a list of what to put up after ``clear_faults``;
    ``limits`` (by endpoint) take `requests`, `seconds`, `daily`; ``any_id`` and ``expire_access`` are
    true or false. Times are Unix seconds or "now". Raises ValueError, KeyError or TypeError for
    anything else.
    """
    known = {"knobs", "items", "faults", "clear_faults", "limits", "any_id", "expire_access"}
    if unknown := set(script) - known:
        message = f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        raise ValueError(message)
    simulator.turn(**script.get("knobs", {}))
    for item_id, change in script.get("items", {}).items():
        _change_item(simulator, item_id, change)
    if script.get("clear_faults"):
        simulator.faults.clear()
    for fault in script.get("faults", ()):
        simulator.faults.post(Fault(**{**fault, "ids": tuple(fault.get("ids", ()))}))
    for endpoint, limit in script.get("limits", {}).items():
        simulator.limiter.set(endpoint, Limit(**limit))
    simulator.world.any_id = bool(script.get("any_id", simulator.world.any_id))
    if script.get("expire_access"):
        simulator.tokens.expire_access()


def _answer(simulator: Simulator, request: SimRequest) -> SimResponse:
    query = dict(parse_qsl(request.query))
    match request.method, request.path.removeprefix(ADMIN_PREFIX):
        case "GET", "requests":
            return json_response(200, [asdict(call) for call in simulator.requests])
        case "GET", "truth":
            return json_response(200, _truth(simulator, query))
        case "GET", "tokens":
            return json_response(200, [asdict(event) for event in simulator.tokens.events])
        case "POST", "issue":
            return json_response(200, _issue(simulator, msgspec.json.decode(request.body)))
        case "POST", "knobs":
            direct(simulator, msgspec.json.decode(request.body))
            return json_response(200, {"knobs": asdict(simulator.knobs)})
        case _:
            return json_response(404, {"error": "there are requests, truth, tokens, issue and knobs"})


def _truth(simulator: Simulator, query: Mapping[str, str]) -> dict[str, Any]:
    start = int(query["start"]) // HOUR * HOUR
    hours = range(start, start + int(query.get("hours", "1")) * HOUR, HOUR)
    values = {str(hour): simulator.truth(query["id"], query["metric"], hour) for hour in hours}
    return {"id": query["id"], "metric": query["metric"], "values": values}


def _issue(simulator: Simulator, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A token pair as a login would have brought, for a store that starts with one."""
    scopes = frozenset(asked.get("scopes", ("tweet.read", "users.read", "offline.access")))
    pair = simulator.tokens.issue(asked["account"], asked["client_id"], scopes)
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_at": pair.expires_at,
        "scope": " ".join(sorted(scopes)),
    }


def _change_item(simulator: Simulator, item_id: str, change: Mapping[str, Any]) -> None:
    known = {"status", "owner", "deleted_at", "drop_at", "spike_at", "factor", "until"}
    if unknown := set(change) - known:
        message = f"unknown for an item: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        raise ValueError(message)
    item, now = simulator.world.item(item_id), simulator.now
    # An id that was never heard of begins to exist by being spoken of.
    status = item.status if item_id in simulator.world.item_ids else ItemStatus.EXISTS
    status = ItemStatus(change.get("status", status))
    deleted_at = _time(change.get("deleted_at", item.deleted_at), now)
    changed = Item(status, change.get("owner", item.owner), deleted_at, item.effects)
    simulator.world.put(item_id, changed)
    at = change.get("drop_at", change.get("spike_at"))
    if at is not None and "factor" not in change:
        message = f"items.{item_id}: drop_at and spike_at need a factor"
        raise ValueError(message)
    if at is not None:
        until = _time(change.get("until", "inf"), now)
        simulator.world.affect(item_id, Effect(_time(at, now), float(change["factor"]), until))


def _time(value: object, now: float) -> float:
    return now if value == "now" else float(str(value))


def _is_loopback(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False
