"""How a key's text is checked: the bridge between plain parsers and pydantic.

A check sees text only: the file's scalars are read as they are written, whatever YAML would make of them.
Checks never put what was found into words; `exporter.config.wording` does, and knows what to hide.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BeforeValidator, PlainValidator, ValidationInfo

from exporter.config import files, values
from exporter.config.refusal import RefusedError

T = TypeVar("T")


def checked(
    parse: Callable[[str], T | None],
    allowed: str,
    choices: tuple[str, ...] = (),
    hint: Callable[[str], str] = lambda _: "",
) -> PlainValidator:
    """A text that `parse` accepts; it answers None to refuse, and `hint` may then say why."""

    def check(value: object) -> T:
        result = parse(value) if isinstance(value, str) else None
        if result is None:
            raise RefusedError(allowed, hint(value) if isinstance(value, str) else "", choices)
        return result

    return PlainValidator(check)


def duration(allowed: str, least: int, most: int | None = None) -> PlainValidator:
    """A duration between two bounds, as seconds."""

    def parse(text: str) -> int | None:
        seconds = values.duration_seconds(text)
        if seconds is None or seconds < least or (most is not None and seconds > most):
            return None
        return seconds

    return checked(parse, allowed)


def from_file(use: Callable[[Path], T], allowed: str) -> PlainValidator:
    """A path, relative to the validation's context, that `use` accepts without `UnusableFileError`."""

    def check(value: object, info: ValidationInfo) -> T:
        if not isinstance(value, str) or not value:
            raise RefusedError(allowed)
        try:
            return use((info.context or Path()) / value)
        except files.UnusableFileError as error:
            raise RefusedError(allowed, str(error)) from None

    return PlainValidator(check)


def nothing_is(empty: Callable[[], object]) -> BeforeValidator:
    """Read a key without a value as `empty`, as is left when all that stood below it is commented out."""
    return BeforeValidator(lambda value: empty() if value is None else value)
