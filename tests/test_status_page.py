from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from dataclasses import replace
from html import unescape
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.types import Message

from exporter.figures.state import ItemState
from exporter.model import Endpoint, ItemErrorType, ItemProblem, Kind
from exporter.polling.troubles import Trouble
from exporter.signin.scheme import SignInStatus
from exporter.status import words
from exporter.status.history import HistoryView, RemoteWriteView
from exporter.status.order import Order, Sort
from exporter.status.page import StatusPage
from exporter.status.routes import status_routes
from exporter.status.sparkline import Sparklines
from exporter.status.status import AccountStatus, EndpointState, Scheme, Status
from exporter.xapi.failures import classify
from exporter.xapi.limits import RateWindow, Window
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, config_text, media_key, play, post_id
from tests.status_support import (
    HISTORY,
    NEWEST,
    SETTLING,
    fetch,
    item_status,
    only_watch,
    page_of,
    quiet_status,
    with_items,
)

HOSTILE = """</title></style></svg><script>alert("1")</script>' onload=x &lt; {{ 7*7 }} {% raw %} \u202e"""
NEXT_HOUR = FIVE_PAST_EIGHT + HOUR
STATUS = quiet_status()
PAGE = StatusPage()
DASH = words.NO_NUMBER


def text_of(html: str) -> str:
    """The page as one reads it, without its style."""
    bare = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", bare)).split())


def cell(html: str, kind: str) -> str:
    """The text of the only cell of that class."""
    (content,) = re.findall(f'<td class="{kind}"[^>]*>(.*?)</td>', html, re.DOTALL)
    return text_of(content)


def with_account(status: Status, **changes: object) -> Status:
    (account,) = status.accounts
    return replace(status, accounts=(replace(account, **changes),))  # type: ignore[arg-type]


def with_limit(status: Status, figures: RateWindow) -> Status:
    watch = only_watch(status)
    known = replace(watch.endpoints[0], state=EndpointState.IN_SERVICE, limits=((Window.M15, figures),))
    return with_account(status, watches=(replace(watch, endpoints=(known,)),))


def test_an_item_is_shown_with_its_figures() -> None:
    each = item_status(0, [1000.0, 1234.0], name="Launch trailer", labels=(("campaign", "spring"),))
    text = text_of(page_of(with_items(quiet_status(), each)))
    assert "Launch trailer 7_1 · campaign: spring 1,234 +234 +23 %" in text
    assert "2,234 2 h known" in text


def test_a_post_leads_to_its_page_on_x() -> None:
    html = page_of(quiet_status(config_text(posts=1)))
    assert f'<a href="https://x.com/i/status/{post_id(0)}" rel="noreferrer">{post_id(0)}</a>' in html


def test_the_page_is_sound_before_the_first_poll() -> None:
    text = text_of(page_of(quiet_status(config_text(1, 1))))
    assert "First poll under way" in text
    assert "Not asked yet" in text
    assert text.count("X has not answered yet.") == 2


def test_a_missing_figure_is_a_dash_and_a_gap_never_a_zero() -> None:
    html = page_of(with_items(quiet_status(), item_status(0, [5.0, nan, 7.0])))
    assert cell(html, "num change") == words.NO_NUMBER
    assert html.count("not reported</title>") == 26
    assert "UTC: 0 " not in html


def test_a_figure_of_another_hour_says_which() -> None:
    html = page_of(with_items(quiet_status(), item_status(0, [5.0], last=NEWEST - 2)))
    assert cell(html, "num value") == f"5 17:00{DASH}18:00"


def test_a_withdrawn_figure_is_not_shown() -> None:
    stale = item_status(0, [98765.0], last=NEWEST - 9, stale=True)
    html = page_of(with_items(quiet_status(), stale))
    assert "98,765" in html  # in the curve, at its hour
    assert cell(html, "num value") == cell(html, "num change") == words.NO_NUMBER
    assert "Withdrawn: its last hour was" in html


