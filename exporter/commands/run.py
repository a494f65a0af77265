"""`run`: the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.commands.lean import run_lean, without_terminal
from exporter.config.apart import Reading
from exporter.config.settings import Config
from exporter.logs import Format, build_logger, route_library_logs
from exporter.plan import plan_for


@dataclass(frozen=True, slots=True)
class RunFlags:
    """The flags of `run`."""

    config_file: Path
    listen_address: str
    web_config_file: Path | None
    enable_lifecycle: bool
    watch_config: bool
    log_level: str
    log_format: Format


def run(flags: RunFlags, environ: Mapping[str, str]) -> int:
    """Run until stopped by a signal, and return 0.

    Raises:
        ConfigError: the configuration is wrong.
        StartError: the daemon cannot start on this machine.
    """
    reading = Reading(flags.config_file, environ)
    with without_terminal():
        # Loaded while the configuration is read.
        from exporter.daemon import Options, serve  # noqa: PLC0415
        from exporter.reality import real_world  # noqa: PLC0415

    def load() -> Config:
        return _planned(Reading(flags.config_file, environ))

    config = _planned(reading)
    log = build_logger(flags.log_level, flags.log_format)
    route_library_logs(log)
    options = Options(
        listen_address=flags.listen_address,
        load=load,
        web_config_file=flags.web_config_file,
        enable_lifecycle=flags.enable_lifecycle,
        watch_file=flags.config_file if flags.watch_config else None,
    )
    run_lean(serve(config, options, log, real_world()))
    return 0


def _planned(reading: Reading) -> Config:
    config = reading.result()
    plan_for(config)
    return config
