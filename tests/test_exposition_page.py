from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.exposition.page import Family, Page
from exporter.exposition.piece import Piece, make_piece

FAMILIES = (
    Family("a", "gauge", "First."),
    Family("b", "gauge", 'Second, with a "quote".'),
    Family("c", "gauge", "Third."),
)
HEADS = {
    "a": b"# HELP a First.\n# TYPE a gauge\n",
    "b": b"# HELP b Second, with a 'quote'.\n# TYPE b gauge\n",
    "c": b"# HELP c Third.\n# TYPE c gauge\n",
}
slots = st.integers(0, 70).map(str)
names = st.sampled_from(sorted(HEADS))
texts = st.sampled_from([b"", b"a 1\n", b"a 2\n", b'b{id="7"} 3\n' * 40])
published = st.dictionaries(names, texts)
tails = st.sampled_from([b"", b"# EOF\n", b"own 1\n" * 50])


def pieces(lines: dict[str, bytes]) -> dict[str, Piece]:
    return {name: make_piece(text) for name, text in lines.items()}


def expected(model: dict[str, dict[str, bytes]], chosen: frozenset[str] | None, tail: bytes) -> bytes:
    page = b""
    for name, head in HEADS.items():
        samples = b"".join(slot.get(name, b"") for slot in model.values())
        if samples and (chosen is None or name in chosen):
            page += head + samples
    return page + tail


def ungzipped(body: bytes) -> bytes:
    """The text of a body that must be one gzip member and nothing else."""
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    text = reader.decompress(body)
    assert reader.eof
    assert reader.unused_data == b""
    return text


class PageHistory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page(FAMILIES)
        self.model: dict[str, dict[str, bytes]] = {}

    @rule(slot=slots, lines=published)
    def publish(self, slot: str, lines: dict[str, bytes]) -> None:
        self.page.publish(slot, pieces(lines))
        self.model[slot] = lines

    @rule(slot=slots, lines=published)
    def update(self, slot: str, lines: dict[str, bytes]) -> None:
        self.page.update(slot, pieces(lines))
        self.model[slot] = self.model.get(slot, {}) | lines

    @rule(slot=slots)
    def remove(self, slot: str) -> None:
        self.page.remove(slot)
        self.model.pop(slot, None)

    @rule(first=st.integers(0, 40), lines=published)
    def publish_many(self, first: int, lines: dict[str, bytes]) -> None:
        for number in range(first, first + 40):
            self.publish(str(number), lines)

    @rule()
    def clear(self) -> None:
        self.page.clear()
        self.model = {}

    @rule(chosen=st.frozensets(st.sampled_from([*HEADS, "elsewhere"])), tail=tails)
    def read_some(self, chosen: frozenset[str], tail: bytes) -> None:
        assert self.page.text(chosen, tail) == expected(self.model, chosen, tail)
        assert ungzipped(self.page.gzip(chosen, tail)) == expected(self.model, chosen, tail)

    @invariant()
    def text_and_gzip_say_what_was_published(self) -> None:
        assert self.page.text(None, b"# EOF\n") == expected(self.model, None, b"# EOF\n")
        assert ungzipped(self.page.gzip(None, b"# EOF\n")) == expected(self.model, None, b"# EOF\n")


TestPageHistory = PageHistory.TestCase


@given(st.dictionaries(slots, published), tails)
def test_the_length_is_known_before_the_parts_are_made(
    model: dict[str, dict[str, bytes]], tail: bytes
) -> None:
    page = Page(FAMILIES)
    for slot, lines in model.items():
        page.publish(slot, pieces(lines))
    for body in (page.text_body(None, tail), page.gzip_body(None, tail)):
        assert body.length == len(b"".join(body.parts))


def test_a_page_without_samples_is_its_tail() -> None:
    page = Page(FAMILIES)
    assert page.text(None, b"") == gzip.decompress(page.gzip(None, b"")) == b""
    assert gzip.decompress(page.gzip(None, b"# EOF\n")) == b"# EOF\n"


def test_slots_keep_the_place_of_their_first_publication() -> None:
    page = Page(FAMILIES)
    for slot in ("first", "second", "first"):
        page.publish(slot, {"a": make_piece(f'a{{slot="{slot}"}} 1\n'.encode())})
    assert page.text(None, b"") == HEADS["a"] + b'a{slot="first"} 1\na{slot="second"} 1\n'


def test_a_body_shows_the_page_as_it_was_when_asked_for() -> None:
    page = Page(FAMILIES)
    page.publish("slot", {"a": make_piece(b"a 1\n"), "b": make_piece(b"b 1\n")})
    text, packed = page.text_body(None, b""), page.gzip_body(None, b"")
    page.publish("slot", {"a": make_piece(b"a 2\n")})
    before = HEADS["a"] + b"a 1\n" + HEADS["b"] + b"b 1\n"
    assert b"".join(text.parts) == before
    assert gzip.decompress(b"".join(packed.parts)) == before


def test_an_unknown_family_is_refused_and_changes_nothing() -> None:
    page = Page(FAMILIES)
    page.publish("slot", {"a": make_piece(b"a 1\n")})
    before = page.text(None, b"")
    for change in (page.publish, page.update):
        with pytest.raises(KeyError, match="elsewhere"):
            change("slot", {"a": make_piece(b"a 2\n"), "elsewhere": make_piece(b"x 1\n")})
    assert page.text(None, b"") == before


def test_an_unchanged_page_is_not_joined_again() -> None:
    page = Page(FAMILIES)
    page.publish("slot", {"a": make_piece(b"a 1\n")})
    first = next(iter(page.gzip_body(None, b"x\n").parts))
    page.publish("slot", {"a": make_piece(b"a 1\n")})
    page.update("slot", {"b": make_piece(b"")})
    assert next(iter(page.gzip_body(None, b"y\n").parts)) is first


def test_a_large_page_as_text_comes_in_parts() -> None:
    page = Page(FAMILIES)
    lines = {
        f"slot {n}": "".join(f'a{{id="{n * 7919 + i * 104729}"}} {i}\n' for i in range(2000))
        for n in range(30)
    }
    for slot, text in lines.items():
        page.publish(slot, {"a": make_piece(text.encode())})
    parts = list(page.text_body(None, b"# EOF\n").parts)
    assert len(parts) > 3
    assert b"".join(parts) == HEADS["a"] + "".join(lines.values()).encode() + b"# EOF\n"
