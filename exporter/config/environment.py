"""``${ENV_VAR}`` in values, and the marking of what must not be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from typing import Final

from exporter.config.tree import Mapping, Node, Path, Problem, Scalar, Sequence

# Below these keys no value is ever repeated, wherever in the file they stand.
_HIDDEN_KEYS: Final = frozenset(
    {
        "auth",
        "basic_auth",
        "bearer_token",
        "bearer_token_file",
        "headers",
        "proxy_url",
        "proxy_url_file",
    }
)
# What these keys hold is repeated unless it has a part that may be a secret.
_ADDRESSES: Final = frozenset({"base_url", "url"})
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<malformed>\{))")


def hide_secrets(node: Node, *, hidden: bool = False) -> None:
    """Mark as hidden everything below the keys that hold credentials."""
    if hidden and node.hidden:
        return
    node.hidden = node.hidden or hidden
    if isinstance(node, Sequence):
        for item in node.items:
            hide_secrets(item, hidden=hidden)
    elif isinstance(node, Mapping):
        for key, entry in node.entries.items():
            below = hidden or key in _HIDDEN_KEYS or (key in _ADDRESSES and _has_credentials(entry.value))
            hide_secrets(entry.value, hidden=below)


def _has_credentials(url: Node) -> bool:
    return isinstance(url, Scalar) and any(char in url.text for char in "@?#")


class Expansion:
    """Replaces references to environment variables in a tree, each value once, and hides what came of it.

    A variable that is not set, or a reference without a proper name, is a problem.
    """

    def __init__(self, environ: MappingOf[str, str]) -> None:
        self._environ = environ
        self._done: set[int] = set()
        self.problems: list[Problem] = []

    def expand(self, node: Node, path: Path = ()) -> None:
        """Expand `node`, which stands at `path`, and all below it."""
        if id(node) in self._done:
            return
        self._done.add(id(node))
        if isinstance(node, Scalar):
            self._expand_scalar(node, path)
        elif isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                self.expand(item, (*path, index))
        else:
            for key, entry in node.entries.items():
                self.expand(entry.value, (*path, key))

    def _expand_scalar(self, node: Scalar, path: Path) -> None:
        if "$" not in node.text:
            return
        wrong = [self._complaint(match) for match in _REFERENCE.finditer(node.text)]
        messages = [message for message in wrong if message]
        node.broken = node.broken or bool(messages)
        self.problems += [Problem(node.mark, path, message) for message in messages]
        if not messages:
            self._replace(node)

    def _complaint(self, match: re.Match[str]) -> str:
        if match["malformed"]:
            return "a ${ without a proper name and a }; write ${NAME}, or $$ for a dollar sign"
        if match["name"] and match["name"] not in self._environ:
            return f"the environment variable {match['name']} is not set"
        return ""

    def _replace(self, node: Scalar) -> None:
        from_environment = False

        def value(match: re.Match[str]) -> str:
            nonlocal from_environment
            from_environment = from_environment or bool(match["name"])
            return self._environ[match["name"]] if match["name"] else "$"

        node.text = _REFERENCE.sub(value, node.text)
        node.plain = False
        node.hidden = node.hidden or from_environment