def test_x_is_quoted_with_what_to_do() -> None:
    problem = ItemProblem("7_1", ItemErrorType.RESOURCE_NOT_FOUND, "Could not find it.")
    each = item_status(0, state=ItemState(up=False, answered_at=FIVE_PAST_EIGHT, problems=(problem,)))
    text = text_of(page_of(with_items(quiet_status(), each)))
    assert text.count(words.COMPLAINTS[ItemErrorType.RESOURCE_NOT_FOUND]) == 2
    assert text.count("X says: Could not find it.") == 2
    assert "1 thing needs attention" in text
    assert "without data" in text


def test_many_items_of_a_notice_are_folded_and_all_named() -> None:
    silent = ItemState(up=False, answered_at=FIVE_PAST_EIGHT)
    items = [item_status(number, state=silent, name=f"Clip {number}") for number in range(9)]
    html = page_of(with_items(quiet_status(), *items))
    named = html.partition("Which ones</summary>")[2].partition("</details>")[0]
    assert re.findall(r"Clip \d", named) == [each.item.name for each in items]


@pytest.mark.parametrize(
    ("remaining", "level", "width", "said"),
    [(300, "left", 84.0, "300 of 300"), (20, "low", 5.6, "20 of 300"), (0, "spent", 0.0, "0 of 300")],
)
def test_a_limit_is_a_bar_and_says_the_same_in_words(
    remaining: int, level: str, width: float, said: str
) -> None:
    html = page_of(with_limit(quiet_status(), RateWindow(300, remaining, NEXT_HOUR)))
    assert f'<svg class="{level}" viewBox="0 0 84 6" aria-hidden="true"><rect width="{width}"' in html
    assert f"{said} per 15 min, opens anew at 21:05" in text_of(html)


def test_a_limit_that_x_does_not_tell_whole_has_no_bar() -> None:
    for figures, said in (
        (RateWindow(300, None, None), "unknown of 300"),
        (RateWindow(None, 3, None), "3 per"),
    ):
        html = page_of(with_limit(quiet_status(), figures))
        assert '<div class="limit"><span>' in html
        assert said in text_of(html)


@pytest.mark.parametrize(
    ("sign_in", "said"),
    [
        (
            SignInStatus("brand", token_expiry_timestamp_seconds=NEXT_HOUR),
            "access token expires 21:05 , in 60 min",
        ),
        (SignInStatus("brand", token_expiry_timestamp_seconds=FIVE_PAST_EIGHT), "access token expired 20:05"),
        (SignInStatus("brand", login_required=True), "login required"),
    ],
)
def test_how_an_account_is_signed_in_stands_beside_its_name(sign_in: SignInStatus, said: str) -> None:
    status = with_account(quiet_status(), sign_in=sign_in, scheme=Scheme.OAUTH2)
    text = text_of(page_of(status))
    assert "OAuth 2.0 login" in text
    assert said in text


def test_what_is_to_be_typed_is_set_as_code() -> None:
    sign_in = SignInStatus("brand", login_required=True, sentence="Run `login <now>`.")
    html = page_of(with_account(quiet_status(), sign_in=sign_in))
    assert "Run <code>login &lt;now&gt;</code>." in html


def test_a_parked_endpoint_is_told_in_words() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row10", "media_analytics")
        await play.poll()
        html = (await fetch(play.engine, play.clock, "/")).text
        text = text_of(html)
        assert '<span class="state parked">Out of service</span>' in html
        assert "does not include this endpoint" in text
        assert "X says: When authenticating" in text
        assert re.search(r"status 403 · transaction [0-9a-f]{16} · asked again at 8 Oct 20:05, in 24 h", text)
        assert "last poll failed" in text

    play(act)


