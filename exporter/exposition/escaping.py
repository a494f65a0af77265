"""How text from outside is written into the exposition formats."""

from __future__ import annotations

import re

# Allowed in neither format or refused by some parser; half a surrogate pair has no UTF-8 at all.
_UNWRITABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def escape_label_value(value: str) -> str:
    r"""`value` as it stands between the quotes of a label, alike in the text format and OpenMetrics.

    A backslash, a double quote and a line feed become ``\\``, ``\"`` and ``\n``. Any other control
    character and half a surrogate pair become U+FFFD.
    """
    return _writable(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def escape_help(text: str) -> str:
    r"""`text` as it stands after ``# HELP name``, alike in the text format and OpenMetrics.

    Only OpenMetrics wants a double quote escaped and only the text format refuses it escaped, so it
    becomes a single quote. The rest is as in `escape_label_value`.
    """
    return _writable(text).replace("\\", r"\\").replace("\n", r"\n").replace('"', "'")


def _writable(text: str) -> str:
    return _UNWRITABLE.sub(_REPLACEMENT, text)
