"""Starts `bench.ours` as `run` starts the daemon, without the imports that it spares itself."""

from __future__ import annotations

from exporter.commands.lean import without_terminal

if __name__ == "__main__":
    with without_terminal():
        from bench.ours import main
    main()
