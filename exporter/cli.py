"""The command line: its flags, its help, its exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

import click

from exporter import __version__
from exporter.errors import ConfigError, ExporterError
from exporter.web.addresses import parse_listen_address

EXIT_FAILED = 1
EXIT_USAGE = 2


def _listen_address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        parse_listen_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


CONFIG_FILE = click.option(
    "--config.file",
    "config_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Configuration file (YAML).",
)
LISTEN_ADDRESS_HELP = "Address to serve on, as HOST:PORT, :PORT or [IPv6]:PORT."
LOG_LEVEL = click.option(
    "--log.level",
    "log_level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Log lines of at least this level.",
)
LOG_FORMAT = click.option(
    "--log.format",
    "log_format",
    default="logfmt",
    show_default=True,
    type=click.Choice(["logfmt", "json"]),
    help="How log lines are written.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="x-analytics-exporter")
def cli() -> None:
    """Prometheus exporter for the hourly analytics X (Twitter) reports about media and posts."""


@cli.command()
@CONFIG_FILE
@click.option(
    "--web.listen-address",
    "listen_address",
    default=":9877",
    show_default=True,
    metavar="HOST:PORT",
    callback=_listen_address,
    help=LISTEN_ADDRESS_HELP,
)
@click.option(
    "--web.config.file",
    "web_config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TLS, passwords and headers, in the format of Prometheus' exporter-toolkit.",
)
@click.option(
    "--web.enable-lifecycle",
    "enable_lifecycle",
    is_flag=True,
    help="Let POST /-/reload reload the configuration.",
)
@click.option(
    "--config.watch",
    "watch_config",
    is_flag=True,
    help="Reload the configuration when its file's content changes.",
)
@LOG_LEVEL
@LOG_FORMAT
def run(**flags: Any) -> int:  # noqa: ANN401 - what click has checked against the options above
    """Poll X on schedule and serve /metrics until stopped. SIGHUP reloads the configuration."""
    from exporter.commands.lean import without_terminal

    with without_terminal():
        from exporter.commands.run import RunFlags
        from exporter.commands.run import run as run_command

    return run_command(RunFlags(**flags), dict(os.environ))


@cli.command("check-config")
@CONFIG_FILE
def check_config(config_file: Path) -> int:
    """Check the configuration and print what it will ask of X. Sends nothing."""
    from exporter.commands.check_config import check_config as check_config_command

    return check_config_command(config_file, dict(os.environ))


@cli.command()
@CONFIG_FILE
@click.option(
    "--output",
    default="table",
    show_default=True,
    type=click.Choice(["table", "json", "openmetrics"]),
    help="What to print.",
)
def poll(config_file: Path, output: str) -> int:
    """Poll everything once and print it. Exits 0 when every item had data, else 1."""
    from exporter.commands.poll import poll as poll_command

    return poll_command(config_file, output, dict(os.environ))


@cli.command()
@CONFIG_FILE
@click.option("--account", required=True, metavar="NAME", help="The account of the configuration to sign in.")
@click.option(
    "--callback.port",
    "callback_port",
    default=8914,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port of http://127.0.0.1:PORT/callback, which the app's settings at X must list.",
)
@click.option(
    "--refresh-token-file",
    "refresh_token_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take over the refresh token in FILE instead of signing in with a browser.",
)
def login(config_file: Path, account: str, callback_port: int, refresh_token_file: Path | None) -> int:
    """Sign an account in with OAuth 2.0 and store its tokens."""
    from exporter.commands.login import login as login_command

    return login_command(config_file, account, callback_port, refresh_token_file, dict(os.environ))


@cli.command()
@click.option(
    "--web.listen-address",
    "listen_address",
    default="127.0.0.1:9877",
    show_default=True,
    metavar="HOST:PORT",
    callback=_listen_address,
    help=LISTEN_ADDRESS_HELP,
)
@LOG_LEVEL
@LOG_FORMAT
def demo(listen_address: str, log_level: str, log_format: Literal["logfmt", "json"]) -> int:
    """Run the exporter against a simulated X API. Needs no account and no file."""
    from exporter.commands.demo import demo as demo_command

    return demo_command(listen_address, log_level, log_format)


@cli.command("simulate-api")
@click.option(
    "--listen",
    default="127.0.0.1:9878",
    show_default=True,
    metavar="HOST:PORT",
    callback=_listen_address,
    help="Address to serve the simulated X API on.",
)
def simulate_api(listen: str) -> int:
    """Serve the simulated X API alone. Try configurations and dashboards against it."""
    from exporter.commands.simulate_api import simulate_api as simulate_api_command

    return simulate_api_command(listen)


def _time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    from exporter.backfill.span import parse_time

    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@cli.command()
@CONFIG_FILE
@click.option(
    "--start", required=True, metavar="TIME", callback=_time, help="First hour: 2026-09-01 (UTC) or RFC 3339."
)
@click.option(
    "--end",
    required=True,
    metavar="TIME",
    callback=_time,
    help="Where to end; the hour that begins there is left out.",
)
@click.option("--account", metavar="NAME", help="Only this account of the configuration.")
@click.option(
    "--id", "ids", multiple=True, metavar="ID", help="Only this media key or post id; may be repeated."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all of it to FILE, as OpenMetrics, which promtool makes blocks of.",
)
@click.option(
    "--remote-write",
    "remote_write",
    is_flag=True,
    help="Send all of it to `remote_write.url` of the configuration.",
)
@click.option("--dry-run", "dry_run", is_flag=True, help="Print what would be asked of X, and ask nothing.")
def backfill(**flags: Any) -> int:  # noqa: ANN401 - what click has checked against the options above
    """Ask X for hours of the past and keep them in the journal. Run again after a stop, it goes on."""
    from exporter.commands.backfill import BackfillFlags
    from exporter.commands.backfill import backfill as backfill_command

    return backfill_command(BackfillFlags(**flags), dict(os.environ))


@cli.command()
@CONFIG_FILE
@click.option(
    "--format", "form", required=True, type=click.Choice(["csv", "jsonl"]), help="How records are written."
)
@click.option(
    "--start", metavar="TIME", callback=_time, help="Only hours from there on: 2026-09-01 (UTC) or RFC 3339."
)
@click.option("--end", metavar="TIME", callback=_time, help="Only hours before.")
@click.option("--account", metavar="NAME", help="Only this account.")
@click.option(
    "--id", "ids", multiple=True, metavar="ID", help="Only this media key or post id; may be repeated."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file instead of standard output.",
)
def export(**flags: Any) -> int:  # noqa: ANN401 - what click has checked against the options above
    """Print the journal, a record for each item, hour and metric."""
    from exporter.commands.export import ExportFlags
    from exporter.commands.export import export as export_command

    return export_command(ExportFlags(**flags), dict(os.environ))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 bad usage or configuration."""
    try:
        code: int = cli.main(arguments, standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except click.Abort:
        return EXIT_FAILED
    except ConfigError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        return EXIT_USAGE
    except ExporterError as error:
        click.echo(f"x-analytics-exporter: {error}", err=True)
        return EXIT_FAILED
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell.
        sys.stdout = None
        return EXIT_FAILED
    return code