def test_an_endpoint_that_fails_says_since_when_and_the_last_errors_stand_below() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row20", "media_analytics")
        await play.poll(within=30)
        await asyncio.sleep(2 * HOUR)
        html = (await fetch(play.engine, play.clock, "/")).text
        text = text_of(html)
        assert "Failing since 20:05 , 2 h" in text
        assert re.search(r"last poll failed, 20:05", text)
        errors = text_of(html.partition("<h3>Recent errors</h3>")[2].partition("</details>")[0])
        assert "Media analytics X has a fault of its own" in errors
        assert re.search(r"\d+ times since 20:05 · status 503", errors)

    play(act)


def test_without_errors_there_is_no_list_of_them() -> None:
    assert "Recent errors" not in page_of(quiet_status())


@pytest.mark.parametrize(
    ("fault", "hours", "said"),
    [
        ("item_not_authorized", 1, "Asked for once a day, not before 8 Oct 20:05 ."),
        ("item_not_found", 10, "Asked for every six hours, not before 11:05 ."),
    ],
)
def test_an_item_that_is_rarely_asked_for_says_how_often(fault: str, hours: int, said: str) -> None:
    async def act(play: Play) -> None:
        play.x.fail(fault, "media_analytics", ids=(media_key(1),))
        for hour in range(hours):
            await asyncio.sleep(HOUR if hour else 0)
            await play.poll()
        html = (await fetch(play.engine, play.clock, "/")).text
        assert text_of(html).count(said) == 1
        assert "asked again at" in text_of(html)

    play(act, text=config_text(media=2))


def test_without_history_the_page_says_so() -> None:
    assert "History No history is kept: after a restart" in text_of(page_of(quiet_status()))


def test_a_journal_that_works_says_how_long_hours_are_kept() -> None:
    text = text_of(page_of(replace(quiet_status(), history=HistoryView(35 * 24 * HOUR))))
    assert "History Written Each hour that X reports is kept for 35 d." in text
    assert "Remote write" not in text


def test_how_old_hours_were_when_they_last_changed_is_told_by_endpoint() -> None:
    html = page_of(replace(quiet_status(), history=replace(HISTORY, trouble=None)))
    rows = html.partition("How long after its end an hour last changed")[2].partition("</table>")[0]
    assert text_of(rows).endswith(
        "Media analytics 5 min 25 min 2 h 4 h 58,000 212 28-hour insights 5 min 65 min 3 h 25 h 12,345 1"
    )


def test_remote_write_says_what_waits_and_what_went_wrong() -> None:
    text = text_of(page_of(replace(quiet_status(), history=HISTORY)))
    assert (
        "Each hour is sent on 2 h after its end. 1,234 hours of items wait to be sent, the oldest of "
        "6 Oct 13:00 . Last taken 18:05 , 2 h ago. 20:04 The sink answers 404."
    ) in text
    assert "History The journal cannot be written" in text


def test_remote_write_in_good_times_says_that_nothing_waits() -> None:
    remote = RemoteWriteView(7200, last_success_at=FIVE_PAST_EIGHT - 60)
    html = page_of(replace(quiet_status(), history=HistoryView(86400, remote_write=remote)))
    assert "Each hour is sent on 2 h after its end. Nothing waits. Last taken 20:04 , 60 s ago." in text_of(
        html
    )
    assert "All is well" not in html  # the first poll is under way
    assert "attention" not in text_of(html)


