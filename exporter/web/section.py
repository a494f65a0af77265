"""One mapping of the web configuration file: its keys, taken out one by one, and what is wrong with them.

The tree and the sentences are those of the main configuration, from `exporter.config`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from exporter.config import tree, wording
from exporter.config.refusal import RefusedError
from exporter.config.tree import Mapping, Node, Path, Problem, Scalar

T = TypeVar("T")


class Section:
    """A mapping that takes `keys`, or any where that is None; an unknown key is a problem at once.

    A key without a value, or with an empty text, counts as not given, as it does in exporter-toolkit.
    """

    def __init__(
        self, node: Mapping, path: Path, problems: list[Problem], keys: Sequence[str] | None
    ) -> None:
        self._node = node
        self._path = path
        self._problems = problems
        self._refuse_unknown(keys)

    def section(self, key: str, keys: Sequence[str] | None) -> Section:
        """The mapping at `key`; an empty one where the key is not given or no mapping."""
        node = self._given(key)
        if node is not None and not isinstance(node, Mapping):
            allowed = f"a mapping with keys of {', '.join(keys)}" if keys else "a mapping"
            self._report(node, (key,), wording.found(node, allowed))
        found = node if isinstance(node, Mapping) else Mapping(self._node.mark)
        return Section(found, (*self._path, key), self._problems, keys)

    def value(
        self, key: str, parse: Callable[[str], T | None], allowed: str, choices: Sequence[str] = ()
    ) -> T | None:
        """What `parse` makes of the text at `key`; None where it is not given or refused.

        `parse` refuses with None, or with a `RefusedError` that says why.
        """
        node = self._given(key)
        return None if node is None else self._parsed(node, (key,), parse, allowed, choices)

    def values(
        self, key: str, parse: Callable[[str], T | None], allowed: str, choices: Sequence[str] = ()
    ) -> tuple[T, ...] | None:
        """What `parse` makes of each text in the list at `key`; None where it is not given or refused."""
        node = self._given(key)
        if node is None:
            return None
        if not isinstance(node, tree.Sequence) or not node.items:
            self._report(node, (key,), wording.found(node, "a list with at least one entry"))
            return None
        parsed = [
            self._parsed(item, (key, index), parse, allowed, choices) for index, item in enumerate(node.items)
        ]
        return tuple(each for each in parsed if each is not None)

    def keys(self) -> tuple[str, ...]:
        """The keys that stand here, in the file's order."""
        return tuple(self._node.entries)

    def text(self, key: str) -> str | None:
        """The text at `key` as it is written; None where it is not given or no text."""
        node = self._given(key)
        return node.text if isinstance(node, Scalar) else None

    def has(self, *keys: str) -> bool:
        """Whether any of `keys` is given."""
        return any(self._given(key) is not None for key in keys)

    def refuse(self, key: str, message: str) -> None:
        """Report `message` about the value of `key`, or about the mapping where there is no such key."""
        node = self._node.get(key)
        self._report(self._node if node is None else node, (key,), message)

    def refuse_value(self, key: str, why: str, allowed: str) -> None:
        """Report that the value of `key` cannot be used."""
        node = self._node.entries[key].value
        self._report(node, (key,), wording.found(node, allowed, why))

    def _given(self, key: str) -> Node | None:
        node = self._node.get(key)
        empty = isinstance(node, Scalar) and not node.broken and (node.is_null or not node.text)
        return None if empty else node

    def _parsed(
        self,
        node: Node,
        steps: Path,
        parse: Callable[[str], T | None],
        allowed: str,
        choices: Sequence[str],
    ) -> T | None:
        try:
            result = parse(node.text) if isinstance(node, Scalar) else None
        except RefusedError as error:
            # A word that is known is no slip of the pen for another.
            self._report(node, steps, wording.found(node, allowed, error.why))
            return None
        if result is None:
            self._report(node, steps, wording.found(node, allowed, choices=choices))
        return result

    def _report(self, node: Node, steps: Path, message: str) -> None:
        if not node.broken:
            self._problems.append(Problem(node.mark, (*self._path, *steps), message))

    def _refuse_unknown(self, keys: Sequence[str] | None) -> None:
        if keys is None:
            return
        for key, entry in self._node.entries.items():
            if key in keys:
                continue
            secret = entry.value.hidden or not tree.is_plain_key(key)
            name = " (not shown here)" if secret else f" {tree.quoted(key)}"
            guess = wording.did_you_mean(key, keys)
            but = f"; {guess} Allowed" if guess else "; allowed"
            path = self._path if secret else (*self._path, key)
            message = f"unknown key{name}{but}: {', '.join(keys)}"
            self._problems.append(Problem(entry.key_mark, path, message))
