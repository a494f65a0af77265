"""YAML events to tree, one event at a time and without recursion, so that no file can exhaust the stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import yaml

from exporter.config.tree import Entry, Mapping, Mark, Node, Path, Problem, Scalar, Sequence

MAX_DEPTH: Final = 32
# How many values aliases may stand for in all; enough to share any real list, too few to fill the memory.
MAX_ALIASED: Final = 100_000

NO_TAGS: Final = "YAML tags are not allowed; quote a text that begins with an exclamation mark"
_SELF: Final = "an alias of the value that it stands in"
_NO_ANCHOR: Final = "an alias without anchor; quote a text that begins with *"


class UnreadableError(Exception):
    """The file cannot be read any further, because of `problem`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet; `key` is the mapping's key that waits for its value.

    `dropped` is set when that value is to be ignored, because its key is wrong.
    """

    node: Sequence | Mapping
    anchor: str | None
    key: Scalar | None = None
    dropped: bool = False
    merged: list[Mapping] = field(default_factory=list)


class TreeBuilder:
    """Takes events in order; afterwards `root` is the document and `problems` what is wrong with it.

    Raises `UnreadableError` where reading on is pointless.
    """

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        # None while the anchored node is still being built.
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0
        self._aliased = 0

    def feed(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._start_document(_mark(event))
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._alias(event))
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._end()

    def _start_document(self, mark: Mark) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._unreadable(mark, "a second document begins here; allowed: one document per file")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        # A quote that closes lines later may have swallowed a secret.
        hidden = _mark(event).line != _end_line(event)
        node = Scalar(_mark(event), event.value, plain=event.implicit[0], hidden=hidden)
        self._refuse_tag(node, event.tag)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._place(node)

    def _start(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        mark = _mark(event)
        if len(self._open) >= MAX_DEPTH:
            raise self._unreadable(mark, f"nested more than {MAX_DEPTH} deep")
        node = Mapping(mark) if isinstance(event, yaml.MappingStartEvent) else Sequence(mark)
        self._refuse_tag(node, event.tag)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Open(node, event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.node, Mapping):
            for source in done.merged:
                done.node.entries = {**source.entries, **done.node.entries}
        if done.anchor:
            self._anchors[done.anchor] = done.node
        self._place(done.node)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        mark = _mark(event)
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self._report(mark, _SELF if event.anchor in self._anchors else _NO_ANCHOR)
            return Scalar(mark, "", plain=True, broken=True)
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            raise self._unreadable(mark, f"the file's aliases stand for more than {MAX_ALIASED} values")
        return node

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.node.size += node.size
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None and not parent.dropped:
            self._take_key(parent, node)
        else:
            self._take_value(parent, parent.node, node)

    def _take_key(self, parent: _Open, node: Node) -> None:
        if isinstance(node, Scalar) and not node.is_null:
            parent.key = node
            return
        parent.dropped = True
        if not node.broken:
            self._report(node.mark, "found a key that is no text; allowed: a key, a colon and a space")

    def _take_value(self, parent: _Open, mapping: Mapping, value: Node) -> None:
        key, dropped, parent.key, parent.dropped = parent.key, parent.dropped, None, False
        if key is None or dropped:
            return
        if key.plain and key.text == "<<":
            self._take_merge(parent, key, value)
        elif key.text in mapping.entries:
            first = mapping.entries[key.text].key_mark.line
            self._report(key.mark, f"this key stands twice, first in line {first}; keep one", key.text)
        else:
            mapping.entries[key.text] = Entry(key.mark, value)

    def _take_merge(self, parent: _Open, key: Scalar, value: Node) -> None:
        sources = value.items if isinstance(value, Sequence) else [value]
        mappings = [source for source in sources if isinstance(source, Mapping)]
        if parent.merged:
            self._report(key.mark, "the merge key << stands twice; give one list of aliases")
        elif len(mappings) == len(sources):
            parent.merged = mappings
        elif not value.broken:
            self._report(value.mark, "the merge key << takes an alias of a mapping, or a list of them")

    def _refuse_tag(self, node: Node, tag: str | None) -> None:
        if tag is not None:
            node.broken = True
            self._report(node.mark, NO_TAGS)

    def _report(self, mark: Mark, message: str, *steps: str) -> None:
        self.problems.append(Problem(mark, (*self._path(), *steps), message))

    def _unreadable(self, mark: Mark, message: str) -> UnreadableError:
        return UnreadableError(Problem(mark, self._path(), message))

    def _path(self) -> Path:
        return tuple(step for frame in self._open for step in _steps(frame))


def _steps(frame: _Open) -> Path:
    if isinstance(frame.node, Sequence):
        return (len(frame.node.items),)
    return (frame.key.text,) if frame.key else ()


def _end_line(event: yaml.Event) -> int:
    return event.end_mark.line + 1 if event.end_mark else 0


def _mark(event: yaml.Event) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1) if start else Mark()
