"""From a file's bytes to its tree: UTF-8, YAML syntax, one document, no tags, no key twice.

The tree is built from PyYAML's events, not by its composer: the composer recurses as deep as the file
nests, reads ``13_188`` as a number, and lets a repeated key win in silence. The parser's own error texts
quote the file, so none of them is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml

from exporter.config.tree import Mapping, Mark, Node, Problem, Scalar
from exporter.config.treebuilder import NO_TAGS, TreeBuilder, UnreadableError

MAX_BYTES: Final = 10_000_000

# The characters that YAML 1.1 does not allow in a file.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# LibYAML is ten times faster; a PyYAML built without it has only its own parser.
_FASTEST: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_COLON = "a colon stands where no key can end; check the indentation, or quote a text that holds a colon"
_NO_COLON = (
    "a line that is neither a key nor part of a value; check indentation and the space after the colon"
)
_QUOTE = "the quote that opens here is never closed"
_BRACKET = "a bracket or brace is never closed, or a value is missing before it"
_ESCAPE = "a backslash in double quotes that begins no escape; double it, or use single quotes"
_INDENTATION = "the indentation does not fit the lines above"
# Parts of what PyYAML's two parsers say, and what is said instead.
_SYNTAX: Final = (
    ("mapping values are not allowed", _COLON),
    ("unexpected end of stream", _QUOTE),
    ("unexpected document separator", _QUOTE),
    ("expected ':'", _NO_COLON),
    ("expected ',' or ']'", "a list in brackets misses a comma or its closing bracket"),
    ("expected ',' or '}'", "a mapping in braces misses a comma or its closing brace"),
    ("expected node content", _BRACKET),
    ("expected the node content", _BRACKET),
    ("unknown escape", _ESCAPE),
    ("hexdecimal numbers", _ESCAPE),
    ("entries are not allowed", "a dash of a list stands where no list can begin"),
    ("<block end>", _INDENTATION),
    ("expected key", _INDENTATION),
    ("expected '-' indicator", _INDENTATION),
    ("alphabetic or numeric character", "a text that begins with * or & must be quoted"),
    ("undefined tag handle", NO_TAGS),
)
_ANY_SYNTAX = "this is not valid YAML; check indentation, quotes and brackets here and in the line above"


def read_document(
    data: bytes, loader: type[yaml.SafeLoader] = _FASTEST
) -> tuple[Mapping | None, list[Problem]]:
    """The tree of a configuration file, and what is wrong with it as a file.

    None where it cannot be read far enough to look at its keys. `loader` is the PyYAML class that parses.
    """
    builder = TreeBuilder()
    try:
        for event in _events(_decoded(data), loader):
            builder.feed(event)
        return _top_mapping(builder.root), builder.problems
    except UnreadableError as error:
        return None, [*builder.problems, error.problem]


def _top_mapping(root: Node | None) -> Mapping | None:
    if isinstance(root, Mapping):
        return root
    if root is None or (isinstance(root, Scalar) and root.is_null and not root.broken):
        raise UnreadableError(Problem(Mark(), (), "the file is empty; it needs at least the key accounts"))
    if not root.broken:
        raise UnreadableError(
            Problem(root.mark, (), "the top level must be a mapping, with keys such as accounts")
        )
    return None


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise UnreadableError(Problem(Mark(), (), f"the file is larger than {MAX_BYTES // 1_000_000} MB"))
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        mark = _mark_at(data[: error.start].decode("utf-8", "replace"), None)
        raise UnreadableError(
            Problem(mark, (), "the file is not text in UTF-8; save it in that encoding")
        ) from None
    bad = _FORBIDDEN.search(text)
    if bad:
        message = f"a control character (U+{ord(bad[0]):04X}); remove it, this must be a text file"
        raise UnreadableError(Problem(_mark_at(text, bad.start()), (), message))
    return text


def _mark_at(text: str, index: int | None) -> Mark:
    before = text[:index]
    return Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _events(text: str, loader: type[yaml.SafeLoader]) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.YAMLError as error:
        raise UnreadableError(_syntax_problem(text, error)) from None


def _syntax_problem(text: str, error: yaml.YAMLError) -> Problem:
    said = str(getattr(error, "problem", ""))
    mark = _mark_of(error, said)
    return Problem(mark, (), _character_sentence(text, mark) or _syntax_sentence(said))


def _mark_of(error: yaml.YAMLError, said: str) -> Mark:
    # An unclosed quote is noticed at the end of the file and known by where it opens.
    order = ("context_mark", "problem_mark") if "unexpected" in said else ("problem_mark", "context_mark")
    marks = (getattr(error, name, None) for name in order)
    return next((Mark(mark.line + 1, mark.column + 1) for mark in marks if mark), Mark())


def _character_sentence(text: str, mark: Mark) -> str:
    line = "".join(text.splitlines()[mark.line - 1 : mark.line])
    char = line[mark.column - 1 : mark.column]
    if char == "\t":
        return "a tab stands where YAML allows only spaces; indent with spaces"
    if char and char in "@`%":
        return "a text that begins with @, % or a backquote must be quoted"
    return ""


def _syntax_sentence(said: str) -> str:
    return next((sentence for part, sentence in _SYNTAX if part in said), _ANY_SYNTAX)
