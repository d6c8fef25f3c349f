"""What a request is to the audit trail and to the circuit breaker: its tool, its arguments, its name."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from reprise.domain import errors
from reprise.gateway import objects
from reprise.gateway.audit import FREE_PATHS

_TOOLS = frozenset(
    {"prometheus", "jaeger", "alerts", "mcp", "submit", "instructions", "attempt", "usage", "outcome"}
)
_MAX_ARGUMENT = 2000
_MAX_ARGUMENTS = 64
# What a handler knows of its request that the URL does not say; merged into the line's arguments.
ARGUMENTS: web.RequestKey[Mapping[str, Any]] = web.RequestKey("arguments")
FORM: web.RequestKey[list[tuple[str, str]]] = web.RequestKey("form")
MAX_FORM_FIELDS = 1000
# Form posts of these are reads like any GET.
_FORMS = "/prometheus/"


def is_form(request: web.Request) -> bool:
    return request.method == "POST" and request.path.startswith(_FORMS)


async def read_form(request: web.Request) -> None:
    """Read the form of a POST that is a read: what it asks for is part of what the call is. It is kept at the
    request as FORM. Raises InvalidInput for a body that is no form.

    NB: not with `request.post()`: that follows the request into files and into any charset of Python's.
    """
    body = await request.read()
    if body and request.content_type != "application/x-www-form-urlencoded":
        raise errors.InvalidInput(
            f"expected a form in application/x-www-form-urlencoded, found {request.content_type[:80]}"
        )
    try:
        form = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError as exc:
        raise errors.InvalidInput(
            f"expected a form of at most {MAX_FORM_FIELDS} fields in UTF-8, found another"
        ) from exc
    request[FORM] = form
    request[ARGUMENTS] = _listed(form)


def tool(request: web.Request) -> str:
    """The way in: the first word of what is ours, `kubectl` for the Kubernetes API."""
    first = request.path.strip("/").partition("/")[0]
    return first if first in _TOOLS else "kubectl"


def arguments(request: web.Request) -> dict[str, Any]:
    """The query, and what the handler has added; long texts cut."""
    return {**_listed(request.query.items()), **request.get(ARGUMENTS, {})}


def header(request: web.Request, name: str) -> str:
    return unquote(request.headers.get(name, ""))[:_MAX_ARGUMENT]


def key(request: web.Request) -> str | None:
    """What makes two calls the same: method, path, and the query in any order. None for what the breaker
    leaves alone: watches, followed logs, the free paths, and posts that say in their body what they want."""
    if (
        request.path in FREE_PATHS
        or objects.is_watch(request)
        or request.query.get("follow") in ("true", "1")
    ):
        return None
    if request.method == "POST" and not is_form(request):
        return None
    asked = sorted((name, str(value)) for name, value in arguments(request).items())
    return f"{request.method} {request.path} {asked}"


def _listed(pairs: Any) -> dict[str, Any]:
    """Name to value, to a list of values where a name comes more than once."""
    found: dict[str, Any] = {}
    for number, (name, value) in enumerate(pairs):
        if number == _MAX_ARGUMENTS:
            break
        name, value = name[:100], value[:_MAX_ARGUMENT]
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
