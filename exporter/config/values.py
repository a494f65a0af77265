"""What single values of the configuration look like: text in, value out, None where the text is wrong."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from exporter.model import Kind
from exporter.vocabulary import Metric, folded, metrics_of

# Labels that the exporter's own series carry, or that Prometheus attaches.
RESERVED_LABELS: Final = ("id", "account", "name", "metric", "job", "instance")
# Labels that the hourly series sent by remote write carry.
EXACT_SERIES_LABELS: Final = ("id", "metric")
# Headers that belong to the message or to the connection it goes by.
OWN_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-prometheus-remote-write-version",
    }
)

# Patterns that the JSON Schema repeats, so they keep to what both dialects of regular expressions share.
DURATION: Final = "([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?"
MEDIA_KEY: Final = "[0-9]{1,19}_[0-9]{1,19}"
POST_ID: Final = "[0-9]{1,19}"
POST_URL: Final = (
    r"(?:[Hh][Tt][Tt][Pp][Ss]?://)?(?:(?:www|mobile|m)\.)?(?:x|twitter)\.com/"
    r"(?:i/web|[A-Za-z0-9_]{1,20})/status(?:es)?/([0-9]{1,19})(?:/[A-Za-z0-9_/-]*)?(?:[?#].*)?"
)
ACCOUNT_NAME: Final = "[a-z0-9][a-z0-9_-]{0,62}"
LABEL_NAME: Final = "[a-zA-Z_][a-zA-Z0-9_]*"
HEADER_NAME: Final = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}"

_UNIT_SECONDS: Final = (86400, 3600, 60, 1)
_UNITS: Final = "dhms"
_WHOLE_NUMBER = re.compile("[0-9]{1,9}")
_URL_TEXT = re.compile("[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_TOKEN = re.compile("[!-~]+")
_HEADER_VALUE = re.compile("[!-~](?:[ -~]*[!-~])?")


def duration_seconds(text: str) -> int | None:
    """Seconds in a duration as Prometheus writes them: ``30s``, ``5m``, ``1h30m``, ``7d``."""
    match = re.fullmatch(DURATION, text)
    if not match or not text:
        return None
    parts = zip(match.groups(), _UNIT_SECONDS, strict=True)
    return sum(int(part[:-1]) * unit for part, unit in parts if part)


def duration_text(seconds: float) -> str:
    """`seconds` as a duration, the way `duration_seconds` reads it."""
    rest, text = int(seconds), ""
    for unit, size in zip(_UNITS, _UNIT_SECONDS, strict=True):
        amount, rest = divmod(rest, size)
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


def whole_number(text: str) -> int | None:
    """A number of decimal digits only."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None


def media_key(text: str) -> str | None:
    """A media key: ``13_1880028106020515840``."""
    return text if re.fullmatch(MEDIA_KEY, text) else None


def post_id(text: str) -> str | None:
    """The id of a post, from itself or from the post's address on x.com or twitter.com."""
    if re.fullmatch(POST_ID, text):
        return text
    match = re.fullmatch(POST_URL, text)
    return match[1] if match else None


def item_id(kind: Kind, text: str) -> str | None:
    """The id of a media or post, in the one form that duplicates are told by."""
    return media_key(text) if kind is Kind.MEDIA else post_id(text)


def account_name(text: str) -> str | None:
    """A name that can be a label value and part of a file's name."""
    return text if re.fullmatch(ACCOUNT_NAME, text) else None


def label_name(text: str) -> str | None:
    """A Prometheus label name that clashes with none of ours."""
    legal = re.fullmatch(LABEL_NAME, text) and not text.startswith("__")
    return text if legal and text not in RESERVED_LABELS else None


def external_label_name(text: str) -> str | None:
    """A Prometheus label name that clashes with none of the hourly series' own."""
    legal = re.fullmatch(LABEL_NAME, text) and not text.startswith("__")
    return text if legal and text not in EXACT_SERIES_LABELS else None


def is_header_name(text: str) -> bool:
    """Whether an HTTP header can have this name."""
    return re.fullmatch(HEADER_NAME, text) is not None


def header_name(text: str) -> str | None:
    """The name of an HTTP header that is free to be set."""
    return text if is_header_name(text) and text.casefold() not in OWN_HEADERS else None


def header_value(text: str) -> str | None:
    """What an HTTP header can hold: visible ASCII, and spaces within."""
    return text if _HEADER_VALUE.fullmatch(text) else None


def password(text: str) -> str | None:
    """A password for HTTP basic authentication: not empty, no control characters."""
    wrong = any(unicodedata.category(char) in {"Cc", "Cs"} for char in text)
    return text if text and not wrong else None


def user_name(text: str) -> str | None:
    """A user for HTTP basic authentication, where a colon would begin the password."""
    return password(text) if ":" not in text else None


def printable(text: str) -> str | None:
    """A text that can be a label value: not empty, at most 500 characters, no control characters."""
    wrong = any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text)
    return None if wrong or not text.strip() or len(text) > 500 else text  # noqa: PLR2004 - said above


def token(text: str) -> str | None:
    """A text that can travel in an HTTP header: visible ASCII only."""
    return text if _TOKEN.fullmatch(text) else None


def metric(kind: Kind, text: str) -> Metric | None:
    """The metric that `text` means, in snake_case or X's own spelling."""
    return next((each for each in metrics_of(kind) if _means(each, folded(text))), None)


def _means(each: Metric, spelling: str) -> bool:
    return spelling in {folded(each.name), folded(each.wire)}


def in_table_order(kind: Kind, chosen: Iterable[Metric]) -> tuple[Metric, ...]:
    """`chosen` in the order of the vocabulary's table."""
    wanted = set(chosen)
    return tuple(each for each in metrics_of(kind) if each in wanted)


def base_url(text: str) -> str | None:
    """An address without credentials, query and fragment, https unless its host is loopback.

    Slashes at its end are cut off.
    """
    url = _split(text)
    if url is None or url.username is not None or "?" in text or "#" in text:
        return None
    secure = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))
    return text.rstrip("/") if secure else None


def receiver_url(text: str) -> str | None:
    """The http or https address of a receiver of remote write; it may have a query."""
    url = _split(text)
    if url is None or url.scheme not in {"http", "https"} or url.username is not None or "#" in text:
        return None
    return text


def proxy_url(text: str) -> str | None:
    """The http or https address of a proxy; it may hold a user and password."""
    url = _split(text)
    if url is None or url.scheme not in {"http", "https"} or url.path not in {"", "/"}:
        return None
    return None if "?" in text or "#" in text else text


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    try:
        return host.casefold() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(text: str) -> SplitResult | None:
    if not _URL_TEXT.fullmatch(text):
        return None
    try:
        url = urlsplit(text)
        usable = url.port != 0 and _HOST.fullmatch(url.hostname or "")
    except ValueError:
        return None
    return url if usable else None
