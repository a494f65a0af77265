"""The panels of the Exporter dashboard about the hours it keeps in its journal and sends on."""

from __future__ import annotations

from grafana_foundation_sdk.builders import statetimeline, timeseries

from grafana import panels
from grafana.panels import About, Query
from grafana.traffic import INSTANCES

_NOT_SENT = "Nothing is sent without remote_write in the configuration"


def journal() -> statetimeline.Panel:
    """Whether hours are kept."""
    about = About(
        "Journal",
        "Green while every hour is written to the journal, red while figures are kept in memory alone. The "
        "status page says why.",
        "none",
        8,
        8,
        empty="No journal is kept",
    )
    query = Query(f"min by (instance) (x_exporter_journal_up{{{INSTANCES}}})", "{{instance}}")
    panel = panels.states(about, query)
    return panel.mappings(panels.words({"1": ("Written", panels.GREEN), "0": ("Failing", panels.RED)}))


def delay() -> timeseries.Panel:
    """How late X is."""
    about = About(
        "How late X is",
        "From the end of an hour until X's first answer that told it whole, over the day before: for half "
        "of all items and for nine in ten.",
        "s",
        8,
        8,
        empty="No hour has come since the exporter started",
    )
    name = "x_exporter_bucket_delay_seconds_bucket"
    counted = f"sum by (endpoint, le) (increase({name}{{{INSTANCES}}}[24h]))"
    queries = (
        Query(f"histogram_quantile({share}, {counted}) >= 0", f"{{{{endpoint}}}}, {words}")
        for share, words in ((0.5, "half"), (0.9, "nine in ten"))
    )
    return panels.curves(about, *queries)


def revisions() -> timeseries.Panel:
    """Hours that X restated."""
    about = About(
        "Hours restated per hour",
        "Complete hours that X reported again with other figures.",
        "short",
        8,
        8,
        decimals=0,
    )
    query = Query(
        f"sum by (endpoint) (increase(x_exporter_bucket_revisions_total{{{INSTANCES}}}[1h]))", "{{endpoint}}"
    )
    return panels.curves(about, query)


def sent() -> timeseries.Panel:
    """Samples that arrived."""
    about = About(
        "Samples sent per hour",
        "Samples of settled hours that the remote-write receiver took in the hour before.",
        "short",
        6,
        8,
        empty=_NOT_SENT,
        decimals=0,
    )
    return panels.curves(about, Query(_per_hour("sent", "instance"), "{{instance}}"))


def waiting() -> timeseries.Panel:
    """Hours that wait."""
    about = About(
        "Hours waiting to be sent",
        "Settled hours of items that the remote-write receiver has not taken yet.",
        "short",
        6,
        8,
        empty=_NOT_SENT,
        decimals=0,
    )
    query = Query(f"max by (instance) (x_exporter_remote_write_pending{{{INSTANCES}}})", "{{instance}}")
    return panels.curves(about, query)


def lag() -> timeseries.Panel:
    """For how long the oldest of them has waited, and how long ago anything arrived."""
    about = About(
        "Remote write behind",
        "For how long the oldest waiting hour could have been sent already, and how long ago the receiver "
        "last took samples. Hours are sent once each, so up to an hour is normal for the latter.",
        "s",
        6,
        8,
        empty=_NOT_SENT,
    )
    last = f"max by (instance) (x_exporter_remote_write_last_success_timestamp_seconds{{{INSTANCES}}})"
    behind = f"max by (instance) (x_exporter_remote_write_lag_seconds{{{INSTANCES}}})"
    return panels.curves(
        about,
        Query(behind, "{{instance}} behind"),
        Query(f"time() - {last}", "{{instance}} last success ago"),
    )


def refusals() -> timeseries.Panel:
    """What the receiver would not take."""
    about = About(
        "Remote write failures per hour",
        "Requests that brought nothing in and are made again, and samples that the receiver refused for "
        "good, by reason, in the hour before.",
        "short",
        6,
        8,
        empty=_NOT_SENT,
        decimals=0,
    )
    queries = (
        Query(f"{_per_hour('failed', 'reason')} > 0", "again: {{reason}}"),
        Query(f"{_per_hour('skipped', 'reason')} > 0", "refused: {{reason}}"),
        Query(f"{_per_hour('failed')} + {_per_hour('skipped')}", "all"),
    )
    return panels.dashed(panels.curves(about, *queries), "all")


def _per_hour(name: str, by: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (increase(x_exporter_remote_write_{name}_total{{{INSTANCES}}}[1h]))"
