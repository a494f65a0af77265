"""The status page as HTML, in parts, so that a long one is sent while it is made."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from exporter.model import HOUR_SECONDS, Endpoint
from exporter.polling.troubles import Trouble
from exporter.status import words
from exporter.status.notices import Level, Notice, notices
from exporter.status.order import Order, Sort, ordered, rows_per_list
from exporter.status.sparkline import Sparklines
from exporter.status.status import AccountStatus, Status, WatchStatus
from exporter.xapi.limits import RateWindow

# More lists than this are folded, so that one sees what there is.
_UNFOLDED_LISTS = 12
# So many items of a notice are named at once; more are folded.
_NAMED_ITEMS = 5
_BAR_WIDTH, _BAR_HEIGHT = 84, 6
_LOW = 0.1

_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path fill='#4a82e0' d='M1 15V9h3v6zm5 0V4h3v11zm5 0V1h3v14z'/></svg>"
)
_CODE = re.compile("`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole state in a few words; `level` is a class of the style sheet."""

    level: str
    text: str


class StatusPage:
    """Renders the page. `content_policy` is the Content-Security-Policy that fits it."""

    def __init__(self) -> None:
        self._style = files("exporter.status").joinpath("templates/status.css").read_text(encoding="utf-8")
        self._environment = Environment(
            loader=PackageLoader("exporter.status"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(_FILTERS)
        self._environment.globals.update(sort_of=Sort, anchor=_anchor, hour=_hour)

    @property
    def content_policy(self) -> str:
        """What a browser may load for the page: its own style sheet and its icon, and no code at all."""
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def parts(self, status: Status, order: Order, *, show_all: bool) -> Iterator[str]:
        """The page in the order it is sent; what comes from outside is escaped."""
        watches = status.watches
        rows = (
            max((len(watch.items) for watch in watches), default=0)
            if show_all
            else rows_per_list(len(watches))
        )
        told = notices(status)
        successes = (each.last_success_at for watch in watches for each in watch.endpoints)
        verdict = _verdict(status, told)
        return self._environment.get_template("status.html.j2").generate(
            status=status,
            order=order,
            show_all=show_all,
            rows=rows,
            named=_NAMED_ITEMS,
            sparklines=lambda watch: Sparklines(watch.hour).draw,
            shown=lambda watch: ordered(watch.items, order)[:rows],
            unfolded=show_all or len(watches) <= _UNFOLDED_LISTS,
            notices=told,
            verdict=verdict,
            watched=sum(len(watch.items) for watch in watches),
            with_data=sum(watch.with_data for watch in watches),
            last_success=max((at for at in successes if at is not None), default=None),
            title=f"{verdict.text} - x-analytics-exporter",
            style=Markup(self._style),  # noqa: S704 - the package's own file
            icon=f"data:image/svg+xml,{quote(_ICON)}",
        )


def _verdict(status: Status, told: tuple[Notice, ...]) -> Verdict:
    troubles = [notice.level for notice in told if notice.level is not Level.NOTE]
    if troubles:
        told_of = words.counted(len(troubles), "thing needs", "things need")
        return Verdict(min(troubles, key=list(Level).index).value, f"{told_of} attention")
    return Verdict("good", "All is well") if status.ready else Verdict("idle", "First poll under way")


def _subject(notice: Notice) -> str:
    """What a notice is about: the account, and which part of it."""
    if notice.account is None:
        return "Configuration" if notice.reason == "config_refused" else "History"
    if notice.endpoint is not None:
        return f"{notice.account}, {words.ENDPOINTS[notice.endpoint]}"
    if notice.kind is not None:
        return f"{notice.account}, {words.counted(len(notice.items), *words.NOUNS[notice.kind])}"
    return notice.account


def _facts(notice: Notice, now: float) -> list[str]:
    """What helps whoever looks into a notice."""
    facts = []
    if notice.code.isdigit():
        facts.append(f"status {notice.code}")
    if notice.batches:
        facts.append(f"{words.counted(notice.batches, 'request', 'requests')} of the last poll")
    if notice.transaction_id:
        facts.append(f"transaction {notice.transaction_id}")
    if notice.again_at is not None and notice.again_at > now:
        at, wait = words.clock(notice.again_at, now), words.span(notice.again_at - now)
        facts.append(f"asked again at {at}, in {wait}")
    return facts


def _troubles(account: AccountStatus) -> list[tuple[Endpoint, Trouble]]:
    """What went wrong lately on any endpoint of the account, the newest first."""
    told = [
        (endpoint.endpoint, trouble)
        for watch in account.watches
        for endpoint in watch.endpoints
        for trouble in endpoint.troubles
    ]
    return sorted(told, key=lambda pair: pair[1].last_at, reverse=True)


def _trouble_facts(trouble: Trouble, now: float) -> list[str]:
    """How often something went wrong, and what helps whoever looks into it."""
    facts = []
    if trouble.count > 1:
        times = words.counted(trouble.count, "time", "times")
        facts.append(f"{times} since {words.clock(trouble.first_at, now)}")
    if trouble.failure.code.isdigit():
        facts.append(f"status {trouble.failure.code}")
    if trouble.failure.transaction_id:
        facts.append(f"transaction {trouble.failure.transaction_id}")
    return facts


def _prose(sentence: str) -> Markup:
    """A sentence of ours, in which backquotes mark what is to be typed."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(sentence))))  # noqa: S704 - escaped


def _limit_bar(window: RateWindow) -> Markup:
    """How much of a limit is left as a bar; the words beside it say the same."""
    if window.remaining is None or not window.limit:
        return Markup()
    share = min(1.0, window.remaining / window.limit)
    level = "spent" if not window.remaining else "low" if share < _LOW else "left"
    return Markup(  # noqa: S704 - numbers and words of ours
        f'<svg class="{level}" viewBox="0 0 {_BAR_WIDTH} {_BAR_HEIGHT}" aria-hidden="true">'
        f'<rect width="{share * _BAR_WIDTH:.1f}" height="{_BAR_HEIGHT}"/></svg>'
    )


def _anchor(watch: WatchStatus) -> str:
    return f"{watch.account}-{watch.kind}"


def _hour(hour: int) -> str:
    return words.hour_span(hour * HOUR_SECONDS)


_FILTERS = {
    "number": words.number,
    "signed": words.signed,
    "percent": words.percent,
    "span": words.span,
    "iso": words.iso,
    "clock": words.clock,
    "counted": words.counted,
    "metric": words.metric_name,
    "words": words.item_words,
    "state": words.STATES.__getitem__,
    "outcome": words.OUTCOMES.__getitem__,
    "scheme": words.SCHEMES.__getitem__,
    "kind": words.KINDS.__getitem__,
    "endpoint": words.ENDPOINTS.__getitem__,
    "window": words.WINDOWS.__getitem__,
    "limit_bar": _limit_bar,
    "prose": _prose,
    "subject": _subject,
    "facts": _facts,
    "recheck": words.recheck,
    "source": words.source_name,
    "troubles": _troubles,
    "trouble_facts": _trouble_facts,
}
