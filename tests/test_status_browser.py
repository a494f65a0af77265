"""The status page of a running demo, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from exporter.figures.state import ItemState
from exporter.model import ItemErrorType, ItemProblem
from exporter.polling.troubles import Trouble
from exporter.signin.scheme import SignInStatus
from exporter.status.status import EndpointState
from exporter.xapi.failures import classify, limit_spent
from exporter.xapi.limits import RateWindow, Window
from tests.processes import exporter, started
from tests.simulated import FIVE_PAST_EIGHT, HOUR
from tests.status_support import HISTORY, NEWEST, item_status, only_watch, page_of, quiet_status, with_items

DESKTOP, PHONE = (1280, 900), (390, 844)
LOOKS = [
    pytest.param(size, scheme, id=f"{size[0]}-{scheme}")
    for size in (DESKTOP, PHONE)
    for scheme in ("light", "dark")
]
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the exporter and its simulated X answer."""

    page: str
    api: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "run"
    with started(exporter("demo", "--web.listen-address", "127.0.0.1:0"), folder) as running:
        page = running.says(r"(http://127\.0\.0\.1:\d+)/ ")[1]
        api = running.says(r"(http://127\.0\.0\.1:\d+)/_simulator/")[1]
        running.answers(f"{page}/-/ready")
        yield Demo(page, api)
        running.stop()


@pytest.fixture(scope="module")
def trouble() -> str:
    """A page with all that is not there in good times."""
    problem = ItemProblem("7_3", ItemErrorType.RESOURCE_UNAVAILABLE, "It is not available to you.")
    gone = ItemState(up=False, answered_at=FIVE_PAST_EIGHT, problems=(problem,))
    silent = ItemState(up=False, answered_at=FIVE_PAST_EIGHT)
    late, stale = item_status(0, [5.0], last=NEWEST - 1), item_status(1, [5.0], stale=True)
    status = with_items(
        quiet_status(),
        late,
        stale,
        item_status(2, state=gone),
        *(item_status(n, state=silent) for n in range(3, 13)),
    )
    (account,) = status.accounts
    watch = only_watch(status)
    failures = {
        EndpointState.LIMITED: limit_spent(FIVE_PAST_EIGHT + HOUR),
        EndpointState.FAILING: classify(503, {}, b"", FIVE_PAST_EIGHT),
        EndpointState.PARKED: classify(404, {}, b"", FIVE_PAST_EIGHT),
        EndpointState.RESERVE: classify(402, {}, b"", FIVE_PAST_EIGHT),
    }
    windows = tuple((Window.M15, RateWindow(300, left, FIVE_PAST_EIGHT + HOUR)) for left in (0, 9, 200))
    endpoints = tuple(
        replace(
            watch.endpoints[0],
            state=state,
            failure=failure,
            limits=windows,
            failing_since=FIVE_PAST_EIGHT - HOUR,
            troubles=(Trouble(failure, 7, FIVE_PAST_EIGHT - HOUR, FIVE_PAST_EIGHT),),
        )
        for state, failure in failures.items()
    )
    sign_in = SignInStatus("brand", login_required=True, sentence="Run `login`.")
    changed = replace(account, sign_in=sign_in, watches=(replace(watch, endpoints=endpoints),))
    return page_of(replace(status, accounts=(changed,), history=HISTORY))


# `trouble` is made first: while the browser is driven, no other event loop may run in this thread.
@pytest.fixture(scope="module")
def browser(part: Callable[[str], str], trouble: str) -> Iterator[Browser]:  # noqa: ARG001
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=part("chromium"), args=CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}) as context:
        yield context.new_page()


def looking(browser: Browser, size: tuple[int, int], scheme: str) -> Page:
    dark = scheme == "dark"
    return browser.new_page(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
    )


def items_of(client: httpx.Client, demo: Demo) -> list[dict[str, Any]]:
    document = client.get(f"{demo.page}/api/v1/status").json()
    return [
        item for account in document["accounts"] for watch in account["watches"] for item in watch["items"]
    ]


def truth(client: httpx.Client, demo: Demo, item_id: str, hours: range) -> list[int]:
    metric = "video_views" if "_" in item_id else "impressions"
    query = {"id": item_id, "metric": metric, "start": str(hours.start), "hours": str(len(hours))}
    values = client.get(f"{demo.api}/_simulator/truth", params=query).json()["values"]
    return [values[str(hour)] for hour in hours]


