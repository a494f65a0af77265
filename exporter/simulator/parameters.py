"""Query parameters, checked as strictly as X's OpenAPI excerpts declare them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from exporter.simulator.http import Pairs
from exporter.simulator.knobs import Knobs
from exporter.simulator.problems import Complaint

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)
# How a list may be written: values joined by commas, the key repeated, or what the knob says.
Style = Literal["commas", "knob"]


@dataclass(frozen=True, slots=True)
class Values:
    """What a request asked for, once nothing is wrong with it; absent parameters are missing keys.

    `times` are Unix seconds. `lists` keep the order of the request.
    """

    words: Mapping[str, str]
    times: Mapping[str, float]
    lists: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Word:
    """A parameter that is one of `allowed`; `default` stands for it where it may be left out."""

    name: str
    allowed: tuple[str, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """A required UTC timestamp."""

    name: str


@dataclass(frozen=True, slots=True)
class List:
    """A list of ids (`pattern`) or of names (`allowed`).

    `most` bounds its length; `unique` forbids a value to come twice; `style` is how it may be written.
    """

    name: str
    pattern: str | None = None
    allowed: tuple[str, ...] = ()
    most: int | None = None
    required: bool = True
    unique: bool = False
    style: Style = "commas"


Parameter = Word | Time | List


def read(pairs: Pairs, parameters: Sequence[Parameter], knobs: Knobs) -> tuple[Values, tuple[Complaint, ...]]:
    """What `pairs` ask for and everything that is wrong with them."""
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    complaints = list(_unknown(sent, [parameter.name for parameter in parameters]))
    words: dict[str, str] = {}
    times: dict[str, float] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for parameter in parameters:
        given = sent.get(parameter.name)
        try:
            match parameter:
                case Word():
                    words[parameter.name] = _word(parameter, given)
                case Time():
                    times[parameter.name] = _time(parameter, given)
                case List() if given is not None or parameter.required:
                    lists[parameter.name] = _list(parameter, given, knobs)
        except _RefusedError as refused:
            complaints.append(refused.complaint)
    return Values(words, times, lists), tuple(complaints)


class _RefusedError(Exception):
    def __init__(self, parameter: str, values: Iterable[str], message: str) -> None:
        self.complaint = Complaint(parameter, tuple(values), message)
        super().__init__(message)


def _unknown(sent: Mapping[str, Sequence[str]], known: Sequence[str]) -> Iterable[Complaint]:
    for name, values in sent.items():
        if name not in known:
            message = f"The query parameter [{name}] is not one of [{','.join(known)}]"
            yield Complaint(name, tuple(values), message)


def _single(name: str, given: Sequence[str] | None) -> str:
    if given is None:
        raise _RefusedError(name, (), f"The `{name}` query parameter can not be empty")
    if len(given) > 1:
        raise _RefusedError(name, given, f"The `{name}` query parameter was given {len(given)} times")
    return given[0]


def _word(parameter: Word, given: Sequence[str] | None) -> str:
    if given is None and parameter.default is not None:
        return parameter.default
    value = _single(parameter.name, given)
    if value not in parameter.allowed:
        raise _RefusedError(parameter.name, (value,), _not_one_of(parameter.name, value, parameter.allowed))
    return value


def _time(parameter: Time, given: Sequence[str] | None) -> float:
    value = _single(parameter.name, given)
    found = _TIME.fullmatch(value)
    try:
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None
    except ValueError:
        moment = None
    if moment is None or found is None:
        message = f"Invalid '{parameter.name}':'{value}'. Use the form YYYY-MM-DDTHH:mm:ssZ."
        raise _RefusedError(parameter.name, (value,), message)
    return moment.timestamp() + float(found[2] or 0)


def _list(parameter: List, given: Sequence[str] | None, knobs: Knobs) -> tuple[str, ...]:
    name = parameter.name
    values = _split(parameter, given, knobs)
    for value in values:
        _check_value(parameter, value)
    if parameter.unique and len(set(values)) < len(values):
        raise _RefusedError(name, values, f"The `{name}` query parameter list has duplicate values")
    if parameter.most is not None and len(values) > parameter.most:
        counted = f"The number of values in the `{name}` query parameter list [{len(values)}]"
        raise _RefusedError(name, values, f"{counted} is not between 1 and {parameter.most}")
    return values


def _split(parameter: List, given: Sequence[str] | None, knobs: Knobs) -> tuple[str, ...]:
    style = "commas" if parameter.style == "commas" else knobs.insights_arrays
    if given is None or style == "commas":
        return tuple(_single(parameter.name, given).split(","))
    if style == "repeated":
        return tuple(given)
    return tuple(value for each in given for value in each.split(","))


def _check_value(parameter: List, value: str) -> None:
    name = parameter.name
    if not value:
        raise _RefusedError(name, (value,), f"The `{name}` query parameter can not be empty")
    if parameter.pattern and not re.fullmatch(parameter.pattern, value, re.ASCII):
        message = f"The `{name}` query parameter value [{value}] does not match {parameter.pattern}"
        raise _RefusedError(name, (value,), message)
    if parameter.allowed and value not in parameter.allowed:
        raise _RefusedError(name, (value,), _not_one_of(name, value, parameter.allowed))


def _not_one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    return f"The `{name}` query parameter value [{value}] is not one of [{','.join(allowed)}]"
