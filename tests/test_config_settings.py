"""A secret shows nowhere by accident."""

from __future__ import annotations

import copy
import dataclasses

from exporter.config.settings import BearerAuth, Secret


def test_a_secret_shows_in_no_text_made_from_it() -> None:
    secret = Secret("made-up")
    auth = BearerAuth(secret, None)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!s:>10}",
        f"{secret:>10}",
        repr(auth),
        str([secret]),
    ]
    assert all("made-up" not in text and "<secret>" in text for text in shown)
    assert "made-up" not in repr(dataclasses.asdict(auth))


def test_a_secret_reveals_its_text_when_asked() -> None:
    assert Secret("made-up").reveal() == "made-up"
    assert copy.deepcopy(Secret("made-up")).reveal() == "made-up"


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é\ud800") == Secret("é\ud800")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_secret_equals_no_plain_text() -> None:
    assert Secret("a") != "a"
