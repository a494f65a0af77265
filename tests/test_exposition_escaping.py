from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.escaping import escape_help, escape_label_value

# The library gives this one no types.
parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families

CONTROLS = "".join(chr(code) for code in (*range(32), 127) if chr(code) != "\n")
writable = st.text(st.characters(codec="utf-8", exclude_characters=CONTROLS))


@given(writable)
def test_a_label_value_is_read_back_as_it_was(value: str) -> None:
    line = f'x{{name="{escape_label_value(value)}"}} 1\n'
    (text,) = parse_text(line)
    (openmetrics,) = parse_openmetrics(f"# TYPE x gauge\n{line}# EOF\n")
    assert text.samples[0].labels == {"name": value}
    assert openmetrics.samples[0].labels == {"name": value}


@given(writable)
def test_a_help_text_is_read_back_with_single_quotes(value: str) -> None:
    # The parser of the text format strips what stands at the ends.
    line = f"# HELP x <{escape_help(value)}>\n# TYPE x gauge\nx 1\n"
    (text,) = parse_text(line)
    (openmetrics,) = parse_openmetrics(f"{line}# EOF\n")
    assert text.documentation == openmetrics.documentation == f"<{value.replace(chr(34), chr(39))}>"


@pytest.mark.parametrize("character", [*CONTROLS, "\ud800"], ids=ascii)
def test_what_no_format_can_carry_is_replaced(character: str) -> None:
    assert escape_label_value(f"a{character}b") == "a\ufffdb"
    assert escape_help(f"a{character}b") == "a\ufffdb"


def test_quote_backslash_and_line_feed_are_escaped() -> None:
    assert escape_label_value('a"b\\c\nd') == r"a\"b\\c\nd"
    assert escape_help('a"b\\c\nd') == r"a'b\\c\nd"
