"""What a backfill says while it works and at the end."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from exporter.backfill.span import Span
from exporter.backfill.walk import Findings, Missed, Pace
from exporter.backfill.wanted import Wanted
from exporter.commands.backfill_report import LINE_SECONDS, Display, explain, joined
from exporter.model import Endpoint, Item, ItemErrorType, ItemProblem, Kind
from exporter.vocabulary import MEDIA_METRICS
from tests.backfill_live import staged
from tests.processes import exporter

DAY = Span(491_520, 491_544)
NEXT_DAY = Span(491_544, 491_568)


def test_without_a_terminal_a_line_comes_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    paces = [Pace("brand/media", 0, 40), Pace("brand/post", 0, 4)]
    with Display(lambda: now) as display:
        for second in range(100):
            now = float(second)
            paces[0].done = second // 3
            paces[1].waits_for = "X's request limit"
            display.show(paces)
    assert capsys.readouterr().err.splitlines() == [
        f"brand/media {done} of 40; brand/post 0 of 4, waiting for X's request limit" for done in (10, 20, 30)
    ]
    assert LINE_SECONDS == 30


def test_on_a_terminal_bars_move(tmp_path: Path) -> None:
    with staged(tmp_path, media=2, days=100, media_metrics=["video_views"]) as stage:
        screen, terminal = pty.openpty()
        command = exporter(*stage.arguments("--output", str(tmp_path / "history.om")))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal) as process:
            os.close(terminal)
            seen = b""
            while piece := _read(screen):
                seen += piece
            assert process.wait(30) == 0
        os.close(screen)
    assert re.search(rb"brand/media.*4/4", seen, re.DOTALL)


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # Linux says so once the other side is closed
        return b""


def test_slices_in_a_row_that_failed_alike_are_told_as_one() -> None:
    told = joined(
        [
            Missed(NEXT_DAY, ("1", "2"), "X is down."),
            Missed(DAY, ("1", "2"), "X is down."),
            Missed(DAY, ("3",), "X is down."),
            Missed(NEXT_DAY, ("3",), "X says no."),
        ]
    )
    assert told == [
        Missed(Span(DAY.first, NEXT_DAY.end), ("1", "2"), "X is down."),
        Missed(DAY, ("3",), "X is down."),
        Missed(NEXT_DAY, ("3",), "X says no."),
    ]


def test_what_is_missing_is_told_by_item_and_hours(capsys: pytest.CaptureFixture[str]) -> None:
    items = tuple(Item(f"7_{number}", Kind.MEDIA, "brand", f"video {number}") for number in range(9))
    wanted = Wanted("brand", Kind.MEDIA, items, MEDIA_METRICS, (Endpoint.MEDIA_ANALYTICS,))
    problem = ItemProblem("7_8", ItemErrorType.RESOURCE_NOT_FOUND, "Could not find\x1b[31m it.")
    missed = [Missed(DAY, tuple(item.id for item in items[:8]), "X is down.")]
    assert not explain({"brand/media": Findings(5, missed, {"7_8": problem}, {})}, [wanted])
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith("video 8 (7_8): resource_not_found: Could not find")
    assert "\x1b" not in first
    assert second == (
        "brand/media: not had: 2026-01-27T00:00:00Z to 2026-01-28T00:00:00Z,"
        " 7_0, 7_1, 7_2, 7_3, 7_4 and 3 more: X is down."
    )
    assert last == "The same command asks again for what is missing, and for nothing else."


def test_a_complaint_about_an_item_with_figures_is_told_and_nothing_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = ItemProblem("7_8", ItemErrorType.NOT_AUTHORIZED_FOR_FIELD, "No such field for you.")
    assert explain({"brand/media": Findings(5, [], {}, {"7_8": problem})}, [])
    assert capsys.readouterr().err == "7_8 (7_8): not_authorized_for_field: No such field for you.\n"
