"""`api/`: what the API server says of itself, as an agent gets it through the gateway."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from reprise.adapters import kube, streams
from reprise.domain import discovery, errors, redaction
from reprise.snapshot import tables
from reprise.snapshot.manifest import FileEntry, Missing
from reprise.snapshot.patience import Patience

# Schemas are read one by one: the largest is megabytes.
_SIMPLE = ("version", "api", "apis", "api/v1", "openapi/v2", "openapi/v3")


def file_name(path: str, aggregated: bool = False) -> str:
    """The file of a document, by its URL path without the leading slash."""
    return f"api/{path.replace('/', '~')}{'.aggregated' if aggregated else ''}.json"


async def take(
    api: kube.Kube, root: Path, view: redaction.View, patience: Patience
) -> tuple[list[FileEntry], list[Missing]]:
    """Write every document that an agent may get.

    What an aggregated server or an older one does not answer is a gap. Raises Unreachable when the API server
    itself does not answer.
    """
    entries: list[FileEntry] = []
    missing: list[Missing] = []
    hidden = view.injector_hidden

    async def one(path: str, accept: str, cut: discovery.Cut) -> discovery.Json | None:
        try:
            body = await patience.attempt(lambda: _read(api, f"/{path}", accept))
        except (errors.NotFound, errors.Refused, errors.Unreachable) as exc:
            if path in ("version", "api", "apis", "api/v1"):
                raise
            missing.append(Missing("api", path, str(exc)))
            return None
        aggregated = accept == discovery.AGGREGATED
        entry, document = await asyncio.to_thread(_write, root, file_name(path, aggregated), body, view, cut)
        entries.append(entry)
        return document

    found: dict[str, discovery.Json] = {}
    for path in _SIMPLE:
        cut = discovery.cut(tuple(path.split("/")), hidden)
        document = await one(path, "application/json", cut) if cut else None
        if document is not None and path in ("apis", "openapi/v3"):
            found[path] = document
    for path in ("api", "apis"):
        await one(path, discovery.AGGREGATED, lambda doc: discovery.aggregated(doc, hidden))
    for path in _further(found):
        cut = discovery.cut(tuple(path.split("/")), hidden)
        if cut is not None:
            await one(path, "application/json", cut)
    return entries, missing


def _further(found: dict[str, discovery.Json]) -> Iterator[str]:
    """The paths that the documents lead to: groups, their versions, their schemas."""
    for group in found.get("apis", {}).get("groups", ()):
        yield f"apis/{group['name']}"
        for served in group["versions"]:
            yield f"apis/{served['groupVersion']}"
    for path in found.get("openapi/v3", {}).get("paths", {}):
        yield f"openapi/v3/{path}"


async def _read(api: kube.Kube, path: str, accept: str) -> bytes:
    async with await api.open(path, (), accept) as response:
        body = await streams.read_capped(response, 4 * streams.MAX_BODY_BYTES)
    if response.status != 200:
        raise kube.translate(response.status, body, f"GET {path}")
    return body


def _write(
    root: Path, name: str, body: bytes, view: redaction.View, cut: discovery.Cut
) -> tuple[FileEntry, discovery.Json]:
    document = cut(json.loads(body))
    with tables.FileWriter(root, name) as out:
        out.write(redaction.encode(view, document) + b"\n")
        out.rows = 1
    return out.entry, document
