"""What the API server says of itself: groups, resources, schemas, version; cut to what is allowed."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from reprise.domain import access, redaction
from reprise.gateway import negotiate, reply
from reprise.gateway.session import Session
from reprise.gateway.upstream import Source

Json = dict[str, Any]
# CRDs may be installed at any time, so not for long.
KEEP_SECONDS = 30.0


class Discovery:
    """Serves /api, /apis, /openapi and /version. Keeps filtered answers for a moment: kubectl asks for the
    same ones with every command."""

    def __init__(self, kube: Source) -> None:
        self._kube = kube
        # A handful of paths times two views: the paths are checked before they get here.
        self._kept: dict[tuple[str, str, bool], tuple[float, bytes]] = {}

    async def serve(self, request: web.Request, session: Session, parts: tuple[str, ...]) -> web.Response:
        """Answer for the path whose segments are `parts`."""
        hidden = session.view.injector_hidden
        cut: Callable[[Json], Json]
        match parts:
            case ("version",):
                cut = _same
            case ("api",) | ("apis",):
                form = negotiate.form(request.headers.get("Accept", ""), frozenset({"discovery"}))
                if form == "discovery":
                    return await self._kept_answer(
                        session, parts, negotiate.DISCOVERY, lambda doc: aggregated(doc, hidden)
                    )
                cut = _versions if parts == ("api",) else lambda doc: groups(doc, hidden)
            case ("api", "v1"):
                cut = lambda doc: resources(doc, "", hidden)  # noqa: E731 - one line each, side by side
            case ("apis", group) if access.is_group_allowed(group, hidden):
                cut = _without_addresses
            case ("apis", group, _) if access.is_group_allowed(group, hidden):
                cut = lambda doc: resources(doc, group, hidden)  # noqa: E731
            case ("openapi", "v2"):
                cut = lambda doc: redaction.scrub(session.view, doc)  # noqa: E731
            case ("openapi", "v3"):
                cut = lambda doc: schema_index(doc, hidden)  # noqa: E731
            case ("openapi", "v3", *rest) if is_schema_allowed("/".join(rest), hidden):
                cut = _same
            case _:
                return reply.refuse(404, "the server could not find the requested resource")
        if negotiate.form(request.headers.get("Accept", ""), frozenset()) is None:
            return reply.refuse(406, negotiate.NOT_ACCEPTABLE)
        return await self._kept_answer(session, parts, "application/json", cut)

    async def _kept_answer(
        self, session: Session, parts: tuple[str, ...], accept: str, cut: Callable[[Json], Json]
    ) -> web.Response:
        path = "/" + "/".join(parts)
        key = (path, accept, session.view.injector_hidden)
        kept = self._kept.get(key)
        if kept is None or kept[0] < time.monotonic():
            answer = await self._kube.read(path, (), accept)
            if answer.status != 200:
                return reply.refuse(answer.status, "the server could not find the requested resource")
            # Schemas are megabytes: parsing them must not stop everybody else.
            body = await asyncio.to_thread(_filtered, answer.body, session.view, cut)
            kept = (time.monotonic() + KEEP_SECONDS, body)
            self._kept[key] = kept
        return web.Response(body=kept[1], headers={"Content-Type": accept})


def _filtered(body: bytes, view: redaction.View, cut: Callable[[Json], Json]) -> bytes:
    return redaction.encode(view, cut(json.loads(body)))


def _same(document: Json) -> Json:
    return document


def _versions(document: Json) -> Json:
    return {**document, "serverAddressByClientCIDRs": []}


def _without_addresses(document: Json) -> Json:
    return {key: value for key, value in document.items() if key != "serverAddressByClientCIDRs"}


def groups(document: Json, injector_hidden: bool) -> Json:
    """An APIGroupList with the allowed groups."""
    return {
        **document,
        "groups": [
            _without_addresses(group)
            for group in document.get("groups", ())
            if access.is_group_allowed(group["name"], injector_hidden)
        ],
    }


def resources(document: Json, group: str, injector_hidden: bool) -> Json:
    """An APIResourceList with the allowed resources and verbs."""
    kept = []
    for resource in document.get("resources", ()):
        verbs = [
            verb
            for verb in resource.get("verbs", ())
            if verb in access.verbs(group, resource["name"], injector_hidden)
        ]
        if verbs:
            kept.append({**resource, "verbs": verbs})
    return {**document, "resources": kept}


def aggregated(document: Json, injector_hidden: bool) -> Json:
    """An APIGroupDiscoveryList with the allowed groups, resources, subresources and verbs."""
    items = []
    for item in document.get("items", ()):
        group = (item.get("metadata") or {}).get("name", "")
        if not access.is_group_allowed(group, injector_hidden):
            continue
        versions = [
            {
                **version,
                "resources": [
                    kept
                    for resource in version.get("resources", ())
                    if (kept := _aggregated(resource, group, injector_hidden))
                ],
            }
            for version in item.get("versions", ())
        ]
        items.append({**item, "versions": versions})
    return {**document, "items": items}


def _aggregated(resource: Json, group: str, injector_hidden: bool) -> Json | None:
    name = resource["resource"]
    allowed = access.verbs(group, name, injector_hidden)
    verbs = [verb for verb in resource.get("verbs", ()) if verb in allowed]
    if not verbs:
        return None
    subs = []
    for sub in resource.get("subresources", ()):
        allowed = access.verbs(group, f"{name}/{sub['subresource']}", injector_hidden)
        if sub_verbs := [verb for verb in sub.get("verbs", ()) if verb in allowed]:
            subs.append({**sub, "verbs": sub_verbs})
    kept = {key: value for key, value in resource.items() if key != "subresources"}
    return {**kept, "verbs": verbs, **({"subresources": subs} if subs else {})}


def is_schema_allowed(name: str, injector_hidden: bool) -> bool:
    """Whether an entry of /openapi/v3 (`api/v1`, `apis/apps/v1`, `version`) may be seen."""
    match name.split("/"):
        case ["version"] | ["api"] | ["apis"] | ["api", "v1"]:
            return True
        case ["apis", group] | ["apis", group, _]:
            return access.is_group_allowed(group, injector_hidden)
        case _:
            return False


def schema_index(document: Json, injector_hidden: bool) -> Json:
    paths = document.get("paths", {})
    return {
        **document,
        "paths": {name: value for name, value in paths.items() if is_schema_allowed(name, injector_hidden)},
    }
