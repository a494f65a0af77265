"""What X answers when it does not serve: the bodies of the failures table, rows 6 to 26."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from exporter.simulator.auth import app_only, forbidden, unauthorized
from exporter.simulator.http import Delivery, SimResponse, json_response
from exporter.simulator.knobs import Knobs
from exporter.simulator.problems import Complaint, bad_request, blank_problem, problem, problem_type

_FOREVER_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Scene:
    """When and where a failure happens, and the particulars it was given."""

    now: float
    knobs: Knobs
    endpoint: str
    options: Mapping[str, Any]


def _invalid_request(scene: Scene) -> SimResponse:
    name = str(scene.options.get("parameter", "media_keys"))
    value = str(scene.options.get("value", "x"))
    message = f"The `{name}` query parameter value [{value}] is not valid"
    return bad_request(scene.knobs, (Complaint(name, (value,), message),))


def _invalid_request_flat(scene: Scene) -> SimResponse:
    return _invalid_request(replace(scene, knobs=replace(scene.knobs, flat_bad_request=True)))


def _credits_depleted(scene: Scene) -> SimResponse:
    detail = "Your enrolled account [1880] does not have any credits to fulfill this request."
    kind = problem_type(scene.knobs, "credits")
    return problem(scene.knobs, 402, {"title": "CreditsDepleted", "detail": detail, "type": kind})


def _client_forbidden(scene: Scene, reason: str, detail: str) -> SimResponse:
    body = {
        "client_id": "1880",
        "title": "Client Forbidden",
        "reason": reason,
        "required_enrollment": "Appropriate Level of API Access",
        "registration_url": "https://developer.x.com/en/docs/projects/overview",
        "detail": detail,
        "type": problem_type(scene.knobs, "client-forbidden"),
    }
    return problem(scene.knobs, 403, body)


def _client_not_enrolled(scene: Scene) -> SimResponse:
    detail = (
        "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from a "
        "developer App that is attached to a Project. You can create a project via the developer portal."
    )
    return _client_forbidden(scene, "client-not-enrolled", detail)


def _user_not_enrolled(scene: Scene) -> SimResponse:
    detail = "This request is billed to the authenticated user, whose account is not enrolled."
    return _client_forbidden(scene, "user-not-enrolled", detail)


def _spend_cap_reached(scene: Scene) -> SimResponse:
    ahead = datetime.fromtimestamp(scene.now, UTC).replace(day=1) + timedelta(days=32)
    date = str(scene.options.get("reset_date", ahead.replace(day=1).date().isoformat()))
    detail = (
        "Your enrolled account [1880] has reached its billing cycle spend cap. API requests will be "
        f"blocked until the next cycle begins on {date}."
    )
    kind = problem_type(scene.knobs, "credits")
    body = {"title": "SpendCapReached", "detail": detail, "reset_date": date, "type": kind}
    return problem(scene.knobs, 403, body)


def _resource_gone(scene: Scene) -> SimResponse:
    body = {
        "title": "Not Found Error",
        "detail": "Could not find the resource.",
        "type": problem_type(scene.knobs, "resource-not-found"),
        "status": 404,
    }
    return problem(scene.knobs, 404, body)


def spent(scene: Scene) -> SimResponse:
    """429 in its usual form."""
    return blank_problem(scene.knobs, 429, "Too Many Requests")


def _rate_limited(scene: Scene) -> SimResponse:
    reset = int(scene.now + float(scene.options.get("reset_seconds", 900)))
    limits = (
        ("x-rate-limit-limit", "300"),
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", str(reset)),
    )
    response = spent(scene)
    return replace(response, headers=response.headers + limits)


def _rate_limited_code(scene: Scene) -> SimResponse:
    body = {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}
    return replace(_rate_limited(scene), body=json_response(429, body).body)


def _rate_limited_problem(scene: Scene) -> SimResponse:
    kind = problem_type(scene.knobs, "rate-limit-exceeded")
    body = {"title": "Too Many Requests", "detail": "Rate limit exceeded", "type": kind, "status": 429}
    return replace(_rate_limited(scene), body=json_response(429, body).body)


def _usage_cap(scene: Scene) -> SimResponse:
    body = {
        "title": "UsageCapExceeded",
        "period": "Monthly",
        "scope": "Product",
        "product_name": "enterprise-basic",
        "account_id": 1880,
        "detail": "Usage cap exceeded: Monthly product cap",
        "type": problem_type(scene.knobs, "usage-capped"),
    }
    return problem(scene.knobs, 429, body)


def _service_unavailable(scene: Scene) -> SimResponse:
    response = blank_problem(scene.knobs, 503, "Service Unavailable")
    wait = scene.options.get("retry_after")
    return (
        response
        if wait is None
        else replace(response, headers=(*response.headers, ("retry-after", str(wait))))
    )


def _text(status: int, text: str, kind: str = "text/plain") -> SimResponse:
    return SimResponse(status, (("content-type", kind),), text.encode())


def _upstream_error(_: Scene) -> SimResponse:
    return _text(503, "upstream connect error or disconnect/reset before headers. reset reason: overflow")


def _bad_gateway(_: Scene) -> SimResponse:
    return _text(502, "<html><head><title>502 Bad Gateway</title></head><body>cdn</body></html>", "text/html")


def _oauth_error(status: int, error: str, description: str) -> SimResponse:
    return json_response(status, {"error": error, "error_description": description})


def token_invalid(scene: Scene) -> SimResponse:
    """400 for a refresh token that buys nothing."""
    error = str(scene.options.get("error", "invalid_request"))
    return _oauth_error(400, error, "Value passed for the token was invalid.")


def code_invalid(_: Scene) -> SimResponse:
    """400 for an authorization code that buys nothing."""
    return _oauth_error(400, "invalid_request", "Value passed for the authorization code was invalid.")


def client_unauthorized(_: Scene) -> SimResponse:
    """401 for an app that does not prove itself, or proves itself in the wrong way."""
    return _oauth_error(401, "unauthorized_client", "Missing valid authorization header")


def _code_and_message(scene: Scene) -> SimResponse:
    status = int(scene.options.get("status", 422))
    return json_response(status, {"code": 214, "message": "The request could not be understood."})


ANSWERS: Mapping[str, Callable[[Scene], SimResponse]] = MappingProxyType(
    {
        "invalid_request": _invalid_request,
        "invalid_request_flat": _invalid_request_flat,
        "unauthorized": lambda scene: unauthorized(scene.knobs),
        "credits_depleted": _credits_depleted,
        "client_not_enrolled": _client_not_enrolled,
        "user_not_enrolled": _user_not_enrolled,
        "app_only_token": lambda scene: app_only(scene.knobs),
        "spend_cap_reached": _spend_cap_reached,
        "forbidden": lambda scene: forbidden(scene.knobs),
        "route_retired": lambda _: SimResponse(404),
        "resource_gone": _resource_gone,
        "rate_limited": _rate_limited,
        "rate_limited_code": _rate_limited_code,
        "rate_limited_problem": _rate_limited_problem,
        "rate_limited_bare": spent,
        "usage_cap": _usage_cap,
        "internal_server_error": lambda scene: blank_problem(scene.knobs, 500, "Internal Server Error"),
        "service_unavailable": _service_unavailable,
        "upstream_error": _upstream_error,
        "bad_gateway": _bad_gateway,
        "gateway_timeout": lambda _: SimResponse(504),
        "token_invalid": token_invalid,
        "token_unavailable": _service_unavailable,
        "code_invalid": code_invalid,
        "client_unauthorized": client_unauthorized,
        "code_and_message": _code_and_message,
        # Neither is processed: the connection ends, or stays silent, before X did anything.
        "cut": lambda _: SimResponse(200, delivery=Delivery(cut=True)),
        "hang": lambda _: SimResponse(200, delivery=Delivery(delay_seconds=_FOREVER_SECONDS)),
    }
)
# Answers that come from in front of the API, so that none of its headers are on them.
HEADERLESS = frozenset(
    {
        "route_retired",
        "service_unavailable",
        "token_unavailable",
        "upstream_error",
        "bad_gateway",
        "gateway_timeout",
        "hang",
        "cut",
    }
)
# Answers of the token endpoint alone.
TOKEN_ANSWERS = frozenset({"token_invalid", "token_unavailable", "code_invalid", "client_unauthorized"})
# Answers whose own rate headers stand, or that must not have any.
OWN_LIMITS = frozenset({"rate_limited", "rate_limited_code", "rate_limited_problem", "rate_limited_bare"})
