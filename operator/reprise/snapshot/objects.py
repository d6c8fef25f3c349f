"""`objects/`: every API object that an agent may read, with the cells that a Table shows of it.

Both come from one answer, so they are of the same moment. A list is read in pages; one page at most is held.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.adapters import kube
from reprise.domain import redaction, rows
from reprise.snapshot import tables
from reprise.snapshot.manifest import FileEntry
from reprise.snapshot.resources import Resource

Json = dict[str, Any]
PAGE_ROWS = 250
# Aggregated servers need not know Tables; those answer with a plain list.
ACCEPT = f"{rows.TABLE},application/json"


@dataclass(frozen=True)
class Page:
    """`columns` is None where the server prints no Table; then the rows' cells are None, too."""

    kind: str
    resource_version: str
    columns: list[Any] | None
    rows: list[Json]


@dataclass(frozen=True)
class Listed:
    """A list that was written. `versions`: uid → resourceVersion of all objects, also of those not shown."""

    entry: FileEntry
    resource_version: str
    versions: Mapping[str, str]


async def pages(api: kube.Kube, resource: Resource) -> AsyncIterator[Page]:
    """The whole list in the server's order. Raises Conflict when it expired halfway: begin again."""
    token = ""
    while True:
        query = [("includeObject", "Object"), ("limit", str(PAGE_ROWS))]
        if token:
            query.append(("continue", token))
        answer = await api.request("GET", resource.path, query=query, accept=ACCEPT)
        yield _page(answer, resource)
        token = (answer.get("metadata") or {}).get("continue", "")
        if not token:
            return


def _page(answer: Json, resource: Resource) -> Page:
    version = (answer.get("metadata") or {}).get("resourceVersion", "")
    if answer.get("kind") == "Table":
        found = [{"cells": row["cells"], "object": row["object"]} for row in answer.get("rows") or ()]
        return Page(f"{resource.kind}List", version, answer.get("columnDefinitions"), found)
    head = {"kind": resource.kind, "apiVersion": resource.api_version}
    found = [{"cells": None, "object": {**head, **item}} for item in answer.get("items") or ()]
    return Page(answer.get("kind", f"{resource.kind}List"), version, None, found)


async def take(
    api: kube.Kube,
    root: Path,
    resource: Resource,
    view: redaction.View,
    keep: Callable[[Json], None] | None = None,
) -> Listed:
    """Write `objects/<name>.jsonl`. `keep` is called with every object that is shown, cleaned.

    Leaves no file behind when it fails.
    """
    versions: dict[str, str] = {}
    version = ""
    with tables.FileWriter(root, f"objects/{resource.name}.jsonl") as out:
        begun = False
        async for page in pages(api, resource):
            if not begun:
                begun, version = True, page.resource_version
                out.write(dump(_header(page, resource)) + b"\n")
            await asyncio.to_thread(_write, out, page, resource, view, versions, keep)
    return Listed(out.entry, version, versions)


def _header(page: Page, resource: Resource) -> Json:
    return {
        "apiVersion": resource.api_version,
        "kind": page.kind,
        "itemKind": resource.kind,
        "plural": resource.plural,
        "namespaced": resource.namespaced,
        "verbs": list(resource.verbs),
        "resourceVersion": page.resource_version,
        "columnDefinitions": page.columns,
    }


def _write(
    out: tables.FileWriter,
    page: Page,
    resource: Resource,
    view: redaction.View,
    versions: dict[str, str],
    keep: Callable[[Json], None] | None,
) -> None:
    for row in page.rows:
        obj = row["object"]
        meta = obj["metadata"]
        versions[meta.get("uid", "")] = meta.get("resourceVersion", "")
        if redaction.hides(view, resource.group, resource.plural, obj):
            continue
        clean = redaction.clean(view, obj)
        out.write(dump({"cells": shown_cells(view, row["cells"]), "object": clean}) + b"\n")
        out.rows += 1
        if keep is not None:
            keep(clean)


def shown_cells(view: redaction.View, cells: list[Any] | None) -> list[Any] | None:
    return None if cells is None else rows.cells(view, cells)


def dump(value: object) -> bytes:
    """Compact JSON in the order in which the keys came."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
