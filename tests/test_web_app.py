from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from exporter.exposition.page import Family, Page
from exporter.exposition.piece import make_piece
from exporter.web.app import WebServices, build_app

# The library gives this one no types.
parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
PLAIN = {"accept-encoding": "identity"}


def services() -> WebServices:
    page = Page([Family("x_media_analytics", "gauge", "Figures."), Family("x_media_up", "gauge", "Up.")])
    page.publish(
        "slot",
        {
            "x_media_analytics": make_piece(b'x_media_analytics{id="7_1",metric="video_views"} 12\n'),
            "x_media_up": make_piece(b'x_media_up{id="7_1"} 1\n'),
        },
    )
    registry = CollectorRegistry()
    Counter("x_exporter_polls", "Polls.", registry=registry).inc()
    return WebServices(page, registry, lambda: None, lambda: True)


def answer(
    path: str,
    services: WebServices,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter:9877") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(exchange())


async def no_errors() -> Sequence[str]:
    return ()


def test_text_holds_the_page_and_then_the_registry() -> None:
    response = answer("/metrics", services())
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert [family.name for family in parse_text(response.text)] == [
        "x_media_analytics",
        "x_media_up",
        "x_exporter_polls",
    ]


def test_openmetrics_holds_the_same_and_ends_once() -> None:
    text = answer("/metrics", services())
    openmetrics = answer("/metrics", services(), headers=OPENMETRICS)
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.text.count("# EOF") == 1
    read = [family.samples for family in parse_openmetrics(openmetrics.text)]
    assert read == [family.samples for family in parse_text(text.text)]


@pytest.mark.parametrize("headers", [{}, OPENMETRICS])
def test_gzip_and_plain_say_the_same(headers: dict[str, str]) -> None:
    plain = answer("/metrics", services(), headers=headers | PLAIN)
    packed = answer("/metrics", services(), headers=headers | {"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept, Accept-Encoding"
    assert int(plain.headers["content-length"]) == len(plain.content)


def test_names_choose_families_of_the_page_and_of_the_registry() -> None:
    query = "/metrics?name[]=x_media_up&name[]=x_exporter_polls_total&name[]=elsewhere"
    names = [family.name for family in parse_text(answer(query, services()).text)]
    assert names == ["x_media_up", "x_exporter_polls"]


def test_unknown_names_are_answered_with_nothing() -> None:
    assert answer("/metrics?name[]=elsewhere", services()).text == ""
    assert answer("/metrics?name[]=elsewhere", services(), headers=OPENMETRICS).text == "# EOF\n"


def test_a_query_of_another_kind_asks_for_everything() -> None:
    assert answer("/metrics?names=x&%ff=%", services()).text == answer("/metrics", services()).text


def test_every_scrape_first_withdraws_what_went_stale() -> None:
    stale = services()
    withdrawing = replace(stale, before_scrape=lambda: stale.page.remove("slot"))
    assert "x_media" not in answer("/metrics", withdrawing).text


def test_head_is_answered_like_get_without_the_body() -> None:
    get = answer("/metrics", services(), headers=PLAIN)
    head = answer("/metrics", services(), method="HEAD", headers=PLAIN)
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready", "/nowhere"])
def test_every_answer_is_dated_and_not_to_be_guessed_at(path: str) -> None:
    headers = answer(path, services()).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert parsedate_to_datetime(headers["date"]).tzinfo is not None


def test_health_does_not_depend_on_readiness() -> None:
    blind = replace(services(), ready=lambda: False)
    assert answer("/-/healthy", blind).status_code == 200


def test_readiness_says_why_not() -> None:
    assert answer("/-/ready", services()).status_code == 200
    response = answer("/-/ready", replace(services(), ready=lambda: False))
    assert response.status_code == 503
    assert "first poll" in response.text


def test_an_unknown_path_is_a_plain_404() -> None:
    response = answer("/nowhere", services())
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
def test_reading_paths_accept_no_post(path: str) -> None:
    response = answer(path, services(), method="POST")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_reload_is_forbidden_without_the_flag() -> None:
    response = answer("/-/reload", services(), method="POST")
    assert response.status_code == 403
    assert "--web.enable-lifecycle" in response.text


def test_reload_accepts_no_get() -> None:
    response = answer("/-/reload", replace(services(), reload=no_errors))
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_reload_answers_200_when_it_succeeded() -> None:
    response = answer("/-/reload", replace(services(), reload=no_errors), method="POST")
    assert response.status_code == 200


def test_reload_answers_500_with_every_error() -> None:
    async def two_errors() -> Sequence[str]:
        return ("config.yaml:3:1: first", "config.yaml:9:5: second")

    response = answer("/-/reload", replace(services(), reload=two_errors), method="POST")
    assert response.status_code == 500
    assert response.text == "config.yaml:3:1: first\nconfig.yaml:9:5: second\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://exporter:9877"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://exporter:9877"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://exporter:9877"}, 403),
        ({"origin": "http://elsewhere"}, 403),
        ({"origin": "http://exporter:9878"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://[elsewhere"}, 403),
    ],
)
def test_reload_is_refused_to_pages_of_other_sites(headers: dict[str, str], status: int) -> None:
    reloads: list[str] = []

    async def reload() -> Sequence[str]:
        reloads.append("reloaded")
        return ()

    response = answer("/-/reload", replace(services(), reload=reload), method="POST", headers=headers)
    assert response.status_code == status
    assert bool(reloads) == (status == 200)


def test_further_routes_are_served_besides() -> None:
    async def status(_request: Request) -> JSONResponse:
        return JSONResponse({"watched": 3})

    more = replace(services(), routes=[Route("/api/v1/status", status)])
    assert answer("/api/v1/status", more).json() == {"watched": 3}
