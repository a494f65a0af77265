"""What X complains of about single items in an answer that is otherwise good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from structlog.typing import FilteringBoundLogger

from exporter.figures.state import ItemState
from exporter.model import Answer, Item, ItemErrorType, ItemProblem
from exporter.xapi.failure_words import shown

# What X cannot tell of an item just now, and may tell a moment later.
PASSING = frozenset({ItemErrorType.FIELD_HYDRATION_FAILURE, ItemErrorType.INTERNAL_ERROR})
# A log line names so many ids; the status page names all.
_MOST_IDS = 5


def passing(asked: Iterable[Item], answer: Answer) -> list[Item]:
    """Those of the items `asked` that X had a fault with that may be over in a moment."""
    ids = {problem.id for problem in answer.problems if problem.type in PASSING}
    return [item for item in asked if item.id in ids]


def log_news(
    log: FilteringBoundLogger,
    answer: Answer,
    transaction_id: str | None,
    state_of: Callable[[str], ItemState],
) -> None:
    """One line for each kind of complaint that an item's last answer, as in `state_of`, did not have."""
    news: dict[ItemErrorType, list[ItemProblem]] = {}
    for problem in answer.problems:
        known = () if problem.id is None else state_of(problem.id).problems
        if all(problem.type is not other.type for other in known):
            news.setdefault(problem.type, []).append(problem)
    for kind, problems in news.items():
        log.warning(
            "X complains about watched items; the status page says what to do",
            type=kind.value,
            ids=_named(problems),
            detail=shown(problems[0].detail) or None,
            transaction_id=transaction_id,
        )


def _named(problems: Sequence[ItemProblem]) -> str | None:
    """The ids complained of, once each, the first few by name."""
    ids = list(dict.fromkeys(shown(problem.id) for problem in problems if problem.id is not None))
    rest = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(ids[:_MOST_IDS]) + rest or None
