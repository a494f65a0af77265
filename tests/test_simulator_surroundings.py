"""What surrounds every answer of the simulated X: headers and the log."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from tests.simulator_support import (
    HOUR,
    MEDIA_PATH,
    NOW,
    POST,
    THIS_HOUR,
    TOKEN,
    get,
    make,
    media_query,
)


def test_good_answers_carry_the_headers_of_x() -> None:
    simulator = make()
    simulator.turn(date_skew_seconds=3600.0, access_level="read")
    response = get(simulator, MEDIA_PATH, media_query())
    assert response.header("content-type") == "application/json; charset=utf-8"
    assert response.header("x-access-level") == "read"
    assert response.header("api-version") == "2.168"
    transaction = response.header("x-transaction-id")
    assert transaction is not None
    assert len(transaction) == 16
    assert int(transaction, 16)
    date = response.header("date")
    assert date is not None
    assert int(parsedate_to_datetime(date).timestamp()) == int(NOW) + 3600
    assert simulator.requests[-1].transaction_id == transaction


def test_the_log_says_who_asked_for_what_and_keeps_no_token() -> None:
    simulator = make()
    get(simulator, MEDIA_PATH, media_query())
    get(simulator, MEDIA_PATH, media_query(), "wrong")
    get(simulator, "/2/nowhere")
    calls = [(call.endpoint, call.account, call.status) for call in simulator.requests]
    assert calls == [("media_analytics", "brand", 200), ("media_analytics", "", 401), ("unknown", "", 404)]
    assert simulator.counts["media_analytics"] == 2
    assert TOKEN not in repr(simulator.requests) + repr(simulator.world.accounts)


def test_a_metric_may_be_asked_about_in_either_spelling_and_must_exist() -> None:
    simulator = make()
    hour = THIS_HOUR - 5 * HOUR
    assert simulator.truth(POST, "UrlClicks", hour) == simulator.truth(POST, "url_clicks", hour)
    with pytest.raises(KeyError):
        simulator.truth(POST, "playback25", hour)
