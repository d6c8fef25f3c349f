"""`objects/` and `k8s_objects_raw.tsv`: every API object that an agent may read, as it was served."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.adapters import kube
from reprise.domain import access, errors, redaction
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.tables import Cell, json_cell

Json = dict[str, Any]
COLUMNS = ("timestamp", "body", "namespace", "object_kind", "object_name")
TABLE_ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io"
# Events have a table of their own; leases change every ten seconds and say nothing.
_SKIPPED = frozenset({("", "events"), ("events.k8s.io", "events"), ("coordination.k8s.io", "leases")})
_SKIPPED_GROUPS = frozenset({"metrics.k8s.io"})


@dataclass(frozen=True)
class Collection:
    """One resource: the list as JSON and the same list as a Table, both as an agent may see them."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    items: tuple[Json, ...]
    table: Json

    @property
    def file_name(self) -> str:
        """`objects/<group or core>_<version>_<plural>`, to which `.json` and `.table.json` are added."""
        group, _, version = self.api_version.rpartition("/")
        return f"objects/{group or 'core'}_{version}_{self.plural}"


async def read_all(api: kube.Kube, request: RecordRequest) -> AsyncIterator[Collection]:
    """Every readable resource: of the application's namespace, and what has no namespace.

    A group that this cluster does not serve yields nothing.
    """
    for group, resources in access.READABLE.items():
        if group in _SKIPPED_GROUPS:
            continue
        for plural, api_version, kind, namespaced in await _served(api, group):
            if plural in resources and (group, plural) not in _SKIPPED:
                yield await _read(api, request, group, plural, api_version, kind, namespaced)


async def _served(api: kube.Kube, group: str) -> list[tuple[str, str, str, bool]]:
    """(plural, apiVersion, kind, namespaced) of what the server prefers to serve of a group."""
    try:
        if group:
            api_version = (await api.request("GET", f"/apis/{group}"))["preferredVersion"]["groupVersion"]
        else:
            api_version = "v1"
        found = await api.request("GET", f"/apis/{api_version}" if group else "/api/v1")
    except errors.NotFound:
        return []
    return [
        (item["name"], api_version, item["kind"], item["namespaced"])
        for item in found.get("resources", ())
        if "/" not in item["name"] and "list" in item["verbs"]
    ]


async def _read(
    api: kube.Kube,
    request: RecordRequest,
    group: str,
    plural: str,
    api_version: str,
    kind: str,
    namespaced: bool,
) -> Collection:
    path = await api.path(api_version, kind, request.namespace if namespaced else "")
    listed = await api.request("GET", path)
    # NB: asked for one after the other, so an object may be in one and not in the other; the list decides.
    table = await api.request("GET", path, accept=TABLE_ACCEPT, query={"includeObject": "Metadata"})
    view = request.view
    items = tuple(
        redaction.clean(view, {"apiVersion": api_version, "kind": kind, **item})
        for item in listed.get("items") or ()
        if not redaction.hides(view, group, plural, item) and _belongs(plural, item, request)
    )
    names = {item["metadata"]["name"] for item in items}
    rows = [
        {"cells": redaction.scrub(view, row["cells"]), "object": redaction.clean(view, row["object"])}
        for row in table.get("rows") or ()
        if row["object"]["metadata"]["name"] in names
    ]
    return Collection(api_version, kind, plural, namespaced, items, {**table, "rows": rows, "metadata": {}})


def _belongs(plural: str, item: Mapping[str, Any], request: RecordRequest) -> bool:
    """Of the namespaces, only the application's: the others' objects are not recorded either."""
    return plural != "namespaces" or bool(item["metadata"]["name"] == request.namespace)


def documents(collection: Collection) -> Iterator[tuple[str, Json]]:
    """The files of a collection: the list and its Table."""
    listed = {
        "apiVersion": collection.api_version,
        "kind": f"{collection.kind}List",
        "metadata": {},
        "items": list(collection.items),
    }
    yield f"{collection.file_name}.json", listed
    yield f"{collection.file_name}.table.json", collection.table


def rows(collection: Collection, timestamp: str) -> list[Sequence[Cell]]:
    """One row an object, `timestamp` being when it was read."""
    return [
        (
            timestamp,
            json_cell(item),
            item["metadata"].get("namespace", ""),
            collection.kind,
            item["metadata"]["name"],
        )
        for item in collection.items
    ]
