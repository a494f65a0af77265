"""A YAML file as nodes that know where they stand, and the problems found in them.

A node may hang in several places, since aliases and merge keys share it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file, such as ``("accounts", 0, "name")``."""

# What YAML 1.1 and 1.2 both read as "no value" when it is not quoted.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LONGEST_SHOWN = 60
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file; line and column count from 1, and 0 stands for the file as a whole."""

    line: int = 0
    column: int = 0


@dataclass(slots=True)
class _Base:
    """What all nodes share.

    `hidden` is set where the content must not be repeated to people. `broken` is set where a problem
    has been reported already, so that no second one follows from it. `size` counts the values in the
    node, those behind aliases as often as they stand there.
    """

    mark: Mark
    hidden: bool = field(default=False, kw_only=True)
    broken: bool = field(default=False, kw_only=True)
    size: int = field(default=1, kw_only=True)


@dataclass(slots=True)
class Scalar(_Base):
    """A text as it is written; `plain` when it stands without quotes."""

    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether no value is given here."""
        return self.plain and self.text in _NULLS


@dataclass(slots=True)
class Sequence(_Base):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value, and where the key stands."""

    key_mark: Mark
    value: Node


@dataclass(slots=True)
class Mapping(_Base):
    """Keys and values, in the file's order."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def get(self, key: str) -> Node | None:
        """The value of `key`, None where it is not given."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node = Scalar | Sequence | Mapping
Plain = None | str | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of the file; becomes an `exporter.errors.Fault`."""

    mark: Mark
    path: Path
    message: str


def plain(node: Node) -> Plain:
    """`node` without marks: texts, lists, dicts, and None for no value."""
    if isinstance(node, Scalar):
        return None if node.is_null else node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


def follow(root: Node, path: Path) -> tuple[Path, list[Node]]:
    """Walk `path` as far as the file goes: the part of it that exists, and the nodes met, root first."""
    nodes = [root]
    for depth, step in enumerate(path):
        child = _child(nodes[-1], step)
        if child is None:
            return path[:depth], nodes
        nodes.append(child)
    return path, nodes


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node, Mapping) and isinstance(step, str):
        return node.get(step)
    if isinstance(node, Sequence) and isinstance(step, int):
        return node.items[step]
    return None


def dotted(path: Path) -> str:
    """`path` as people write it: ``accounts[0].media[2].id``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif is_plain_key(step):
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step)}]"
    return text


def is_plain_key(key: str) -> bool:
    """Whether `key` looks like a key, and not like a value that slipped into its place."""
    return _PLAIN_KEY.fullmatch(key) is not None


def quoted(text: str) -> str:
    """`text` in double quotes, fit for a terminal: shortened, and without control characters."""
    short = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
    return '"' + "".join(char if char.isprintable() else _escaped(char) for char in short) + '"'


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shown(node: Node) -> str:
    """What stands at `node`, in words that may be shown."""
    if isinstance(node, Scalar):
        if node.is_null:
            return "nothing"
        return "a value that is not shown here" if node.hidden and node.text else quoted(node.text)
    if isinstance(node, Sequence):
        return "a list" if node.items else "an empty list"
    return "a mapping" if node.entries else "an empty mapping"
