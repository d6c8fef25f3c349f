"""list_resources, get_resource, describe_resource."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from reprise.domain.rows import TABLE
from reprise.gateway.tools import events, kinds
from reprise.gateway.tools.call import Call, ToolError
from reprise.gateway.tools.schema import NAME, Namespace, PagedArguments, Tool
from reprise.gateway.tools.tables import as_yaml, table

Json = Mapping[str, Any]
# Pod, ReplicaSet, Deployment; a longer chain would be a custom one.
MAX_OWNERS = 5
_RESOURCE = Field(
    max_length=100,
    description="Plural, kind or short name; with a group where that is needed.",
    examples=["pods", "Deployment", "netpol", "events.events.k8s.io"],
)


class ListArguments(PagedArguments):
    resource: str = _RESOURCE
    namespace: Namespace = ""
    label_selector: str = Field("", max_length=1000, examples=["app.kubernetes.io/name=cart"])
    field_selector: str = Field("", max_length=1000, examples=["status.phase!=Running"])
    wide: bool = Field(False, description="Also the columns of `kubectl get -o wide`.")


class GetArguments(PagedArguments):
    resource: str = _RESOURCE
    name: str = Field(pattern=NAME, examples=["cart"])
    namespace: Namespace = ""
    format: Literal["yaml", "json"] = "yaml"


class DescribeArguments(PagedArguments):
    resource: str = _RESOURCE
    name: str = Field(pattern=NAME, examples=["cart"])
    namespace: Namespace = ""


async def list_resources(call: Call, given: ListArguments) -> str:
    resource = await kinds.resolve(call, given.resource)
    everywhere = given.namespace == "*" or not resource.is_namespaced
    namespace = "" if everywhere else given.namespace or call.namespace
    query = {
        key: value
        for key, value in (("labelSelector", given.label_selector), ("fieldSelector", given.field_selector))
        if value
    }
    path = resource.path(namespace)
    document = await call.reads.json(path, query, f"{TABLE},application/json")
    rows, columns = _rows(document, given.wide)
    if everywhere and resource.is_namespaced:
        columns = ["Namespace", *columns]
        rows = [[namespace, *cells] for namespace, cells in rows]
    else:
        rows = [cells for _, cells in rows]
    where = f"namespace {namespace}" if namespace else "the cluster"
    return f"{len(rows)} {resource.full_name} in {where}\n" + (table(columns, rows) if rows else "")


def _rows(document: Json, wide: bool) -> tuple[list[Any], list[str]]:
    """(namespace, cells) of each row, and the headings; a server without Tables gives names alone."""
    if document.get("kind") != "Table":
        metas = [item.get("metadata") or {} for item in document.get("items") or ()]
        return [(meta.get("namespace", ""), [meta.get("name", "")]) for meta in metas], ["Name"]
    columns = document.get("columnDefinitions") or [{"name": "Name"}]
    places = [place for place, column in enumerate(columns) if wide or not column.get("priority")]
    rows = []
    for row in document.get("rows") or ():
        cells = row.get("cells") or []
        meta = (row.get("object") or {}).get("metadata") or {}
        shown = [cells[place] if place < len(cells) else "" for place in places]
        rows.append((meta.get("namespace", ""), shown))
    return rows, [str(columns[place]["name"]) for place in places]


async def get_resource(call: Call, given: GetArguments) -> str:
    _, found = await _read(call, given.resource, given.name, given.namespace)
    if given.format == "json":
        return json.dumps(found, indent=1, ensure_ascii=False)
    return await as_yaml(found)


async def describe_resource(call: Call, given: DescribeArguments) -> str:
    resource, found = await _read(call, given.resource, given.name, given.namespace)
    meta, status = found.get("metadata") or {}, found.get("status") or {}
    parts = [f"{resource.kind} {meta.get('namespace', '')}/{meta.get('name', '')}".replace(" /", " ")]
    parts.append("owners: " + (" <- ".join(await _owners(call, found)) or "none"))
    conditions = [
        [
            one.get("type"),
            one.get("status"),
            one.get("reason"),
            one.get("lastTransitionTime"),
            one.get("message"),
        ]
        for one in status.get("conditions") or ()
    ]
    if conditions:
        heads = ("condition", "status", "reason", "last transition", "message")
        parts.append(table(heads, conditions))
    told = await events.about(call, resource.kind, meta.get("name", ""), meta.get("namespace", ""))
    parts.append("events, newest first:\n" + (told or "none"))
    parts.append("object:\n" + await as_yaml(found))
    return "\n\n".join(parts)


async def _read(call: Call, text: str, name: str, namespace: str) -> tuple[kinds.Resource, Json]:
    resource = await kinds.resolve(call, text)
    if namespace == "*" and resource.is_namespaced:
        raise ToolError(400, "namespace: expected one namespace for one object, found '*'")
    inside = (namespace or call.namespace) if resource.is_namespaced else ""
    found: Json = await call.reads.json(resource.path(inside, name))
    return resource, found


async def _owners(call: Call, obj: Json) -> list[str]:
    """The chain of controllers, nearest first; the last one may be out of sight."""
    chain: list[str] = []
    while len(chain) < MAX_OWNERS:
        meta = obj.get("metadata") or {}
        owners = meta.get("ownerReferences") or []
        owner = next((one for one in owners if one.get("controller")), owners[0] if owners else None)
        if owner is None:
            break
        chain.append(f"{owner['kind']}/{owner['name']}")
        resource = await kinds.of_owner(call, owner["apiVersion"], owner["kind"])
        if resource is None:
            break
        try:
            obj = await call.reads.json(resource.path(meta.get("namespace", ""), owner["name"]))
        except ToolError as exc:
            chain[-1] += f" ({exc.message})"
            break
    return chain


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "list_resources",
        "List resources",
        "Objects of one kind as `kubectl get` prints them, one a line. "
        'Example: {"resource": "pods", "field_selector": "status.phase!=Running"}',
        ListArguments,
        list_resources,
    ),
    Tool(
        "get_resource",
        "Get a resource",
        "One object, whole, as YAML or JSON. "
        'Example: {"resource": "deployment", "name": "cart", "namespace": "otel-demo"}',
        GetArguments,
        get_resource,
    ),
    Tool(
        "describe_resource",
        "Describe a resource",
        "One object with its chain of owners, conditions and Events. "
        'Example: {"resource": "pod", "name": "cart-5d9c7b-x2x4z"}',
        DescribeArguments,
        describe_resource,
    ),
)
