"""`kubectl auth can-i` and `whoami`, answered from the allow-list: the API server would speak of the
gateway's own rights."""

import asyncio
import json
from typing import Any

from aiohttp import web

from reprise.domain import access, errors
from reprise.gateway import protobuf, reply
from reprise.gateway.registry import Registry
from reprise.gateway.session import Session

Json = dict[str, Any]
BODY_SECONDS = 20.0
_URLS = ["/api", "/apis", "/openapi", "/version", "/prometheus", "/jaeger", "/alerts", "/instructions"]


async def answer(
    request: web.Request, session: Session, registry: Registry, path: access.ApiPath
) -> web.Response:
    """Answer one SelfSubject…Review."""
    async with asyncio.timeout(BODY_SECONDS):
        body = await request.read()
    try:
        match request.content_type:
            case "application/json":
                asked = json.loads(body)
            case "application/vnd.kubernetes.protobuf":
                asked = protobuf.read_review(body)
            case other:
                return reply.refuse(415, f"expected a body in application/json, found {other}")
        spec = _spec(asked)
    except (errors.InvalidInput, ValueError, RecursionError):
        return reply.refuse(400, "expected a SelfSubject…Review as the body, found something else")
    hidden = session.view.injector_hidden
    status: Json
    match path.resource:
        case "selfsubjectaccessreviews":
            allowed, reason = _allowed(spec, session, registry)
            status = {"allowed": allowed, "reason": reason}
        case "selfsubjectrulesreviews":
            status = {
                "resourceRules": access.rules(hidden),
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": _URLS}],
                "incomplete": False,
            }
        case _:
            status = {"userInfo": {"username": "agent", "groups": ["system:authenticated"]}}
    return reply.as_json(
        {
            "kind": asked.get("kind"),
            "apiVersion": f"{path.group}/{path.version}",
            "metadata": {},
            **({"spec": spec} if spec else {}),
            "status": status,
        },
        201,
    )


def _spec(asked: Any) -> Json:
    """The review's spec, text all through, as far as it is looked at. Raises InvalidInput."""
    spec = (asked.get("spec") or {}) if isinstance(asked, dict) else None
    if not isinstance(spec, dict) or not isinstance(asked.get("kind"), str):
        raise errors.InvalidInput("expected a review")
    for name in ("resourceAttributes", "nonResourceAttributes"):
        part = spec.get(name)
        if part is not None and not (
            isinstance(part, dict) and all(isinstance(value, str | dict) for value in part.values())
        ):
            raise errors.InvalidInput(f"{name}: expected texts")
    return spec


def _allowed(spec: Json, session: Session, registry: Registry) -> tuple[bool, str]:
    if url := str((spec.get("nonResourceAttributes") or {}).get("path") or ""):
        allowed = any(url == known or url.startswith(known + "/") for known in _URLS)
        return allowed, "" if allowed else access.ALLOWED_TEXT
    wanted = spec.get("resourceAttributes") or {}
    texts = {key: str(wanted.get(key) or "") for key in ("group", "version", "namespace", "resource", "name")}
    path = access.ApiPath(**texts, subresource=str(wanted.get("subresource") or ""))
    refusal = access.decide(path, str(wanted.get("verb") or ""), session.view.injector_hidden)
    if refusal is not None:
        return False, refusal.message
    if path.namespace and not registry.has_namespace(session.view, path.namespace):
        return False, f'no namespace "{path.namespace}" is readable here'
    return True, ""
