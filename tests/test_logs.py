"""Log lines: one line per event, in two formats, from us and from the libraries."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.typing import FilteringBoundLogger

from exporter.logs import Format, build_logger, route_library_logs, silent_logger

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
ANYTHING = st.text(st.characters(codec="utf-8"), max_size=60)


def written(
    act: Callable[[FilteringBoundLogger], object], level: str = "info", form: Format = "logfmt"
) -> str:
    """What a logger writes while `act` uses it."""
    stream = io.StringIO()
    act(build_logger(level, form, stream))
    return stream.getvalue()


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield root
    root.handlers = handlers
    root.setLevel(level)


def test_a_logfmt_line_begins_with_time_level_and_message() -> None:
    line = written(lambda log: log.info("poll finished", account="brand", batches=2, ratio=0.5))
    assert re.fullmatch(
        rf'ts={STAMP} level=info msg="poll finished" account=brand batches=2 ratio=0\.5\n', line
    )


def test_a_json_line_has_the_same_fields() -> None:
    line = written(lambda log: log.warning('it\'s "so"', account="brand", batches=2), form="json")
    fields = json.loads(line)
    assert re.fullmatch(STAMP, fields.pop("ts"))
    assert fields == {"level": "warning", "msg": 'it\'s "so"', "account": "brand", "batches": 2}


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_what_is_not_known_is_left_out(form: Format) -> None:
    line = written(lambda log: log.info("x", transaction_id=None, failed=0), form=form)
    assert "transaction_id" not in line
    assert "failed" in line


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", "debug info warning error"),
        ("info", "info warning error"),
        ("warning", "warning error"),
        ("error", "error"),
    ],
)
def test_lines_below_the_level_are_not_written(level: str, expected: str) -> None:
    def act(log: FilteringBoundLogger) -> None:
        for name in ("debug", "info", "warning", "error"):
            getattr(log, name)("said")

    assert " ".join(re.findall(r"level=(\w+)", written(act, level))) == expected


def test_true_and_false_are_words() -> None:
    assert written(lambda log: log.info("x", yes=True, no=False)).endswith(" yes=true no=false\n")


def test_a_bound_field_is_on_every_line() -> None:
    def act(log: FilteringBoundLogger) -> None:
        bound = log.bind(account="brand")
        bound.info("one")
        bound.info("two")

    assert written(act).count("account=brand") == 2


@given(ANYTHING, ANYTHING)
@example("two\nlines", 'x" level="error')
@example("a\\", "\\")
def test_whatever_is_logged_is_one_line_of_logfmt_and_adds_no_field(message: str, value: str) -> None:
    line = written(lambda log: log.info(message, detail=value, last=1))
    assert line.count("\n") == 1
    fields = re.findall(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^" ]*)(?: |\n)', line)
    assert [name for name, _ in fields] == ["ts", "level", "msg", "detail", "last"]
    assert line == " ".join(f"{name}={text}" for name, text in fields) + "\n"


@given(ANYTHING, ANYTHING)
def test_whatever_is_logged_comes_back_from_json(message: str, value: str) -> None:
    line = written(lambda log: log.info(message, detail=value), form="json")
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert (fields["msg"], fields["detail"]) == (message, value)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_an_unforeseen_error_is_one_line_with_its_traceback(form: Format) -> None:
    def act(log: FilteringBoundLogger) -> None:
        try:
            int("planted")
        except ValueError:
            log.exception("poll broke off", account="brand")

    line = written(act, form=form)
    assert line.count("\n") == 1
    assert "ValueError: invalid literal" in line
    assert "level=error" in line or '"level": "error"' in line


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    build_logger("info", "logfmt").info("said")
    printed = capsys.readouterr()
    assert (printed.out, "msg=said" in printed.err) == ("", True)


def test_the_silent_logger_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    log = silent_logger()
    log.error("said", account="brand")
    log.bind(account="brand").exception("said", exc_info=RuntimeError("planted"))
    assert capsys.readouterr() == ("", "")


def test_what_libraries_warn_of_is_a_line_of_ours(root_logger: logging.Logger) -> None:
    def act(log: FilteringBoundLogger) -> None:
        route_library_logs(log)
        logging.getLogger("apscheduler.scheduler").warning("Run time of job %r was missed", "brand/media")

    line = written(act)
    assert re.fullmatch(
        rf"ts={STAMP} level=warning msg=\"Run time of job 'brand/media' was missed\""
        r" library=apscheduler\.scheduler\n",
        line,
    )
    assert len(root_logger.handlers) == 1


def test_what_libraries_merely_tell_is_no_line(root_logger: logging.Logger) -> None:
    def act(log: FilteringBoundLogger) -> None:
        route_library_logs(log)
        # httpx tells every URL at this level, query and all.
        logging.getLogger("httpx").info("HTTP Request: GET %s", "https://api.x.com/?secret")

    assert written(act, "debug") == ""
    assert root_logger.level == logging.WARNING


@pytest.mark.usefixtures("root_logger")
def test_an_error_in_a_library_is_told_with_its_cause() -> None:
    def act(log: FilteringBoundLogger) -> None:
        route_library_logs(log)
        try:
            int("planted\nin two lines")
        except ValueError:
            logging.getLogger("apscheduler.executors").exception("Job raised an exception")

    line = written(act)
    assert line.count("\n") == 1
    assert "level=error" in line
    assert "planted" in line
