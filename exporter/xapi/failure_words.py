"""X's own words made fit to be shown: printable, short, and without ids of clients and accounts.

What a failed answer says ends up in a log line, on the status page and in a terminal. It is free text
written elsewhere, so nothing in it is trusted: control characters go, as do the ids of developer apps,
accounts and users, and whatever looks like a token that an echoing proxy put there. The ids of watched
posts and media stay, since they tell which of them X means.
"""

from __future__ import annotations

import re

DETAIL_CHARACTERS = 300
REMOVED = "…"
# What lies beyond cannot show among the first 300 characters, and reading it costs time.
_LONGEST_TEXT = 8192

# `https://name:password@proxy`, and a scheme of authorization with what follows it.
_USERINFO = re.compile(r"(?<=://)[^/\s@]{1,500}@")
_AUTHORIZATION = re.compile(r"\b((?i:bearer|basic)) (?=\S+[0-9A-Z%=+/_~-])\S{8,}")
# A long run with a digit in it is a token or a key; no word, date, media key or parameter is so long.
_OPAQUE = re.compile(r"(?<![\w%+=~-])(?=[A-Za-z%+=~_-]*[0-9])[\w%+=~-]{25,}", re.ASCII)
_NUMBERS = re.compile(
    r"(?P<item>tweet|(?<![a-z])(?:post|media))"
    r"|(?P<owner>(?<![a-z])(?:account|client|user|app|project|owner|developer|product|organi[sz]ation|team))"
    # Media keys, days and version numbers.
    r"|(?P<kept>(?<![\d.])(?:\d{1,6}_\d{1,19}|\d{4}-\d\d-\d\d|\d{1,3}\.\d{1,3})(?![\d.]))"
    r"|(?P<number>\d+)",
    re.IGNORECASE | re.ASCII,
)
# A shorter number that stands for nobody in particular is a status, a count or a year.
_SHORTEST_ID = 5


def shown(text: str) -> str:
    """`text` in at most 300 printable characters on one line, without secrets and ids of people and apps."""
    text = text[:_LONGEST_TEXT]
    words = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    words = _USERINFO.sub("", words)
    words = _AUTHORIZATION.sub(rf"\1 {REMOVED}", words)
    words = _without_owner_ids(_OPAQUE.sub(REMOVED, words))
    return words if len(words) <= DETAIL_CHARACTERS else words[: DETAIL_CHARACTERS - 1] + REMOVED


def _without_owner_ids(words: str) -> str:
    """`words` without the numbers whose nearest noun before them is an app, account or user."""
    subject = ""

    def replacement(match: re.Match[str]) -> str:
        nonlocal subject
        if match.lastgroup != "number":
            subject = subject if match.lastgroup == "kept" else str(match.lastgroup)
            return match[0]
        short = not subject and len(match[0]) < _SHORTEST_ID
        return match[0] if short or subject == "item" else REMOVED

    return _NUMBERS.sub(replacement, words)
