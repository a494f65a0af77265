"""X's own words: the problem bodies of refused requests and of items that cannot be told about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.simulator.http import Json, SimResponse, json_response
from exporter.simulator.knobs import Knobs
from exporter.simulator.world import ItemStatus

_PROBLEM_TYPE = "application/problem+json; charset=utf-8"
_BAD_REQUEST = "One or more parameters to your request was invalid."


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with a request: the parameter, what was sent as it, and X's sentence."""

    parameter: str
    values: tuple[str, ...]
    message: str


def problem_type(knobs: Knobs, name: str) -> str:
    """The URI of problem `name`."""
    return f"https://{knobs.problem_host}/2/problems/{name}"


def problem(knobs: Knobs, status: int, body: Json) -> SimResponse:
    """`body` as a refusal, wrapped in ``errors[]`` where the knobs say so."""
    value = {"errors": [body]} if knobs.wrap_problems else body
    return json_response(status, value, content_type=_PROBLEM_TYPE)


def blank_problem(knobs: Knobs, status: int, title: str, detail: str | None = None) -> SimResponse:
    """A refusal that says nothing beyond its status."""
    return problem(
        knobs, status, {"title": title, "type": "about:blank", "status": status, "detail": detail or title}
    )


def bad_request(knobs: Knobs, complaints: Sequence[Complaint]) -> SimResponse:
    """400 for parameters, in the long form or in that of spec 2.167."""
    kind = problem_type(knobs, "invalid-request")
    if knobs.flat_bad_request:
        first = complaints[0]
        body: Json = {
            "type": kind,
            "title": "Invalid Request",
            "detail": first.message,
            "parameter": first.parameter,
            "value": ",".join(first.values),
        }
        return problem(knobs, 400, body)
    errors = [{"parameters": {each.parameter: each.values}, "message": each.message} for each in complaints]
    # This body has an `errors[]` of its own and is never wrapped in another.
    body = {"errors": errors, "title": "Invalid Request", "detail": _BAD_REQUEST, "type": kind}
    return json_response(400, body, content_type=_PROBLEM_TYPE)


def item_problem(knobs: Knobs, status: ItemStatus, item_id: str, *, resource: str, parameter: str) -> Json:
    """The entry of ``errors[]`` that tells why `item_id` has no data."""
    name, title, detail = {
        ItemStatus.NOT_FOUND: (
            "resource-not-found",
            "Not Found Error",
            f"Could not find {resource} with {parameter}: [{item_id}].",
        ),
        ItemStatus.NOT_AUTHORIZED: (
            "not-authorized-for-resource",
            "Authorization Error",
            f"Sorry, you are not authorized to see the {resource} with {parameter}: [{item_id}].",
        ),
        ItemStatus.UNAVAILABLE: (
            "resource-unavailable",
            "Resource Unavailable Error",
            f"The {resource} with {parameter}: [{item_id}] is not available to you.",
        ),
        ItemStatus.DISALLOWED: (
            "disallowed-resource",
            "Disallowed Resource Error",
            f"The {resource} with {parameter}: [{item_id}] violates the precepts of this API.",
        ),
        ItemStatus.INTERNAL_ERROR: (
            "internal-error",
            "Internal Error",
            f"Something went wrong with the {resource} with {parameter}: [{item_id}].",
        ),
    }[status]
    body: Json = {
        "value": item_id,
        "detail": detail,
        "title": title,
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": item_id,
        "type": problem_type(knobs, name),
    }
    if status in (ItemStatus.NOT_AUTHORIZED, ItemStatus.DISALLOWED):
        body["section"] = "data"
    return body


def field_problem(knobs: Knobs, item_id: str, field: str, *, resource: str, name: str) -> Json:
    """The entry of ``errors[]`` for one figure of `item_id` that is withheld or could not be had."""
    title, detail = {
        "not-authorized-for-field": (
            "Field Authorization Error",
            f"Sorry, you are not authorized to access '{field}' on the {resource} with id [{item_id}].",
        ),
        "field-unauthorized": (
            "Field Authorization Error",
            f"Sorry, you are not authorized to access '{field}' on the {resource} with id [{item_id}].",
        ),
        "field-hydration-failure": (
            "Field Hydration Failure",
            f"Could not hydrate '{field}' of the {resource} with id [{item_id}].",
        ),
    }[name]
    return {
        "title": title,
        "type": problem_type(knobs, name),
        "detail": detail,
        "field": field,
        "resource_type": resource,
        "resource_id": item_id,
        "section": "data",
    }
