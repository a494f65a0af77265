"""What the body of a failed answer says, whatever shape it comes in; never raises.

X complains in at least five shapes: an OAuth error (`error`, `error_description`), a problem at the top
level (`type`, `title`, `detail`), the same wrapped in `errors[]`, an old `{code, message}`, alone or in
`errors[]`, and pages of whatever stands in front of X. Any of it may be cut, huge or hostile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import msgspec

from exporter.xapi.failure_words import shown

# The largest complaint known is 2 kB. A larger body is not parsed, only its beginning is shown.
_LARGEST_BODY_BYTES = 65_536
_MOST_ERRORS = 100
_MOST_PARAMETERS = 10

_TAG = re.compile(r"<[^<>]*>")
_PARAMETER = re.compile(r"[a-z][a-z_]{0,40}(?:\.[a-z_]{1,40})?")
_PARAMETER_IN_TEXT = re.compile(
    r"`([a-z][a-z_.]{0,80})` query parameter|query parameter \[([a-z][a-z_.]{0,80})\]",
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What X said, reduced to what decides. Fields it lacked are empty.

    `type` is the last segment of the problem's `type`, which comes on two hosts. `title`, `reason` and
    `oauth_error` are folded: lower case, without spaces, underscores and hyphens. `code` is the number
    of the old `{code, message}` shape. `parameters` are names of request parameters complained of.
    `reset_date` is as X wrote it. `detail` is X's own sentence, fit to be shown.
    """

    is_empty: bool = False
    is_json: bool = False
    type: str = ""
    title: str = ""
    reason: str = ""
    code: int | None = None
    oauth_error: str = ""
    reset_date: str = ""
    parameters: tuple[str, ...] = ()
    detail: str = ""


def read_complaint(body: bytes) -> Complaint:
    """The complaint in `body`, which may be any bytes at all."""
    if not body:
        return Complaint(is_empty=True)
    document = _document(body)
    if document is None:
        page = body[:_LARGEST_BODY_BYTES].decode("utf-8", "replace")
        return Complaint(detail=shown(_TAG.sub(" ", page)))
    entries = _objects(document.get("errors"))
    problem = _problem(document, entries)
    errors = _objects(problem.get("errors"))
    return Complaint(
        is_json=True,
        type=_text(problem, "type").rstrip("/").rpartition("/")[2].casefold(),
        title=folded(_text(problem, "title")),
        reason=folded(_text(problem, "reason")),
        code=_code(problem),
        oauth_error=folded(_text(document, "error")),
        reset_date=_text(problem, "reset_date"),
        parameters=_parameters([document, *entries, *errors]),
        detail=shown(_sentence([*errors[:1], problem, document])),
    )


def folded(spelling: str) -> str:
    """`spelling` as titles, reasons and OAuth errors are compared."""
    return re.sub(r"[\s_-]", "", spelling).casefold()


def _document(body: bytes) -> Mapping[str, object] | None:
    """The JSON object in `body`, None for anything else."""
    if len(body) > _LARGEST_BODY_BYTES:
        return None
    try:
        # A byte that is no UTF-8 spoils a word of the complaint, not its meaning.
        document = msgspec.json.decode(body.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _objects(errors: object) -> list[Mapping[str, object]]:
    entries = errors[:_MOST_ERRORS] if isinstance(errors, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _problem(document: Mapping[str, object], entries: list[Mapping[str, object]]) -> Mapping[str, object]:
    """Where the problem stands: at the top, or else first in `errors[]`."""
    if entries and not any(_text(document, key) for key in ("type", "title", "detail")):
        return entries[0]
    return document


def _text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def _code(problem: Mapping[str, object]) -> int | None:
    code = problem.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _sentence(objects: list[Mapping[str, object]]) -> str:
    """X's most telling sentence; `objects` go from one error to all, since what it says of one tells more."""
    keys = ("error_description", "message", "detail", "title", "error")
    candidates = (_text(entry, key) for entry in objects for key in keys)
    return next((candidate for candidate in candidates if candidate.strip()), "")


def _parameters(objects: list[Mapping[str, object]]) -> tuple[str, ...]:
    """Names X complained of, in its order. What is no name of a parameter is left out: it may be anything."""
    names = (name for entry in objects for name in _named(entry) if _PARAMETER.fullmatch(name))
    return tuple(islice(dict.fromkeys(names), _MOST_PARAMETERS))


def _named(entry: Mapping[str, object]) -> Iterator[str]:
    parameters = entry.get("parameters")
    if isinstance(parameters, dict):
        yield from parameters
    yield _text(entry, "parameter")
    for match in _PARAMETER_IN_TEXT.finditer(_text(entry, "message") + " " + _text(entry, "detail")):
        yield match[1] or match[2]
