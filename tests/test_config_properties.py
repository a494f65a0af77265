"""Whatever a file holds, reading it gives a configuration or a `ConfigError`, and no secret comes out."""

from __future__ import annotations

import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from exporter.config import values
from exporter.config.load import parse_config
from exporter.config.settings import Config
from exporter.errors import ConfigError

SECRET = "Zq7PLANTEDx9"
BEFORE = """\
api: {base_url: 'https://api.x.com', timeout: 30s, max_concurrency: 4}
poll:
  every: 1h
  stale_after: "4h"
state_dir: ./state
history: {keep: 30d}
remote_write:
  url: http://receiver.example/write
  basic_auth: {username: exporter, password: Zq7PLANTEDx9}
  headers: {X-Scope-OrgID: Zq7PLANTEDx9}
  tls_config:
  settle: 1h
  external_labels: {site: main}
accounts:
  - name: &name brand
"""
AUTH_FORMS = (
    f"    auth: {{bearer_token: {SECRET}}}\n",
    f'    auth:\n      bearer_token: "{SECRET} {SECRET}"\n      {SECRET}: 1\n',
    f"    auth:\n      bearer_token_file: {SECRET}\n      bearer_token:{SECRET}\n",
    f"    auth:\n      oauth1: {{consumer_key: [{SECRET}], consumer_secret: '{SECRET}', tokn: {SECRET}}}\n",
    f"    auth: {{oauth2: {{client_id: {SECRET}, client_type: {SECRET}, client_secret: '${{{{{SECRET}'}}}}\n",
    f"    auth: !{SECRET} {{bearer_token: '${{TOKEN}}', oauth2: *{SECRET}}}\n",
    f"    auth: {SECRET}\n",
)
AFTER = """\
    media:
      - 13_1880028106020515840
      - {id: "7_1", name: Launch trailer, labels: {campaign: spring}}
    posts: [1880028106020515841, {id: 18, name: '${TOKEN}'}]
    media_metrics: [video_views, WatchTimeMs]
    post_source: auto
"""
FRAGMENTS = st.one_of(
    st.text(alphabet=string.punctuation + " \n\t", max_size=4),
    st.sampled_from(
        ["&a ", "*a", "*name", "<<: ", "!!python/name:os.system ", "---\n", "? ", "null", "[", "{", "|\n",
         ">-\n", "${TOKEN}", "${NONE}", "$$", "name", "media:\n", "'", '"', "\\u0000", "\x00", "é"]
    ),
    st.text(max_size=6),
)  # fmt: skip


def outcome(data: bytes) -> Config | str:
    """What reading comes to: the configuration, or what a person is told."""
    try:
        return parse_config(data, "config.yaml", Path(__file__).parent, {"TOKEN": SECRET})
    except ConfigError as error:
        told = error
    assert told.faults
    assert all(fault.message for fault in told.faults)
    return str(told)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """`text` with up to three spans replaced by fragments."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 8)))
        text = text[:start] + draw(FRAGMENTS) + text[end:]
    return text


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert isinstance(outcome(data), Config | str)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert isinstance(outcome(text.encode("utf-8", "replace")), Config | str)


@given(st.lists(FRAGMENTS, max_size=30))
def test_any_heap_of_yaml_marks_is_read_or_refused(fragments: list[str]) -> None:
    assert isinstance(outcome("".join(fragments).encode("utf-8", "replace")), Config | str)


@given(mutated(BEFORE), st.sampled_from(AUTH_FORMS), mutated(AFTER))
def test_no_damage_to_a_file_makes_it_repeat_a_secret(before: str, auth: str, after: str) -> None:
    told = outcome((before + auth + after).encode("utf-8", "replace"))
    assert SECRET not in (told if isinstance(told, str) else repr((told.accounts[0].auth, told.remote_write)))


@given(st.recursive(st.none() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_any_value_at_any_key_is_refused_in_our_own_words(value: object) -> None:
    flow = str(value).replace("None", "null") if not isinstance(value, str) else repr(value)
    for key in ("api", "poll", "state_dir", "history", "remote_write", "accounts"):
        told = outcome(f"{key}: {flow}\n".encode("utf-8", "replace"))
        assert isinstance(told, str)
        assert "pydantic" not in told
        assert "Input should" not in told


@given(st.integers(0, 10**9))
def test_a_duration_is_read_back_from_its_own_text(seconds: int) -> None:
    assert values.duration_seconds(values.duration_text(seconds)) == seconds


@given(st.integers(0, 10**19 - 1), st.sampled_from(["x.com", "www.twitter.com", "mobile.x.com"]))
def test_a_posts_address_means_its_id(number: int, host: str) -> None:
    assert values.post_id(f"https://{host}/i/web/status/{number}?s=20") == str(number)
