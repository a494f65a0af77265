"""`run`: the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.commands.lean import run_lean
from exporter.config.load import load_config
from exporter.config.settings import Config
from exporter.daemon import Options, serve
from exporter.logs import Format, build_logger, route_library_logs
from exporter.plan import plan_for
from exporter.reality import real_world


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

    def load() -> Config:
        config = load_config(flags.config_file, environ)
        plan_for(config)
        return config

    config = load()
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
