"""Entry of ``x-analytics-exporter`` and ``python -m exporter``."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line and exit with its code."""
    # Before anything slow is imported: to be stopped while starting is no failure, and a process that is
    # the first of its container would not be stopped at all.
    signal.signal(signal.SIGTERM, _stop)
    from exporter.cli import main as cli_main  # noqa: PLC0415 - see above

    sys.exit(cli_main())


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