@pytest.mark.parametrize(
    "place",
    ["name", "label", "detail", "sentence", "failure", "trouble", "journal", "remote write", "source"],
)
def test_nothing_from_outside_becomes_part_of_the_page(place: str) -> None:
    status = with_items(quiet_status(), item_status(0, [1.0]))
    problem = ItemProblem("7_1", ItemErrorType.OTHER, HOSTILE)
    match place:
        case "name":
            status = with_items(status, item_status(0, [1.0], name=HOSTILE))
        case "label":
            status = with_items(status, item_status(0, [1.0], labels=(("note", HOSTILE),)))
        case "detail":
            status = with_items(status, item_status(0, state=ItemState(up=False, problems=(problem,))))
        case "sentence":
            status = with_account(status, sign_in=SignInStatus("brand", sentence=HOSTILE))
        case "trouble":
            failure = replace(classify(500, {}, b"", 0), detail=HOSTILE, transaction_id=HOSTILE)
            trouble = Trouble(failure, 2, FIVE_PAST_EIGHT, FIVE_PAST_EIGHT)
            endpoint = replace(only_watch(status).endpoints[0], troubles=(trouble,))
            status = with_account(status, watches=(replace(only_watch(status), endpoints=(endpoint,)),))
        case "journal":
            status = replace(status, history=HistoryView(86400, trouble=HOSTILE))
        case "remote write":
            remote = RemoteWriteView(7200, error=HOSTILE)
            status = replace(status, history=HistoryView(86400, remote_write=remote))
        case "source":
            settling = {HOSTILE: SETTLING["media_analytics"]}
            status = replace(status, history=HistoryView(86400, settling=settling))
        case _:
            failure = replace(classify(500, {}, b"", 0), detail=HOSTILE, transaction_id=HOSTILE)
            endpoint = replace(only_watch(status).endpoints[0], failure=failure)
            status = with_account(status, watches=(replace(only_watch(status), endpoints=(endpoint,)),))
    html = page_of(status)
    assert "<script" not in html
    assert "alert(&#34;1&#34;)" in html
    assert "{{ 7*7 }}" in html
    assert html.count("</style>") == 1
    assert html.count("</title>") == html.count("<title>")


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_every_name_is_text_and_nothing_else(name: str) -> None:
    status = with_items(STATUS, item_status(0, [1.0], name=name))
    html = "".join(PAGE.parts(status, Order(), show_all=False))
    (shown,) = re.findall('<td class="name">(.*?)<small>', html)
    assert unescape(shown) == name
    assert "<" not in shown


def test_the_page_may_load_nothing_but_its_own_style() -> None:
    async def act(play: Play) -> None:
        response = await fetch(play.engine, play.clock, "/")
        (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = response.headers["content-security-policy"]
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
        assert "unsafe" not in policy
        assert "script" not in policy
        assert " style=" not in response.text
        assert "<script" not in response.text

    play(act)


def test_the_page_is_not_kept_and_tells_nobody_where_one_comes_from() -> None:
    async def act(play: Play) -> None:
        headers = (await fetch(play.engine, play.clock, "/")).headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"

    play(act)


def test_a_long_list_is_cut_and_leads_to_the_rest() -> None:
    status = with_items(quiet_status(), *(item_status(number, [float(number)]) for number in range(130)))
    html = page_of(status)
    assert html.count('<td class="curve">') == 100
    assert '<a href="?sort=views&amp;all=1#brand-media">Show all 130</a>' in html
    whole = page_of(status, show_all=True)
    assert whole.count('<td class="curve">') == 130
    assert "Show all" not in whole


def test_sorting_keeps_showing_all() -> None:
    html = page_of(quiet_status(), order=Order(Sort.NAME), show_all=True)
    assert 'aria-sort="ascending"><a href="?sort=-name&amp;all=1#brand-media">Name' in html
    assert '<a href="?sort=age&amp;all=1#brand-media">Age' in html


def test_the_address_chooses_order_and_length() -> None:
    async def act(play: Play) -> None:
        for query, shown in (("", 100), ("?all=1", 120), ("?all=0&sort=nonsense", 100)):
            html = (await fetch(play.engine, play.clock, f"/{query}")).text
            assert html.count('<td class="curve">') == shown
        html = (await fetch(play.engine, play.clock, "/?sort=-name")).text
        assert re.findall(r"<code>(13_\d+)</code>|<td class=\"name\">(13_\d+)", html)[0][1] == media_key(119)

    play(act, text=config_text(media=120))


def test_many_lists_are_folded_until_all_is_asked_for() -> None:
    status = quiet_status()
    (account,) = status.accounts
    accounts = tuple(
        AccountStatus(f"a{number}", account.scheme, account.sign_in, account.watches) for number in range(13)
    )
    many = replace(status, accounts=accounts)
    folded = "".join(PAGE.parts(many, Order(), show_all=False))
    unfolded = "".join(PAGE.parts(many, Order(), show_all=True))
    assert (folded.count(" open>"), unfolded.count(" open>")) == (0, 13)


def test_a_page_of_thousands_is_sent_in_small_pieces() -> None:
    async def act(play: Play) -> None:
        pieces = await sent_pieces(play, "/", b"all=1")
        assert sum(pieces) > 1_000_000
        assert max(pieces) < 32 * 1024

    play(act, text=config_text(media=3000))


async def sent_pieces(play: Play, path: str, query: bytes) -> list[int]:
    """The sizes of the pieces that `path` is answered in."""
    app = Starlette(routes=status_routes(play.engine, play.clock))
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []}
    pieces: list[int] = []

    async def send(message: Message) -> None:
        pieces.append(len(message.get("body", b"")))

    await app(scope, never, send)
    return pieces


