"""Decoding in steps, so that whoever decodes can do something else in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

from exporter.model import Answer

# Each step takes a millisecond or less, but for the first, which reads the JSON. The answer is returned.
Steps: TypeAlias = Generator[None, None, Answer]


def finished(steps: Steps) -> Answer:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
