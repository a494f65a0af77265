"""The simulated X API as one object: a request in, an answer out; no socket, no sleep, no wall clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType
from urllib.parse import parse_qsl

from exporter.simulator.asking import Asking, Spoil
from exporter.simulator.auth import Caller, forbidden, identify
from exporter.simulator.endpoints_account import SignIn, authorize, revoke, token, users_me
from exporter.simulator.endpoints_analytics import media_analytics, tweets_analytics
from exporter.simulator.endpoints_insights import insights_28hr, insights_historical
from exporter.simulator.fault_answers import HEADERLESS, OWN_LIMITS, Scene, spent
from exporter.simulator.faults import Fault, FaultBoard
from exporter.simulator.http import Delivery, Pairs, SimRequest, SimResponse
from exporter.simulator.knobs import Knobs
from exporter.simulator.limits import Headers, Limit, Limiter
from exporter.simulator.metrics import INSIGHT_METRICS, MEDIA_INDEX, POST_INDEX
from exporter.simulator.reporting import Range, Reporter
from exporter.simulator.times import HOUR, http_date
from exporter.simulator.tokens import TokenOffice
from exporter.simulator.world import World


@dataclass(frozen=True, slots=True)
class _Route:
    """A GET that needs a user: the endpoint's name, the scopes it asks for, and who answers it."""

    name: str
    scopes: frozenset[str]
    answer: Callable[[Asking], SimResponse]


_READ = frozenset({"tweet.read"})
_READ_USERS = frozenset({"tweet.read", "users.read"})
_ROUTES = MappingProxyType(
    {
        "/2/media/analytics": _Route("media_analytics", _READ, media_analytics),
        "/2/tweets/analytics": _Route("tweets_analytics", _READ_USERS, tweets_analytics),
        "/2/insights/28hr": _Route("insights_28hr", _READ, insights_28hr),
        "/2/insights/historical": _Route("insights_historical", _READ, insights_historical),
        "/2/users/me": _Route("users_me", _READ_USERS, users_me),
    }
)
_SIGN_IN = MappingProxyType(
    {
        ("POST", "/2/oauth2/token"): "token",
        ("POST", "/2/oauth2/revoke"): "revoke",
        ("GET", "/2/oauth2/authorize"): "authorize",
        ("GET", "/i/oauth2/authorize"): "authorize",
    }
)


@dataclass(frozen=True, slots=True)
class SimCall:
    """One request as the log keeps it; `account` is empty where nobody was recognised.

    `fault` is the name of the scripted failure that befell it, if any.
    """

    time: float
    method: str
    path: str
    query: str = field(repr=False)
    endpoint: str
    account: str
    status: int
    fault: str
    transaction_id: str


@dataclass(slots=True)
class _Note:
    """What is found out about a request while it is answered."""

    endpoint: str = ""
    account: str = ""
    fault: Fault | None = None
    limits: Headers = ()