async def never() -> Message:
    """A client that stays and says no more."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def test_a_sparkline_says_what_it_shows() -> None:
    svg = str(Sparklines(NEWEST).draw(item_status(0, [0.0, 1200.0, nan, 7.0])))
    (label,) = re.findall('aria-label="([^"]*)"', svg)
    assert label == (
        f"video views, 28 hours to Wed 19:00{DASH}20:00 UTC: lowest 0, highest 1,200, newest 7; "
        "25 hours not reported"
    )
    assert f"<title>Wed 17:00{DASH}18:00 UTC: 1,200 video views</title>" in svg
    assert svg.count("<rect") == 28


def test_a_sparkline_has_one_bar_for_each_hour_known() -> None:
    svg = str(Sparklines(NEWEST).draw(item_status(0, [0.0, 1200.0, nan, 600.0])))
    path = re.search(r' d="([^"]*)"', svg)
    assert path is not None
    assert re.findall(r"M(\d+) 28v-([\d.]+)", path[1]) == [("168", "1.0"), ("175", "28.0"), ("189", "14.5")]


def test_a_sparkline_of_nothing_is_words() -> None:
    assert "nothing reported" in Sparklines(NEWEST).draw(item_status())


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_sparkline_without_anything_above_zero_is_flat(value: float) -> None:
    assert "v-1.0h" in Sparklines(NEWEST).draw(item_status(0, [value, value]))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_spans_are_said_in_the_largest_unit_that_fits(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 min"), (3000, "50 min"), (7200, "2 h"), (7505, "2 h 5 min")]
)
def test_spans_to_be_compared_are_said_to_the_minute(seconds: float, said: str) -> None:
    assert words.exact_span(seconds) == said


def test_numbers_are_grouped_and_keep_a_decimal_only_where_there_is_one() -> None:
    assert [words.number(value) for value in (0.0, 1234567.0, 12.34)] == ["0", "1,234,567", "12.3"]


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(None, ""), (0.0, ""), (0.034, "+3.4 %"), (-0.5, "\N{MINUS SIGN}50 %"), (9.99, "+999 %"), (10.0, "")],
)
def test_percentages_are_short_and_left_out_where_they_say_nothing(ratio: float | None, said: str) -> None:
    assert words.percent(ratio) == said


def test_a_time_of_another_day_names_it() -> None:
    assert words.clock(FIVE_PAST_EIGHT, FIVE_PAST_EIGHT) == "20:05"
    assert words.clock(FIVE_PAST_EIGHT + 4 * HOUR, FIVE_PAST_EIGHT) == "8 Oct 00:05"


def test_there_are_words_for_everything_that_may_have_to_be_said() -> None:
    assert set(words.STATES) == set(EndpointState)
    assert set(words.COMPLAINTS) == set(ItemErrorType)
    assert set(words.ENDPOINTS) == set(Endpoint)
    assert set(words.SCHEMES) == set(Scheme)
    assert set(words.WINDOWS) == set(Window)
    assert set(words.KINDS) == set(words.NOUNS) == set(Kind)
