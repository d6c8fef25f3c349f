"""`<snapshot>.private/`: what only the operator may know of an incident, in a folder beside its snapshot.

This package does not know what the truth is: it is handed plain JSON data, writes it, and proves that nothing
of it is in the public part.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reprise.adapters import kube
from reprise.domain import access, errors, redaction
from reprise.snapshot import manifest as manifests
from reprise.snapshot import tables

Json = Mapping[str, Any]
ENDING = ".private"
FILE_NAME = "private.json"
KEYS = ("run", "scenario", "truth", "plan", "injector", "mechanisms")
# A shorter word may be anybody's.
MIN_TOKEN = 6


def folder(snapshot: Path) -> Path:
    return snapshot.with_name(snapshot.name + ENDING)


def write(directory: Path, snapshot_id: str, document: Json) -> None:
    """Write the two files into a new folder. Raises OSError."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700, parents=True)
    entry = tables.write_json(directory, FILE_NAME, {key: document[key] for key in KEYS}, 1)
    listed = [{"path": entry.path, "sha256": entry.sha256, "bytes": entry.size_bytes, "rows": entry.rows}]
    head = {"schemaVersion": manifests.SCHEMA_VERSION, "id": snapshot_id, "files": listed}
    tables.write_json(directory, manifests.FILE_NAME, head, 1)


def read(directory: Path, snapshot_id: str) -> Json:
    """The document. Raises NotFound, and Corrupt where it is not what was written for that snapshot."""
    try:
        head = json.loads((directory / manifests.FILE_NAME).read_bytes())
        data = (directory / FILE_NAME).read_bytes()
        (entry,) = head["files"]
        version, found_id, digest = head["schemaVersion"], head["id"], entry["sha256"]
    except FileNotFoundError as exc:
        raise errors.NotFound(
            f"expected the operator's part of the snapshot at {directory}, found none; copy it from the "
            "operator's volume to where the snapshot is"
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise errors.Corrupt(
            f"{directory}: expected the operator's part of a snapshot, found {exc!r}"
        ) from exc
    if version != manifests.SCHEMA_VERSION:
        raise errors.Corrupt(
            f"{directory}: expected schemaVersion {manifests.SCHEMA_VERSION}, found {version!r}; read it "
            "with the release that wrote it"
        )
    if found_id != snapshot_id:
        raise errors.Corrupt(f"{directory}: expected the part of {snapshot_id}, found that of {found_id}")
    if hashlib.sha256(data).hexdigest() != digest:
        raise errors.Corrupt(f"{directory}/{FILE_NAME}: expected sha256 {digest}, found another content")
    document: Json = json.loads(data)
    return document


def tokens(document: Json, namespace: str) -> dict[str, str]:
    """token → what it is, in lower case: what must not be found as a word in the public part.

    Names that could be anybody's are none: short ones, single words, and those that an agent sees anyway (the
    application's namespace, root causes, objects that the plan changes). A mechanism's name is one of ours
    from three words on: `feature-flag` is not.
    """
    run, scenario = document["run"], document["scenario"]
    found = {run["uid"]: "uid of the run"}
    public = {namespace, run["namespace"], scenario.get("application", ""), *_seen_anyway(document)}
    names = [(run["name"], "name of the run"), (scenario.get("name", ""), "name of the scenario")]
    names += [(name, "name of a mechanism") for name in document["mechanisms"] if name.count("-") > 1]
    if _injector_hidden(document):
        for obj in document["injector"]:
            meta = obj["metadata"]
            found[meta["uid"]] = f"uid of {obj['kind']} {meta['name']}"
            names.append((meta["name"], f"name of a {obj['kind']}"))
    for name, kind in names:
        compound = "-" in name or any(map(str.isdigit, name))
        if len(name) >= MIN_TOKEN and compound and name not in public:
            found.setdefault(name, kind)
    return {token.lower(): kind for token, kind in found.items()}


def _injector_hidden(document: Json) -> bool:
    return bool(document["scenario"].get("injector", "hidden") == "hidden")


def _seen_anyway(document: Json) -> Iterator[str]:
    """Names of objects that are not the injector's."""
    for cause in document["truth"]:
        for entity in (cause["entity"], *cause.get("equivalents", ())):
            yield entity.rpartition("/")[2]
    for api_version, name in _refs(document["plan"]):
        if not api_version.startswith(f"{access.INJECTOR_GROUP}/"):
            yield name


def _refs(value: Any) -> Iterator[tuple[str, str]]:
    """(apiVersion, name) of every object in the plan: a manifest, or [apiVersion, kind, namespace, name]."""
    match value:
        case {"apiVersion": str(api_version), "metadata": {"name": str(name)}}:
            yield api_version, name
        case [str(api_version), str(kind), str(), str(name)] if kind[:1].isupper():
            yield api_version, name
        case dict():
            for item in value.values():
                yield from _refs(item)
        case list():
            for item in value:
                yield from _refs(item)


def words(document: Json) -> tuple[str, ...]:
    """The product's names, and the injector's where it is hidden: nowhere, not even within a word."""
    return redaction.PRODUCT_WORDS + (redaction.INJECTOR_WORDS if _injector_hidden(document) else ())


async def injector_objects(api: kube.Kube) -> list[dict[str, Any]]:
    """The objects of the fault injector, in its namespace. None where it is not installed."""
    found: list[dict[str, Any]] = []
    try:
        group = await api.request("GET", f"/apis/{access.INJECTOR_GROUP}")
    except errors.NotFound:
        return found
    base = f"/apis/{group['preferredVersion']['groupVersion']}"
    served = await api.request("GET", base)
    for item in served["resources"]:
        if "/" in item["name"] or not item["namespaced"] or "list" not in item["verbs"]:
            continue
        for namespace in sorted(redaction.INJECTOR_NAMESPACES):
            listed = await api.request("GET", f"{base}/namespaces/{namespace}/{item['name']}")
            head = {"apiVersion": base.removeprefix("/apis/"), "kind": item["kind"]}
            found += [redaction.without_noise({**head, **obj}) for obj in listed.get("items") or ()]
    return found
