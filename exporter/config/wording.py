"""From what pydantic refuses to sentences: where, what was found, what is allowed, what may have been meant.

Pydantic's own texts are never passed on: they speak of its types, and some repeat the input.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, Any, Final

from exporter.config import tree
from exporter.config.refusal import RefusedError
from exporter.config.tree import Mapping, Mark, Node, Path, Problem
from exporter.errors import Fault
from exporter.vocabulary import folded

if TYPE_CHECKING:
    # At run time this module does without them, so that a daemon can read a web configuration without them.
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

_LONGEST_GUESSED_FROM: Final = 60
_SECRET_PLACES: Final = frozenset({"auth", "basic_auth", "headers"})
# Of a web configuration, whose headers go to everybody.
_PUBLIC_PLACE: Final = "http_server_config"
# The mappings whose keys are free.
_FREE_KEYS: Final = frozenset({"labels", "external_labels", "headers"})


def problems_of(root: Mapping, errors: Iterable[ErrorDetails]) -> list[Problem]:
    """What pydantic found wrong in the file `root`, without what follows from a problem already known."""
    found = (_problem(root, error) for error in errors)
    return [problem for problem in found if problem is not None]


def fault(file: str, problem: Problem) -> Fault:
    """`problem` as people see it."""
    path = tree.dotted(_showable(problem.path))
    return Fault(file, problem.mark.line, problem.mark.column, path, problem.message)


def _showable(path: Path) -> Path:
    # A token that slipped into the place of a key must not be shown: below these only known keys are.
    start = next((index + 1 for index, step in enumerate(path) if step in _SECRET_PLACES), None)
    if start is None or _PUBLIC_PLACE in path:
        return path
    models = _models()
    known = {
        key for place in models if _SECRET_PLACES.intersection(place) for key in models[place].model_fields
    }
    for index in range(start, len(path)):
        if path[index] not in known:
            return path[:index]
    return path


def found(node: Node, allowed: str, why: str = "", choices: Sequence[str] = ()) -> str:
    """The sentence for a value that is not allowed."""
    guess = did_you_mean(node.text, choices) if isinstance(node, tree.Scalar) and not node.hidden else ""
    reason = f" ({why})" if why else ""
    return f"found {tree.shown(node)}{reason}{_but(guess)}: {allowed}"


def did_you_mean(text: str, choices: Sequence[str]) -> str:
    """``did you mean "likes"?`` where one of `choices` is close to `text`, else nothing."""
    if len(text) > _LONGEST_GUESSED_FROM:
        return ""
    by_spelling = {folded(choice): choice for choice in choices}
    close = difflib.get_close_matches(folded(text), by_spelling, n=1)
    return f'did you mean "{by_spelling[close[0]]}"?' if close else ""


def _but(guess: str) -> str:
    return f"; {guess} Allowed" if guess else "; allowed"


def keys_at(path: Path) -> tuple[str, ...]:
    """The keys that the mapping at `path` takes; empty where it takes any."""
    model = _models().get(tuple(step for step in path if isinstance(step, str)))
    return tuple(model.model_fields) if model else ()


def _models() -> MappingOf[tuple[str, ...], type[BaseModel]]:
    from exporter.config.schema import MODELS  # noqa: PLC0415 - see above

    return MODELS


def _problem(root: Mapping, error: ErrorDetails) -> Problem | None:
    location: Path = error["loc"]
    # How pydantic marks a problem with a mapping's key.
    names_key = location[-1:] == ("[key]",) and not _FREE_KEYS.isdisjoint(location[-3:-2])
    path, nodes = tree.follow(root, location[:-1] if names_key else location)
    if any(node.broken for node in nodes):
        return None
    if names_key:
        return _wrong_key(path, nodes, error)
    message = _SENTENCES.get(error["type"], _refused)(nodes[-1], location, error)
    if error["type"] == "extra_forbidden":
        return _at_key(path, nodes, message)
    if error["type"] == "missing":
        path = location
    return Problem(nodes[-1].mark, path, message) if message else None


def _wrong_key(path: Path, nodes: list[Node], error: ErrorDetails) -> Problem:
    mark, key = _key_mark(path, nodes), str(path[-1])
    refused = _refusal(error)
    reason = f" ({refused.why})" if refused.why else ""
    what = "a name that is not shown here" if nodes[-2].hidden else tree.quoted(key)
    return Problem(mark, path, f"found {what}{reason}; allowed: {refused.allowed}")


def _at_key(path: Path, nodes: list[Node], message: str) -> Problem:
    shown = path if tree.is_plain_key(str(path[-1])) else path[:-1]
    return Problem(_key_mark(path, nodes), shown, message)


def _key_mark(path: Path, nodes: list[Node]) -> Mark:
    parent = nodes[-2]
    return parent.entries[str(path[-1])].key_mark if isinstance(parent, Mapping) else nodes[-1].mark


def _refused(node: Node, _: Path, error: ErrorDetails) -> str:
    refused = _refusal(error)
    return found(node, refused.allowed, refused.why, refused.choices)


def _refusal(error: ErrorDetails) -> RefusedError:
    cause: Any = error.get("ctx", {}).get("error")
    return cause if isinstance(cause, RefusedError) else RefusedError("another value; see the reference")


def _missing(_: Node, location: Path, __: ErrorDetails) -> str:
    keys = ", ".join(keys_at(location[:-1]))
    return f"this key is required and missing; the keys here are {keys}"


def _unknown_key(node: Node, location: Path, _: ErrorDetails) -> str:
    key, keys = str(location[-1]), keys_at(location[:-1])
    secret = node.hidden or not tree.is_plain_key(key)
    name = " (not shown here)" if secret else f" {tree.quoted(key)}"
    return f"unknown key{name}{_but(did_you_mean(key, keys))}: {', '.join(keys)}"


def _no_mapping(node: Node, location: Path, _: ErrorDetails) -> str:
    keys = keys_at(location)
    return found(node, f"a mapping with keys of {', '.join(keys)}" if keys else "a mapping")


def _no_list(node: Node, _: Path, __: ErrorDetails) -> str:
    return found(node, "a list")


def _too_short(node: Node, _: Path, __: ErrorDetails) -> str:
    # Pydantic says so as well of a list whose entries were all refused.
    return found(node, "a list with at least one entry") if not getattr(node, "items", ()) else ""


_SENTENCES: Final[dict[str, Callable[[Node, Path, ErrorDetails], str]]] = {
    "value_error": _refused,
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "model_type": _no_mapping,
    "model_attributes_type": _no_mapping,
    "dict_type": _no_mapping,
    "tuple_type": _no_list,
    "too_short": _too_short,
}