class Simulator:
    """A fake X, as `world` and `knobs` have it; `clock` gives Unix seconds."""

    def __init__(
        self,
        world: World,
        *,
        clock: Callable[[], float],
        seed: int = 1,
        knobs: Knobs | None = None,
        limits: Mapping[str, Limit] | None = None,
    ) -> None:
        self.world = world
        self.knobs = knobs or Knobs()
        self.limiter = Limiter(limits)
        self.requests: list[SimCall] = []
        self.tokens = TokenOffice(seed, clock, lambda: self.knobs)
        self._reporter = Reporter(seed, world, lambda: self.knobs)
        self.faults = FaultBoard(self._reporter.chance)
        self._clock = clock
        self._seed = seed

    @property
    def now(self) -> float:
        """Its clock, in Unix seconds."""
        return self._clock()

    @property
    def counts(self) -> Counter[str]:
        """Requests so far by endpoint name."""
        return Counter(call.endpoint for call in self.requests)

    def turn(self, **changes: object) -> None:
        """Turn knobs, by their names. Raises TypeError for one there is not."""
        self.knobs = replace(self.knobs, **changes)  # type: ignore[arg-type] # names are checked by replace

    def fail(
        self, name: str, endpoint: str = "*", *, times: int | None = None, **particulars: object
    ) -> None:
        """Script a failure, see `Fault` for the particulars.

        Raises ValueError for an unknown name, TypeError for an unknown particular.
        """
        self.faults.post(Fault(name, endpoint, times, **particulars))  # type: ignore[arg-type]

    def truth(self, item_id: str, metric: str, hour_start_seconds: int) -> int | None:
        """What `metric` of the item finally amounts to in that whole hour.

        None for an hour that ended before the id was minted; whether the item may be read does not matter.
        `metric` is snake_case or X's spelling; raises KeyError for one that the item's kind does not have.
        """
        place = self._place(item_id, metric)
        row = self._reporter.final_row(item_id, hour_start_seconds)
        return None if row is None else row[place]

    def reported(self, item_id: str, metric: str, hour_start_seconds: int, at: float) -> int | None:
        """What a request for that whole hour is told at `at`, as far as time alone decides.

        A running hour has only its elapsed part, and one that is still revised lacks some.
        """
        span = Range(hour_start_seconds, hour_start_seconds + HOUR, HOUR)
        row = self._reporter.told_row(item_id, hour_start_seconds, span, at)
        return None if row is None else row[self._place(item_id, metric)]

    def respond(self, request: SimRequest) -> SimResponse:
        """Answer one request, and write it in the log."""
        note = _Note()
        response = self._dress(self._answer(request, note), note)
        call = SimCall(
            self._clock(),
            request.method,
            request.path,
            request.query,
            note.endpoint,
            note.account,
            response.status,
            note.fault.name if note.fault else "",
            self._transaction_id(),
        )
        self.requests.append(call)
        return response

    def _place(self, item_id: str, metric: str) -> int:
        if "_" in item_id:
            return MEDIA_INDEX[metric]
        return POST_INDEX[INSIGHT_METRICS.get(metric, metric)]

    def _answer(self, request: SimRequest, note: _Note) -> SimResponse:
        route = _ROUTES.get(request.path) if request.method == "GET" else None
        note.endpoint = route.name if route else _SIGN_IN.get((request.method, request.path), "unknown")
        note.fault = self.faults.take(note.endpoint, self._clock())
        if note.fault is not None:
            instead = note.fault.answer(self._clock(), self.knobs, note.endpoint)
            if instead is not None:
                self._count(request, note)
                return instead
        response = self._serve(request, route, note) if route else self._sign_in(request, note)
        return note.fault.change(response) if note.fault else response

    def _count(self, request: SimRequest, note: _Note) -> None:
        """Put down to its account a request that a failure answers; it spends its window all the same."""
        if note.endpoint not in {route.name for route in _ROUTES.values()}:
            return
        caller = identify(request, self.world, self.tokens, self._clock(), self.knobs)
        if isinstance(caller, Caller):
            note.account = caller.account.name
            note.limits = self.limiter.take(note.account, note.endpoint, self._clock()).headers

    def _serve(self, request: SimRequest, route: _Route, note: _Note) -> SimResponse:
        now, knobs = self._clock(), self.knobs
        caller = identify(request, self.world, self.tokens, now, knobs)
        if isinstance(caller, SimResponse):
            return caller
        note.account = caller.account.name
        verdict = self.limiter.take(note.account, route.name, now)
        note.limits = verdict.headers
        if not verdict.allowed and knobs.enforce_limits:
            return spent(Scene(now, knobs, route.name, {}))
        if not route.scopes <= caller.scopes:
            return forbidden(knobs)
        spoil = (note.fault.spoil if note.fault else None) or Spoil()
        pairs: Pairs = tuple(parse_qsl(request.query, keep_blank_values=True))
        return route.answer(Asking(now, caller.account, pairs, knobs, self.world, self._reporter, spoil))

    def _sign_in(self, request: SimRequest, note: _Note) -> SimResponse:
        desk = SignIn(self._clock(), self.knobs, self.world, self.tokens)
        match note.endpoint:
            case "token":
                return token(request, desk)
            case "revoke":
                return revoke(request, desk)
            case "authorize":
                return authorize(tuple(parse_qsl(request.query, keep_blank_values=True)), desk)
            case _:
                return SimResponse(404)

    def _dress(self, response: SimResponse, note: _Note) -> SimResponse:
        """Add the headers X sends with everything, and the time it takes."""
        knobs, kind = self.knobs, note.fault.kind if note.fault else ""
        own = {name for name, _ in response.headers}
        extra: list[tuple[str, str]] = [("date", http_date(self._clock() + knobs.date_skew_seconds))]
        bare = note.endpoint == "unknown" or kind in HEADERLESS
        if not bare:
            extra += [("x-transaction-id", self._transaction_id()), ("api-version", knobs.api_version)]
        if note.account and not bare:
            extra.append(("x-access-level", knobs.access_level))
        if knobs.rate_headers and not bare and kind not in {*OWN_LIMITS, "no_rate_headers"}:
            extra += note.limits
        headers = response.headers + tuple(header for header in extra if header[0] not in own)
        delivery = response.delivery
        if knobs.latency_seconds and delivery == Delivery():
            delivery = Delivery(delay_seconds=knobs.latency_seconds)
        return replace(response, headers=headers, delivery=delivery)

    def _transaction_id(self) -> str:
        return blake2b(f"{self._seed}|{len(self.requests)}".encode(), digest_size=8).hexdigest()
