"""The kinds of values that keys take: each a check, the words for what is allowed, and a JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import PlainValidator, WithJsonSchema

from exporter.config import files, values
from exporter.config.checks import checked, duration, from_file, nothing_is
from exporter.config.settings import ClientType, PostSource, Secret
from exporter.model import Kind
from exporter.vocabulary import Metric, metrics_of

POST_SOURCES: Final[dict[str, PostSource]] = {
    "auto": "auto",
    "insights_28hr": "insights_28hr",
    "tweets_analytics": "tweets_analytics",
}
CLIENT_TYPES: Final[dict[str, ClientType]] = {"confidential": "confidential", "public": "public"}

# In the JSON Schema, a value that is not text may still come from the environment.
REFERENCE: Final = r"\$\{"


def text_schema(pattern: str, title: str) -> WithJsonSchema:
    """JSON Schema of a text that follows `pattern`."""
    return WithJsonSchema({"type": "string", "title": title, "pattern": f"^(?:{pattern})$|{REFERENCE}"})


_DURATION_SCHEMA = text_schema(f"(?!$){values.DURATION}", "duration")

Timeout = Annotated[
    float, duration("a duration from 1s to 1h, such as 30s or 1m30s", 1, 3600), _DURATION_SCHEMA
]
Every = Annotated[
    float, duration("a duration from 1m to 24h, such as 15m, 1h or 1h30m", 60, 86400), _DURATION_SCHEMA
]
Wait = Annotated[
    float, duration("a duration from 0s to 24h, such as 30s, 5m or 1h30m", 0, 86400), _DURATION_SCHEMA
]
Duration = Annotated[float, duration("a duration, such as 30m, 4h or 7d", 0), _DURATION_SCHEMA]
Keep = Annotated[
    float,
    duration("a duration from 2d to 400d, such as 35d", 2 * 86400, 400 * 86400),
    _DURATION_SCHEMA,
]
LongWait = Annotated[
    float, duration("a duration from 0s to 48h, such as 30m, 2h or 1d", 0, 48 * 3600), _DURATION_SCHEMA
]


_SWITCH: Final = {"true": True, "false": False}
Switch = Annotated[
    bool,
    checked(_SWITCH.get, "one of true, false", tuple(_SWITCH)),
    WithJsonSchema(
        {
            "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^(?:true|false)$|{REFERENCE}"}],
            "title": "true or false",
        }
    ),
]


def _concurrency(text: str) -> int | None:
    number = values.whole_number(text)
    return number if number and number <= 64 else None  # noqa: PLR2004 - said below


Concurrency = Annotated[
    int,
    checked(_concurrency, "a whole number from 1 to 64"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 64},
                {"type": "string", "pattern": f"^[0-9]{{1,9}}$|{REFERENCE}"},
            ],
            "title": "whole number",
        }
    ),
]

BaseUrl = Annotated[
    str,
    checked(
        values.base_url,
        "an https:// address without user, password, query and fragment, such as https://api.x.com;"
        " http:// only for a loopback host",
    ),
    WithJsonSchema({"type": "string", "title": "URL"}),
]


def secret(
    parse: Callable[[str], str | None], allowed: str, hint: Callable[[str], str] = lambda _: ""
) -> PlainValidator:
    """A text that `parse` accepts, as a `Secret`; `hint` may say why another one is refused."""

    def make(text: str) -> Secret | None:
        checked = parse(text)
        return None if checked is None else Secret(checked)

    return checked(make, allowed, hint=hint)


def _secret_file(path: Path) -> Secret:
    return Secret(files.read_token(path))


def _proxy_file(path: Path) -> Secret:
    text = files.read_token(path)
    if values.proxy_url(text) is None:
        raise files.UnusableFileError("the file holds no such address")
    return Secret(text)


def _token_file(path: Path) -> Path:
    files.read_token(path)
    return path


def _certificates(path: Path) -> Path:
    files.check_certificates(path)
    return path


def _directory(path: Path) -> Path:
    files.check_directory(path)
    return path


SECRET_SCHEMA = WithJsonSchema({"type": "string", "title": "secret", "minLength": 1})
FILE_SCHEMA = WithJsonSchema({"type": "string", "title": "file", "minLength": 1})
FILE = "a readable file that holds the secret alone; a relative path starts in the config file's folder"
_HEADER_TEXT = "a text that is not empty, without spaces, line breaks and characters beyond ASCII"
_PROXY = "an http:// or https:// address of a proxy, such as http://user:password@proxy.example:3128"

# The optional ones are None by default and never None when their key is given.
SecretText = Annotated[
    Secret | None,
    secret(values.token, _HEADER_TEXT),
    SECRET_SCHEMA,
]
SecretFile = Annotated[Secret | None, from_file(_secret_file, FILE), FILE_SCHEMA]
TokenFile = Annotated[Path | None, from_file(_token_file, FILE), FILE_SCHEMA]
ClientId = Annotated[
    str,
    checked(values.token, _HEADER_TEXT),
    WithJsonSchema({"type": "string", "title": "text", "minLength": 1}),
]
ProxyUrl = Annotated[
    Secret | None,
    secret(values.proxy_url, _PROXY),
    WithJsonSchema({"type": "string", "title": "secret URL"}),
]
ProxyUrlFile = Annotated[
    Secret | None, from_file(_proxy_file, f"a readable file that holds {_PROXY}"), FILE_SCHEMA
]
CaFile = Annotated[
    Path | None, from_file(_certificates, "a readable file with certificates in PEM form"), FILE_SCHEMA
]
StateDir = Annotated[
    Path,
    from_file(_directory, "a directory, or a path where one can be made"),
    WithJsonSchema({"type": "string", "title": "directory", "minLength": 1}),
]

AccountName = Annotated[
    str,
    checked(
        values.account_name,
        "1 to 63 characters: lower-case letters, digits, _ and -, beginning with a letter or digit",
    ),
    text_schema(values.ACCOUNT_NAME, "text"),
]
# An editor reads an unquoted 1.10 or yes as a number or a truth value; here it is the text as written.
PRINTABLE_SCHEMA: Final = {"type": ["string", "number", "boolean"], "title": "text"}
PRINTABLE = "a text of 1 to 500 characters without line breaks and control characters"
DisplayName = Annotated[str | None, checked(values.printable, PRINTABLE), WithJsonSchema(PRINTABLE_SCHEMA)]


def _no_label(text: str) -> str:
    if text in values.RESERVED_LABELS:
        return "this name is reserved"
    return "names beginning with __ are reserved" if text.startswith("__") else ""


_LabelName = Annotated[
    str,
    checked(
        values.label_name,
        "a label name of letters, digits and _, not beginning with a digit or __, other than "
        + ", ".join(values.RESERVED_LABELS),
        hint=_no_label,
    ),
]
_LabelValue = Annotated[str, checked(values.printable, PRINTABLE)]


Labels = Annotated[
    dict[_LabelName, _LabelValue],
    nothing_is(dict),
    WithJsonSchema(
        {
            "type": "object",
            "title": "labels",
            "propertyNames": {
                "pattern": f"^(?!__){values.LABEL_NAME}$",
                "not": {"enum": list(values.RESERVED_LABELS)},
            },
            "additionalProperties": PRINTABLE_SCHEMA,
        }
    ),
]

_MEDIA_KEY = "a media key: digits, _ and digits, such as 13_1880028106020515840"
_POST_ID = (
    "a post id of 1 to 19 digits, or a post's address such as https://x.com/NAME/status/1880028106020515841"
)


def _not_media(text: str) -> str:
    if values.post_id(text) is not None:
        return "a post and its video have different ids, and this is a post's; posts are listed under posts"
    return ""


def _not_post(text: str) -> str:
    return "this is a media key, which is listed under media" if values.media_key(text) else ""


MEDIA_KEY_SCHEMA: Final = {
    "type": "string",
    "title": "media key",
    "pattern": f"^{values.MEDIA_KEY}$|{REFERENCE}",
}
POST_ID_SCHEMA: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": f"^(?:{values.POST_ID}|{values.POST_URL})$|{REFERENCE}"},
    ],
    "title": "post id or URL",
}
MediaKey = Annotated[
    str, checked(values.media_key, _MEDIA_KEY, hint=_not_media), WithJsonSchema(MEDIA_KEY_SCHEMA)
]
PostId = Annotated[str, checked(values.post_id, _POST_ID, hint=_not_post), WithJsonSchema(POST_ID_SCHEMA)]


def _metric(kind: Kind) -> PlainValidator:
    names = tuple(each.name for each in metrics_of(kind))
    return checked(lambda text: values.metric(kind, text), "one of " + ", ".join(names), names)


def _metric_schema(kind: Kind) -> WithJsonSchema:
    spellings = dict.fromkeys(spelling for each in metrics_of(kind) for spelling in (each.name, each.wire))
    return WithJsonSchema({"enum": list(spellings), "title": f"{kind} metric"})


MediaMetric = Annotated[Metric, _metric(Kind.MEDIA), _metric_schema(Kind.MEDIA)]
PostMetric = Annotated[Metric, _metric(Kind.POST), _metric_schema(Kind.POST)]


def _choice(words: dict[str, Any]) -> PlainValidator:
    return checked(words.get, "one of " + ", ".join(words), tuple(words))


PostSourceChoice = Annotated[
    PostSource, _choice(POST_SOURCES), WithJsonSchema({"enum": list(POST_SOURCES), "title": "choice"})
]
ClientTypeChoice = Annotated[
    ClientType, _choice(CLIENT_TYPES), WithJsonSchema({"enum": list(CLIENT_TYPES), "title": "choice"})
]
