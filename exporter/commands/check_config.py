"""`check-config`: is the configuration right, and what will it ask of X."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from exporter.commands.console import plain_console
from exporter.config.cautions import cautions
from exporter.config.load import load_config
from exporter.plan import KNOWN_LIMIT, Plan, plan_for


def check_config(config_file: Path, environ: Mapping[str, str]) -> int:
    """Load the configuration, print the plan, and return 0.

    Raises:
        ConfigError: the configuration is wrong, or asks for more than X's known limits allow.
    """
    config = load_config(config_file, environ)
    plan = plan_for(config)
    console = plain_console()
    console.print(f"{config_file} is right: {plan.items} items in {len(config.accounts)} account(s).\n")
    for caution in cautions(config):
        console.print(f"Warning: {caution}.\n")
    console.print(_table(plan))
    console.print(
        f"\n{plan.requests} requests per poll, {plan.requests_per_hour:g} an hour.{_catch_up(plan)}"
        f" Known limit: {KNOWN_LIMIT} requests per 15 minutes, account and endpoint;"
        " X's own headers are obeyed where they say less."
    )
    return 0


def _catch_up(plan: Plan) -> str:
    if not plan.catch_up_requests:
        return ""
    return f" Catch-up: at most {plan.catch_up_requests} more an hour, where X is late."


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("account")
    table.add_column("kind")
    table.add_column("endpoint")
    for name in ("items", "requests/poll", "requests/h", "catch-up/h", "of limit"):
        table.add_column(name, justify="right")
    for feed in plan.feeds:
        table.add_row(
            feed.account,
            feed.kind.value,
            feed.endpoint.value,
            str(feed.items),
            str(feed.requests),
            f"{feed.requests_per_hour:g}",
            f"+{feed.catch_up_requests}",
            f"{feed.share_of_limit:.1%}",
        )
    return table
