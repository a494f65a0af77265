"""What an answer costs from request to published text, and how that grows with the number of items."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from bench.contestant import Contestant
from bench.scraping import Scraper
from bench.sizes import Sizes
from bench.table import Row


def answer_rows(api_port: int, sizes: Sizes) -> Iterator[Row]:
    """CPU per answer beside others that only read it."""
    with ExitStack() as stack:
        racers = {
            "media": stack.enter_context(Contestant("daemon", api_port, 100, 0)),
            "insights": stack.enter_context(Contestant("daemon", api_port, 0, 25)),
        }
        for name in ("media-xdk", "media-httpx-json", "media-raw", "insights-httpx-json", "insights-raw"):
            racers[name] = stack.enter_context(Contestant("peers", name, api_port))
        cpu = _in_turns(racers, sizes)
    shape = {"media": "100 media, 28 hours, 10 metrics", "insights": "25 posts, 28 hours, 26 metrics"}
    for kind, peer, against, limit in (
        ("media", "media-xdk", "xdk, X's own SDK", 0.25),
        ("media", "media-httpx-json", "httpx and json.loads", None),
        ("media", "media-raw", "raw read of the bytes", None),
        ("insights", "insights-httpx-json", "httpx and json.loads", 1),
        ("insights", "insights-raw", "raw read of the bytes", None),
    ):
        why = (
            f"CPU from request to published text ({shape[kind]}); the peer only reads and parses the answer."
        )
        yield Row(
            f"{kind} answer beside {peer.partition('-')[2]}", "ms", cpu[kind], against, cpu[peer], limit, why
        )


def _in_turns(racers: dict[str, Contestant], sizes: Sizes) -> dict[str, float]:
    """Median CPU ms per answer of each; the first turn is for warming up."""
    taken: dict[str, list[float]] = {name: [] for name in racers}
    for turn in range(sizes.rounds + 1):
        for name, racer in racers.items():
            # Insights name no hours that the canned API could see passing.
            command = "poll_hourly" if name == "media" else "poll"
            cpu = racer.ask(command, sizes.answers)["cpu"] * 1e3
            if turn:
                taken[name].append(cpu)
    return {name: statistics.median(values) for name, values in taken.items()}


def growth_rows(api_port: int, sizes: Sizes) -> Iterator[Row]:
    """One full poll of ever more media, and what one changed batch costs among them.

    The memory of the first row holds what is needed once, too, however many media there are.
    """
    first_cpu = first_memory = None
    for media in sizes.growth:
        with Contestant("daemon", api_port, media, 0) as ours, Scraper(ours.first) as scraper:
            empty = ours.ask("memory")
            cpu = ours.ask("poll", 1)["cpu"] / media * 1e6
            memory = (ours.ask("memory") - empty) / media * 1024
            first_cpu, first_memory = first_cpu or cpu, first_memory or memory
            against = f"{sizes.growth[0]:,} media"
            why = "linear growth means that a media costs as much among many as among few."
            yield Row(f"poll CPU per media of {media:,}", "us", cpu, against, first_cpu, None, f"CPU: {why}")
            yield Row(
                f"memory per media of {media:,}", "kB", memory, against, first_memory, None, f"RSS: {why}"
            )
            yield _change_row(ours, scraper, media, sizes)


def _change_row(ours: Contestant, scraper: Scraper, media: int, sizes: Sizes) -> Row:
    scraper.size()
    changes = []
    for _ in range(sizes.rounds):
        before = ours.ask("cpu")
        ours.ask("change")
        scraper.size()
        changes.append(ours.ask("cpu") - before)
    why = (
        f"CPU to poll one batch of 100 among {media:,} media, publish it and be scraped; the peer renders all"
        " of it. What remains beside the batch is copying the page to the scraper."
    )
    full = ours.ask("render") * 1e3
    return Row(
        f"one batch of {media:,} media changes",
        "ms",
        statistics.median(changes) * 1e3,
        "full render",
        full,
        None,
        why,
    )
