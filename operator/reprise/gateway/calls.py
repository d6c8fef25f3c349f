"""What a request is to the audit trail and to the circuit breaker: its tool, its arguments, its name."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from reprise.gateway import objects
from reprise.gateway.audit import FREE_PATHS

_TOOLS = frozenset(
    {"prometheus", "jaeger", "alerts", "mcp", "submit", "instructions", "attempt", "usage", "outcome"}
)
_MAX_ARGUMENT = 2000
_MAX_ARGUMENTS = 64
# What a handler knows of its request that the URL does not say; merged into the line's arguments.
ARGUMENTS: web.RequestKey[Mapping[str, Any]] = web.RequestKey("arguments")
# Form posts of these are reads like any GET.
_FORMS = "/prometheus/"


def is_form(request: web.Request) -> bool:
    return request.method == "POST" and request.path.startswith(_FORMS)


async def read_form(request: web.Request) -> None:
    """Read the form of a POST that is a read: what it asks for is part of what the call is. Later readers of
    the request get the same form."""
    form = await request.post()
    request[ARGUMENTS] = _listed((key, value) for key, value in form.items() if isinstance(value, str))


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
