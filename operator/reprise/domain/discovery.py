"""What the API server says of itself (groups, resources, schemas), cut to what an agent may see.

The gateway serves these documents and a snapshot keeps them: both must say the same.
"""

from collections.abc import Callable
from typing import Any

from reprise.domain import access

Json = dict[str, Any]
Cut = Callable[[Json], Json]
# The form of /api and /apis that holds every group's resources in one document.
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def cut(parts: tuple[str, ...], injector_hidden: bool) -> Cut | None:
    """How the document at a path (its segments) is cut; None where there is none for agents.

    What it leaves must still pass `redaction.encode`.
    """
    match parts:
        case ("version",):
            return _same
        case ("api",):
            return _versions
        case ("apis",):
            return lambda document: groups(document, injector_hidden)
        case ("api", "v1"):
            return lambda document: resources(document, "", injector_hidden)
        case ("apis", group) if access.is_group_allowed(group, injector_hidden):
            return _without_addresses
        case ("apis", group, _) if access.is_group_allowed(group, injector_hidden):
            return lambda document: resources(document, group, injector_hidden)
        case ("openapi", "v2"):
            return _same
        case ("openapi", "v3"):
            return lambda document: schema_index(document, injector_hidden)
        case ("openapi", "v3", *rest) if is_schema_allowed("/".join(rest), injector_hidden):
            return _same
        case _:
            return None


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
