"""Answers in the words of the Kubernetes API, so that kubectl shows them as it should."""

import json
from typing import Any

from aiohttp import web

from reprise.domain import access, errors, redaction
from reprise.domain.redaction import View

# Why a request was refused, for the audit trail.
REFUSAL = web.ResponseKey("refusal", str)
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def as_json(data: Any, status: int = 200, content_type: str = "application/json") -> web.Response:
    return encoded(redaction.dump(data), status, content_type)


def encoded(body: bytes, status: int = 200, content_type: str = "application/json") -> web.Response:
    """JSON as it stands."""
    return web.Response(body=body, status=status, headers={"Content-Type": content_type})


def scrubbed(view: View, who: str, body: bytes, status: int) -> web.Response:
    """What a system behind says when it refuses, which repeats what it was asked, without hidden words.
    Raises Unreachable when that is no JSON."""
    try:
        return as_json(redaction.scrub(view, json.loads(body)), status)
    except ValueError as exc:
        raise errors.Unreachable(f"{who} did not answer: {exc!r}") from exc


def status_body(
    code: int, message: str, reason: str = "", details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A meta/v1 Status. `reason` defaults to the one that the API server uses with the code."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason or REASONS.get(code, "InternalError"),
        **({"details": details} if details else {}),
        "code": code,
    }


def refuse(code: int, message: str, reason: str = "", details: dict[str, Any] | None = None) -> web.Response:
    response = as_json(status_body(code, message, reason, details), code)
    if code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response[REFUSAL] = message
    return response


def refusal(found: access.Refusal) -> web.Response:
    return refuse(found.code, found.message, found.reason)


def not_found(path: access.ApiPath) -> web.Response:
    """Word for word what the API server says of an object that does not exist."""
    kind = f"{path.resource}.{path.group}" if path.group else path.resource
    details = {"name": path.name, **({"group": path.group} if path.group else {}), "kind": path.resource}
    return refuse(404, f'{kind} "{path.name}" not found', details=details)


def upstream_failed(exc: errors.RepriseError) -> web.Response:
    """An outside system did not answer. Its address and its words stay with us."""
    if isinstance(exc, errors.Unreachable):
        return refuse(503, "the system behind this request does not answer; try again in a few seconds")
    if isinstance(exc, errors.Refused):
        return refuse(413, "the answer is too large; ask for less: a namespace, a selector, or a limit")
    return refuse(500, "the system behind this request refused it")
