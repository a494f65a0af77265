"""Which format and encoding a scraper is answered in, from its request headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Format:
    """An exposition format: its media type and the version of it that is spoken here."""

    media_type: str
    version: str

    def content_type(self, escaping: str | None) -> str:
        """The Content-Type; `escaping` says how names beyond the old character set are written."""
        said = f"{self.media_type}; version={self.version}; charset=utf-8"
        return said if escaping is None else f"{said}; escaping={escaping}"


OPENMETRICS = Format("application/openmetrics-text", "1.0.0")
TEXT = Format("text/plain", "0.0.4")
# Alike for names such as ours; this one also has a way to write others.
TEXT_1 = Format("text/plain", "1.0.0")

_SPOKEN = {
    (OPENMETRICS.media_type, OPENMETRICS.version): OPENMETRICS,
    (OPENMETRICS.media_type, None): OPENMETRICS,
    (TEXT_1.media_type, TEXT_1.version): TEXT_1,
    (TEXT.media_type, TEXT.version): TEXT,
    (TEXT.media_type, None): TEXT,
    ("text/*", None): TEXT,
    ("*/*", None): TEXT,
}

# Names here are legal under every scheme; under these two they are also unchanged.
_UNCHANGING_ESCAPINGS = ("allow-utf-8", "underscores")


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The format to answer in and the Content-Type that says so."""

    format: Format
    content_type: str


class Encoding(StrEnum):
    """A Content-Encoding that bodies are served in."""

    IDENTITY = "identity"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True)
class _Choice:
    value: str
    parameters: dict[str, str]
    quality: float

    @property
    def format(self) -> Format | None:
        """What is spoken here of that."""
        return _SPOKEN.get((self.value, self.parameters.get("version")))


def negotiate_format(accept: str) -> Negotiated:
    """The format `accept` likes best, the first of equals; text 0.0.4 when it likes none of ours."""
    liked = [choice for choice in _choices(accept) if choice.quality > 0 and choice.format is not None]
    best = max(liked, key=lambda choice: choice.quality, default=None)
    if best is None or best.format is None:
        return Negotiated(TEXT, TEXT.content_type(None))
    return Negotiated(best.format, best.format.content_type(_escaping(best)))


def negotiate_encoding(accept_encoding: str) -> Encoding:
    """Whether `accept_encoding` allows gzip, by name or by ``*``, with a quality above 0."""
    qualities = {choice.value: choice.quality for choice in _choices(accept_encoding)}
    return Encoding.GZIP if qualities.get("gzip", qualities.get("*", 0)) > 0 else Encoding.IDENTITY


def _escaping(choice: _Choice) -> str | None:
    """What to say of the escaping: nothing to a client that does not know of it."""
    if choice.format is TEXT or "version" not in choice.parameters:
        return None
    asked = choice.parameters.get("escaping")
    return asked if asked in _UNCHANGING_ESCAPINGS else "underscores"


def _choices(header: str) -> Iterator[_Choice]:
    for element in header.split(","):
        value, *rest = (part.strip().lower() for part in element.split(";"))
        parameters = {
            name.strip(): text.strip().strip('"') for name, _, text in (part.partition("=") for part in rest)
        }
        if value:
            yield _Choice(value, parameters, _quality(parameters.get("q", "1")))


def _quality(text: str) -> float:
    """A weight from 0 to 1; what is no number asks for nothing."""
    try:
        quality = float(text)
    except ValueError:
        return 0
    return quality if 0 <= quality <= 1 else 0
