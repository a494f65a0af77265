"""The status page of a running demo, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, sync_playwright

from tests.processes import exporter, started

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
def browser(part: Callable[[str], str]) -> Iterator[Browser]:
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


def status_of(demo: Demo) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{demo.page}/api/v1/status", trust_env=False).json()
    return document


def items_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        item for account in document["accounts"] for watch in account["watches"] for item in watch["items"]
    ]


def truth(demo: Demo, item_id: str, metric: str, hour: float) -> int:
    query = {"id": item_id, "metric": metric, "start": int(hour)}
    answer = httpx.get(f"{demo.api}/_simulator/truth", params=query, trust_env=False).json()
    value: int = answer["values"][str(int(hour))]
    return value


@pytest.mark.parametrize("path", ["/", "/?sort=-name&all=1", "/api/v1/status"])
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
    hours = {item["id"]: item["hour_start_timestamp_seconds"] for item in items_of(status_of(demo))}
    page.goto(f"{demo.page}/?all=1")
    after = items_of(status_of(demo))
    if hours != {item["id"]: item["hour_start_timestamp_seconds"] for item in after}:
        # A poll came in between; the next one is an hour away.
        page.goto(f"{demo.page}/?all=1")
    rows = {row.locator(".name code").inner_text(): row for row in page.locator(".items tbody tr").all()}
    assert {item_id: name_in(row) for item_id, row in rows.items()} == {
        item["id"]: item["name"] for item in after
    }
    for item in after:
        metric = "video_views" if "_" in item["id"] else "impressions"
        hour = item["hour_start_timestamp_seconds"]
        shown, before = (truth(demo, item["id"], metric, at) for at in (hour, hour - 3600))
        assert rows[item["id"]].locator(".value").inner_text() == f"{shown:,}"
        change = rows[item["id"]].locator(".change").inner_text().split()[0]
        if item["previous_value"] is not None:
            assert change.replace("\N{MINUS SIGN}", "-").replace(",", "") == signed(shown - before)


def name_in(row: Locator) -> str:
    text: str = row.locator(".name").evaluate("cell => cell.firstChild.textContent")
    return text


def signed(change: int) -> str:
    return f"{change:+d}" if change else "0"


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_accessible(demo: Demo, browser: Browser, size: tuple[int, int], scheme: str) -> None:
    page = looking(browser, size, scheme)
    page.goto(f"{demo.page}/")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1024])
def test_it_needs_no_scrolling_sideways(demo: Demo, browser: Browser, width: int) -> None:
    page = looking(browser, (width, 800), "light")
    page.goto(f"{demo.page}/?all=1")
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
        page.locator("#brand-posts, #brand-post").get_by_role("link", name="Name").first.click()
        heading = page.locator("#brand-post th.name")
        assert heading.get_attribute("aria-sort") == direction
        names = [name_in(row).casefold() for row in page.locator("#brand-post tbody tr").all()]
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


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_can_be_pictured(
    demo: Demo, browser: Browser, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    page = looking(browser, size, scheme)
    page.goto(f"{demo.page}/")
    picture = page.screenshot(path=tmp_path / "page.png")
    assert len(picture) > 10_000
    page.close()
