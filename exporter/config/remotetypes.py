"""The kinds of values that the keys below `remote_write` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import WithJsonSchema

from exporter.config import files, values
from exporter.config.checks import checked, from_file, nothing_is
from exporter.config.fieldtypes import FILE_SCHEMA, PRINTABLE, PRINTABLE_SCHEMA, SECRET_SCHEMA, secret
from exporter.config.settings import Secret


def _no_receiver(text: str) -> str:
    return "user and password belong under basic_auth" if "@" in text.partition("?")[0] else ""


ReceiverUrl = Annotated[
    Secret,
    secret(
        values.receiver_url,
        "an http:// or https:// address without user, password and fragment, such as"
        " http://prometheus.example:9090/api/v1/write",
        hint=_no_receiver,
    ),
    WithJsonSchema({"type": "string", "title": "secret URL"}),
]

_PASSWORD: Final = "a text that is not empty, without line breaks and control characters"  # noqa: S105


def _password_file(path: Path) -> Path:
    files.read_password(path)
    return path


UserName = Annotated[
    str,
    checked(values.user_name, f"{_PASSWORD}, and without a colon"),
    WithJsonSchema({"type": ["string", "integer"], "title": "text"}),
]
Password = Annotated[Secret | None, secret(values.password, _PASSWORD), SECRET_SCHEMA]
PasswordFile = Annotated[
    Path | None, from_file(_password_file, f"a readable file that holds {_PASSWORD}, alone"), FILE_SCHEMA
]


def _key_file(path: Path) -> Path:
    files.check_key(path)
    return path


KeyFile = Annotated[Path | None, from_file(_key_file, "a readable file with a key in PEM form"), FILE_SCHEMA]


def _no_header(text: str) -> str:
    if text.casefold() in values.OWN_HEADERS:
        return "this header is set by the exporter or by the connection"
    return ""


_HeaderName = Annotated[
    str,
    checked(values.header_name, "the name of a header, such as X-Scope-OrgID", hint=_no_header),
]
_HeaderValue = Annotated[
    Secret,
    secret(values.header_value, "a text that is not empty, without line breaks and characters beyond ASCII"),
]
Headers = Annotated[
    dict[_HeaderName, _HeaderValue],
    nothing_is(dict),
    WithJsonSchema(
        {
            "type": "object",
            "title": "headers",
            "propertyNames": {"pattern": f"^{values.HEADER_NAME}$"},
            "additionalProperties": {**PRINTABLE_SCHEMA, "title": "secret"},
        }
    ),
]


def _no_external_label(text: str) -> str:
    if text in values.EXACT_SERIES_LABELS:
        return "the series have a label of this name"
    return "names beginning with __ are reserved" if text.startswith("__") else ""


_ExternalLabelName = Annotated[
    str,
    checked(
        values.external_label_name,
        "a label name of letters, digits and _, not beginning with a digit or __, other than "
        + ", ".join(values.EXACT_SERIES_LABELS),
        hint=_no_external_label,
    ),
]
ExternalLabels = Annotated[
    dict[_ExternalLabelName, Annotated[str, checked(values.printable, PRINTABLE)]],
    nothing_is(dict),
    WithJsonSchema(
        {
            "type": "object",
            "title": "labels",
            "propertyNames": {
                "pattern": f"^(?!__){values.LABEL_NAME}$",
                "not": {"enum": list(values.EXACT_SERIES_LABELS)},
            },
            "additionalProperties": PRINTABLE_SCHEMA,
        }
    ),
]
