"""Scripted failures: what shall go wrong, on which endpoint, how often and for how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exporter.simulator.asking import Spoil
from exporter.simulator.fault_answers import ANSWERS, TOKEN_ANSWERS, Scene
from exporter.simulator.hostile import CHANGES
from exporter.simulator.http import SimResponse
from exporter.simulator.knobs import Knobs
from exporter.simulator.world import ItemStatus

ANY = "*"
ITEM_ENDPOINTS = frozenset({"media_analytics", "tweets_analytics", "insights_28hr", "insights_historical"})
ENDPOINTS = ITEM_ENDPOINTS | {"users_me", "token", "revoke", "authorize"}

# The rows of the failures table, by the name of the failure that is the row's usual form.
ROWS = MappingProxyType(
    {
        "row01": "item_not_found",
        "row02": "errors_only",
        "row03": "item_not_authorized",
        "row04": "field_not_authorized",
        "row05": "field_hydration_failure",
        "row06": "invalid_request",
        "row07": "invalid_request_flat",
        "row08": "unauthorized",
        "row09": "credits_depleted",
        "row10": "client_not_enrolled",
        "row11": "user_not_enrolled",
        "row12": "app_only_token",
        "row13": "spend_cap_reached",
        "row14": "forbidden",
        "row15": "route_retired",
        "row16": "resource_gone",
        "row17": "rate_limited",
        "row18": "usage_cap",
        "row19": "internal_server_error",
        "row20": "service_unavailable",
        "row21": "bad_gateway",
        "row22": "token_invalid",
        "row23": "code_invalid",
        "row24": "client_unauthorized",
        "row25": "token_unavailable",
        "row26": "code_and_message",
    }
)
SPOILS: Mapping[str, Spoil] = MappingProxyType(
    {
        "item_not_found": Spoil(ItemStatus.NOT_FOUND),
        "errors_only": Spoil(ItemStatus.NOT_FOUND, everything=True),
        "item_not_authorized": Spoil(ItemStatus.NOT_AUTHORIZED),
        "item_unavailable": Spoil(ItemStatus.UNAVAILABLE),
        "item_disallowed": Spoil(ItemStatus.DISALLOWED),
        "item_internal_error": Spoil(ItemStatus.INTERNAL_ERROR),
        "field_not_authorized": Spoil(field_problem="not-authorized-for-field"),
        "field_unauthorized": Spoil(field_problem="field-unauthorized"),
        "field_hydration_failure": Spoil(field_problem="field-hydration-failure"),
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure to come.

    `name` is a row (``row09``) or a failure's own name; `endpoint` one of `ENDPOINTS` or ``*``, which is
    every one that can fail in this way. It befalls matching requests after the first `after`, at most
    `times` of them (None: without end), between `since` and `until` (Unix seconds), each with
    `probability`. `ids` are the items an item's failure concerns. `options` are particulars that some
    failures have, such as ``reset_seconds`` of ``rate_limited``.
    """

    name: str
    endpoint: str = ANY
    times: int | None = None
    after: int = 0
    since: float | None = None
    until: float | None = None
    probability: float = 1.0
    ids: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse names that mean nothing; raises ValueError."""
        if self.endpoint not in {ANY, *ENDPOINTS}:
            message = f"no endpoint is called {self.endpoint!r}; there are {', '.join(sorted(ENDPOINTS))}"
            raise ValueError(message)
        if self.kind not in FAULT_NAMES:
            message = f"no failure is called {self.name!r}; there are {', '.join(sorted(FAULT_NAMES))}"
            raise ValueError(message)

    @property
    def kind(self) -> str:
        """The failure's own name."""
        return ROWS.get(self.name, self.name)

    @property
    def spoil(self) -> Spoil | None:
        """What it does to single items of a good answer, None where it does something else."""
        found = SPOILS.get(self.kind)
        if found is None or not self.ids:
            return found
        return Spoil(found.status, found.field_problem, self.ids, found.everything)

    def answer(self, now: float, knobs: Knobs, endpoint: str) -> SimResponse | None:
        """What is answered in place of the endpoint, None where the endpoint does answer."""
        found = ANSWERS.get(self.kind)
        return None if found is None else found(Scene(now, knobs, endpoint, self.options))

    def change(self, response: SimResponse) -> SimResponse:
        """The endpoint's own answer, as this failure disfigures it."""
        found = CHANGES.get(self.kind)
        return response if found is None else found(response, self.options)


FAULT_NAMES = frozenset(ANSWERS) | frozenset(CHANGES) | frozenset(SPOILS)


@dataclass(slots=True)
class _Posted:
    fault: Fault
    seen: int = 0
    befell: int = 0


class FaultBoard:
    """The failures in force, oldest first; the first that matches a request befalls it."""

    def __init__(self, chance: Callable[..., float]) -> None:
        self._chance = chance
        self._posted: list[_Posted] = []

    @property
    def posted(self) -> tuple[Fault, ...]:
        """The failures that were put up."""
        return tuple(each.fault for each in self._posted)

    def post(self, fault: Fault) -> None:
        """Let `fault` happen from now on."""
        self._posted.append(_Posted(fault))

    def clear(self) -> None:
        """Let everything go well again."""
        self._posted.clear()

    def take(self, endpoint: str, now: float) -> Fault | None:
        """The failure that befalls this request, if any."""
        for place, posted in enumerate(self._posted):
            if _matches(posted.fault, endpoint, now) and self._strikes(place, posted):
                posted.befell += 1
                return posted.fault
        return None

    def _strikes(self, place: int, posted: _Posted) -> bool:
        fault = posted.fault
        posted.seen += 1
        if posted.seen <= fault.after or (fault.times is not None and posted.befell >= fault.times):
            return False
        return fault.probability >= 1 or self._chance("fault", place, posted.seen) < fault.probability


def _matches(fault: Fault, endpoint: str, now: float) -> bool:
    if fault.endpoint not in (ANY, endpoint):
        return False
    if fault.kind in SPOILS and endpoint not in ITEM_ENDPOINTS:
        return False
    if fault.kind in TOKEN_ANSWERS and endpoint != "token":
        return False
    return (fault.since is None or now >= fault.since) and (fault.until is None or now < fault.until)
