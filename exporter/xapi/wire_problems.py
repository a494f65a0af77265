"""What X complains of in an answer that is otherwise good.

Nothing here raises: a complaint in a shape nobody knows is passed over, the figures beside it stand.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from exporter.model import ItemErrorType, ItemProblem
from exporter.xapi.wire_values import parsed

DETAIL_CHARACTERS = 300

_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)

# By the last segment of a problem's type, or its title, in lower case with underscores.
_TYPES = {known.value: known for known in ItemErrorType} | {
    "field_unauthorized": ItemErrorType.NOT_AUTHORIZED_FOR_FIELD,
    "not_found_error": ItemErrorType.RESOURCE_NOT_FOUND,
    "authorization_error": ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE,
    "field_authorization_error": ItemErrorType.NOT_AUTHORIZED_FOR_FIELD,
}


def read_problems(errors: msgspec.Raw) -> Iterator[ItemProblem]:
    """Yield the problems of an answer's top-level `errors[]`."""
    for entry in _objects(errors):
        title = _text(entry, "title")
        yield ItemProblem(
            id=_text(entry, "resource_id") or _text(entry, "value") or None,
            type=_type(_text(entry, "type"), title),
            detail=(_text(entry, "detail") or title)[:DETAIL_CHARACTERS],
        )


def read_engagement_errors(errors: msgspec.Raw) -> Iterator[ItemProblem]:
    """Yield one problem per post that an entry of `data[].errors[]` of `/2/insights/28hr` names.

    An entry that names none is one problem without an id.
    """
    for entry in _objects(errors):
        detail = _text(entry, "error")[:DETAIL_CHARACTERS]
        for post_id in _texts(entry, "tweets") or [None]:
            yield ItemProblem(post_id, ItemErrorType.ENGAGEMENT_ERROR, detail)


def _type(uri: str, title: str) -> ItemErrorType:
    # The host varies, api.x.com or api.twitter.com; only the last segment says anything.
    for name in (uri.rpartition("/")[2], title):
        known = _TYPES.get(name.casefold().replace("-", "_").replace(" ", "_"))
        if known is not None:
            return known
    return ItemErrorType.OTHER


def _objects(errors: msgspec.Raw) -> Iterator[dict[str, msgspec.Raw]]:
    for entry in parsed(errors, _LIST) or [errors]:
        found = parsed(entry, _OBJECT)
        if found:
            yield found


def _text(entry: dict[str, msgspec.Raw], key: str) -> str:
    return (parsed(entry[key], _TEXT) or "") if key in entry else ""


def _texts(entry: dict[str, msgspec.Raw], key: str) -> list[str | None]:
    found = parsed(entry[key], _LIST) if key in entry else None
    return [text for raw in found or [] if (text := parsed(raw, _TEXT))]