@pytest.mark.parametrize("path", ["/", "/?sort=-name&all=1"])
def test_it_opens_without_a_complaint_of_the_browser(demo: Demo, page: Page, path: str) -> None:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    response = page.goto(f"{demo.page}{path}", wait_until="networkidle")
    assert response is not None
    assert response.status == 200
    assert complaints == []


def test_names_and_figures_are_the_truth(demo: Demo, page: Page) -> None:
    with httpx.Client(trust_env=False) as client:
        items, shown = None, dict[str, list[str]]()
        # Once more when a poll came in between.
        while items != (items := items_of(client, demo)):
            page.goto(f"{demo.page}/?all=1")
            shown = rows_of(page)
        assert len(shown) == len(items) == 32
        for item in items:
            hour = int(item["hour_start_timestamp_seconds"])
            before, value = truth(client, demo, item["id"], range(hour - 3600, hour + 3600, 3600))
            change = "" if item["previous_value"] is None else signed(value - before)
            assert shown[item["id"]] == [item["name"], f"{value:,}", change or shown[item["id"]][2]]


def rows_of(page: Page) -> dict[str, list[str]]:
    """The name, the figure and the change of every row, by the item's id."""
    rows: dict[str, list[str]] = page.locator(".items tbody tr").evaluate_all(
        """rows => Object.fromEntries(rows.map(row => {
            const text = part => row.querySelector(part).firstChild.textContent.trim();
            const name = row.querySelector(".name a, .name").firstChild.textContent.trim();
            return [text(".name code"), [name, text(".value"), text(".change")]];
        }))"""
    )
    return rows


def signed(change: int) -> str:
    """A change as the page writes it."""
    return f"{change:+,}".replace("-", "\N{MINUS SIGN}") if change else "0"


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_accessible(demo: Demo, browser: Browser, size: tuple[int, int], scheme: str) -> None:
    page = looking(browser, size, scheme)
    page.goto(f"{demo.page}/")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_accessible_in_trouble(
    browser: Browser, trouble: str, size: tuple[int, int], scheme: str
) -> None:
    page = looking(browser, size, scheme)
    page.set_content(trouble)
    found = Axe().run(page)
    assert page.locator(".notices li").count() == 12
    assert found.violations_count == 0, found.generate_report()
    page.close()


@pytest.mark.parametrize("width", [320, 390, 640, 880, 1280])
def test_it_needs_no_scrolling_sideways(demo: Demo, browser: Browser, trouble: str, width: int) -> None:
    page = looking(browser, (width, 800), "light")
    page.goto(f"{demo.page}/?all=1")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.set_content(trouble.replace('<details class="card">', '<details class="card" open>'))
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


def test_it_works_by_keyboard(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.page}/")
    met = []
    for _ in range(8):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        met.append(focused.inner_text().partition("\n")[0])
        assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
        box = focused.bounding_box()
        assert box is not None
        assert box["x"] >= 0
    assert met == [
        "Skip to the figures",
        "Metrics",
        "Health",
        "Readiness",
        "JSON",
        "Docs",
        "Media",
        "Name",
    ]


def test_a_list_folds_by_keyboard_and_without_code(demo: Demo, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{demo.page}/")
        row = page.locator("#brand-media tbody tr").first
        assert row.is_visible()
        page.locator("#brand-media > summary").press("Enter")
        row.wait_for(state="hidden")


def test_a_column_s_heading_sorts_and_sorts_the_other_way_round(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.page}/")
    for direction in ("ascending", "descending"):
        page.locator("#brand-post th.name a").click()
        heading = page.locator("#brand-post th.name")
        assert heading.get_attribute("aria-sort") == direction
        names = page.locator("#brand-post td.name a").all_inner_texts()
        names = [name.casefold() for name in names]
        assert names == sorted(names, reverse=direction == "descending")


def test_every_bar_says_its_hour_and_figure(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.page}/")
    chart = page.locator(".spark").first
    assert chart.locator("rect title").count() == 28
    assert "UTC: " in (chart.locator("rect title").last.text_content() or "")
    assert "lowest" in (chart.get_attribute("aria-label") or "")
    # The column over a bar, not the bar, is what the pointer meets, up to the top of the chart.
    box = chart.bounding_box()
    assert box is not None
    met = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).tagName", [box["x"] + box["width"] - 2, box["y"] + 1]
    )
    assert met == "rect"
