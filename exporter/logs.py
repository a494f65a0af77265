"""Log lines: logfmt or JSON on standard error, one line per event."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
Format = Literal["logfmt", "json"]


def build_logger(level: str, log_format: Format, stream: TextIO | None = None) -> FilteringBoundLogger:
    """A logger that writes lines of at least `level` to `stream`, standard error if None."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=_processors(log_format),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
    )
    return logger


def silent_logger() -> FilteringBoundLogger:
    """A logger that writes nothing, for commands that print their result instead."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.ReturnLogger(),
        processors=[_dropped],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )
    return logger


def route_library_logs(logger: FilteringBoundLogger) -> None:
    """Let what libraries log at warning and above come out as lines of `logger`."""
    root = logging.getLogger()
    root.handlers = [_Forward(logger)]
    root.setLevel(logging.WARNING)


class _Forward(logging.Handler):
    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"library": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        self._logger.log(record.levelno, record.getMessage(), **fields)


def _processors(log_format: Format) -> list[Processor]:
    last: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"], bool_as_flag=False)
    )
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _msg_instead_of_event,
        _without_unknown,
        last,
    ]


def _dropped(_logger: Any, _method: str, _event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's shape
    raise structlog.DropEvent


def _msg_instead_of_event(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's shape
    event["msg"] = event.pop("event")
    return event


def _without_unknown(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's shape
    # LogfmtRenderer refuses line breaks in keys only; values are quoted by it. None says nothing.
    return {key: value for key, value in event.items() if value is not None}
