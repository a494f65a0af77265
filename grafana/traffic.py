"""The panels of the Exporter dashboard about its requests, its sign-ins and its process."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries

from grafana import panels
from grafana.panels import About, Column, Query

INSTANCES = 'instance=~"$instance"'
ACCOUNTS = f'{INSTANCES},account=~"$account"'


def limit_left() -> str:
    """Share of each request limit that is left while its window is open."""
    by = "account, endpoint, window"
    return (
        f"min by ({by}) (x_exporter_rate_limit_remaining{{{ACCOUNTS}}})"
        f" / max by ({by}) (x_exporter_rate_limit_limit{{{ACCOUNTS}}})"
    )


def requests() -> timeseries.Panel:
    """Requests sent."""
    about = About(
        "Requests to X per hour",
        "Requests sent in the hour before, by endpoint. Each reads up to 100 videos or 25 posts.",
        "short",
        8,
        8,
        decimals=0,
    )
    query = Query(
        f"sum by (account, endpoint) (increase(x_exporter_requests_total{{{ACCOUNTS}}}[1h]))",
        "{{account}} {{endpoint}}",
    )
    return panels.curves(about, query)


def errors() -> timeseries.Panel:
    """What went wrong with requests and items."""
    about = About(
        "Errors per hour",
        "Requests that X did not answer with 200, requests sent again, and items answered with a "
        "problem, in the hour before.",
        "short",
        8,
        8,
        decimals=0,
    )
    hour = f"{{{ACCOUNTS}}}[1h])"
    failed = f'x_exporter_requests_total{{{ACCOUNTS},code!="200"}}[1h])'
    queries = (
        Query(f"sum by (endpoint, code) (increase({failed}) > 0", "{{endpoint}} answered {{code}}"),
        Query(
            f"sum by (endpoint, reason) (increase(x_exporter_retries_total{hour}) > 0",
            "{{endpoint}} again: {{reason}}",
        ),
        Query(
            f"sum by (endpoint, type) (increase(x_exporter_item_errors_total{hour}) > 0",
            "{{endpoint}} item: {{type}}",
        ),
        Query(f"sum(increase({failed}) + sum(increase(x_exporter_item_errors_total{hour})", "all"),
    )
    return panels.dashed(panels.curves(about, *queries), "all")


def answer_time() -> timeseries.Panel:
    """How long X takes."""
    about = About(
        "Time X takes to answer",
        "Mean time from sending a request until its answer was read, over two hours.",
        "s",
        8,
        8,
    )
    name = "x_exporter_request_duration_seconds"
    summed, counted = (
        f"sum by (endpoint) (increase({name}_{part}{{{INSTANCES}}}[2h]))" for part in ("sum", "count")
    )
    return panels.curves(about, Query(f"{summed} / ({counted} > 0)", "{{endpoint}}"))


def limits() -> timeseries.Panel:
    """Request limits left."""
    about = About(
        "Limit left",
        "Share of X's request limit that is left while a window is open; between windows there is no figure.",
        "percentunit",
        12,
        8,
        empty="No window was open in this time range",
        decimals=0,
    )
    panel = panels.curves(about, Query(limit_left(), "{{account}} {{endpoint}}, {{window}}"))
    return panel.min(0).max(1)


def resources() -> timeseries.Panel:
    """Items read, which is what X may bill."""
    about = About(
        "Videos and posts read per day",
        "Items that X returned data for in the 24 hours before, each answer counted. Where X bills "
        "reads, this is what it counts.",
        "short",
        12,
        8,
        decimals=0,
    )
    query = Query(
        f"sum by (account, endpoint) (increase(x_exporter_resources_returned_total{{{ACCOUNTS}}}[24h]))",
        "{{account}} {{endpoint}}",
    )
    return panels.curves(about, query)


def token_expiry() -> timeseries.Panel:
    """How long access tokens last yet."""
    about = About(
        "Access token ends in",
        "Time left of each account's OAuth 2.0 access token. It is renewed at a poll, so it may run out "
        "for up to an hour between two polls.",
        "s",
        12,
        7,
        empty="No account signs in with a token that ends",
    )
    expiry = f"max by (account) (x_exporter_token_expiry_timestamp_seconds{{{ACCOUNTS}}})"
    return panels.curves(about, Query(f"{expiry} - time()", "{{account}}"))


def refreshes() -> timeseries.Panel:
    """Token refreshes by outcome."""
    about = About(
        "Token refreshes per day",
        "Refreshes sent in the 24 hours before, by outcome. Anything but success needs a look at the log.",
        "short",
        12,
        7,
        decimals=0,
    )
    query = Query(
        f"sum by (account, outcome) (increase(x_exporter_token_refreshes_total{{{ACCOUNTS}}}[24h]))",
        "{{account}} {{outcome}}",
    )
    return panels.curves(about, query)


def _of_exporters(family: str) -> str:
    """A family that every target has, for the exporters alone, whatever their job is called."""
    return f"{family}{{{INSTANCES}}} and on (job, instance) x_exporter_build_info"


def scrape_time() -> timeseries.Panel:
    """How long a scrape takes."""
    about = About("Scrape time", "How long Prometheus takes to scrape the exporter.", "s", 6, 7)
    return panels.curves(about, Query(_of_exporters("scrape_duration_seconds"), "{{instance}}"))


def scrape_size() -> timeseries.Panel:
    """How many samples a scrape has."""
    about = About("Samples per scrape", "How many samples Prometheus reads with each scrape.", "short", 6, 7)
    return panels.curves(about, Query(_of_exporters("scrape_samples_scraped"), "{{instance}}"))


def memory() -> timeseries.Panel:
    """Memory of the process."""
    about = About("Memory", "Resident memory of the exporter's process.", "bytes", 6, 7)
    return panels.curves(about, Query(_of_exporters("process_resident_memory_bytes"), "{{instance}}"))


def cpu() -> timeseries.Panel:
    """CPU time of the process."""
    about = About("CPU", "Share of one CPU that the exporter's process uses.", "percentunit", 6, 7)
    rate = f"rate(process_cpu_seconds_total{{{INSTANCES}}}[$__rate_interval])"
    return panels.curves(about, Query(f"{rate} and on (job, instance) x_exporter_build_info", "{{instance}}"))


def versions() -> table.Panel:
    """What runs."""
    about = About("Versions", "What runs, and for how long it has been running.", "none", 24, 4)
    up = f"time() - process_start_time_seconds{{{INSTANCES}}}"
    joined = "* on (job, instance) group_left (version, revision, python_version) x_exporter_build_info"
    columns = (Column(Query(f"({up}) {joined}"), "Running for", "s", 140),)
    labels = {
        "instance": "Exporter",
        "job": "Job",
        "version": "Version",
        "revision": "Revision",
        "python_version": "Python",
    }
    return panels.rows(about, columns, labels=labels)
