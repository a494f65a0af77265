"""`run`: the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from exporter.config.load import load_config
from exporter.daemon import real_world, serve
from exporter.logs import Format, build_logger, route_library_logs
from exporter.plan import plan_for


def run(
    config_file: Path, listen_address: str, log_level: str, log_format: Format, environ: Mapping[str, str]
) -> int:
    """Run until stopped by a signal, and return 0.

    Raises:
        ConfigError: the configuration is wrong.
        StartError: the daemon cannot start on this machine.
    """
    config = load_config(config_file, environ)
    plan_for(config)
    log = build_logger(log_level, log_format)
    route_library_logs(log)
    asyncio.run(serve(config, listen_address, log, real_world()))
    return 0
