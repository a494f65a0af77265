"""What all models of the configuration's keys are built with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """A mapping of the file: unknown keys are refused, and no text of pydantic's repeats a value."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        model_title_generator=lambda model: model.__name__.removesuffix("Model"),
    )


def defaulted(default: str, meaning: str) -> Any:  # noqa: ANN401 - stands in place of any field's default
    """A key with a default, which is written as in the file."""
    return Field(default=default, description=meaning, validate_default=True)


def optional(meaning: str) -> Any:  # noqa: ANN401
    """A key that may be left out; None then."""
    return Field(default=None, description=meaning)


def required(meaning: str) -> Any:  # noqa: ANN401
    """A key that must be there."""
    return Field(description=meaning)


def one_of(*keys: str) -> dict[str, Any]:
    """JSON Schema: exactly one of these keys is there."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def at_most_one_of(*keys: str) -> dict[str, Any]:
    """JSON Schema: no two of these keys are there together."""
    pairs = [[one, other] for index, one in enumerate(keys) for other in keys[index + 1 :]]
    return {"not": {"anyOf": [{"required": pair} for pair in pairs]}}


def text_or_file(*keys: str) -> dict[str, Any]:
    """JSON Schema: each of these keys is there, itself or as the name of a file."""
    return {"allOf": [one_of(key, f"{key}_file") for key in keys]}


def form(model: type[Section]) -> BeforeValidator:
    """A mapping that is used as soon as it is named, also without anything below it."""
    # None is what stands for a form that is not used.
    return BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=model)
