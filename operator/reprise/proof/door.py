"""The agent's side of a proof: what an attempt can see through the gateway, and its answer."""

import asyncio
import base64
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.submission import MAX_ENTITIES
from reprise.faults import consumers


async def kubeconfig(kube: Kube, namespace: str, attempt: str) -> bytes:
    """The attempt's own kubeconfig. Raises NotFound when the operator made none."""
    ref = ObjectRef("v1", "Secret", namespace, f"{attempt}-kubeconfig")
    found = await kube.get(ref)
    if found is None:
        raise errors.NotFound(f"expected {ref} with the attempt's kubeconfig, found none")
    return base64.b64decode(found["data"]["kubeconfig"])


@contextlib.asynccontextmanager
async def open_door(config: bytes) -> AsyncIterator[Kube]:
    """A connection with an attempt's own kubeconfig."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_bytes(config)
        async with await Kube.connect(str(path)) as door:
            yield door


async def kinds(door: Kube) -> dict[str, tuple[str, bool]]:
    """What the door's discovery lists: kind → (API version, whether it has namespaces)."""
    groups = (await door.request("GET", "/apis")).get("groups", ())
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    out: dict[str, tuple[str, bool]] = {}
    for version in versions:
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        for item in (await door.request("GET", base)).get("resources", ()):
            if "/" not in item["name"] and "list" in item["verbs"]:
                out.setdefault(item["kind"], (version, item["namespaced"]))
    return out


async def unreachable(door: Kube, namespace: str, entities: Iterable[EntityId]) -> tuple[str, ...]:
    """Those entities that an agent cannot come upon.

    A Secret is reachable where a workload names it, and so is a Service that was deleted: its callers hold
    its name.
    """
    known = await kinds(door)
    named: set[str] | None = None
    out = []
    for entity in entities:
        if entity.kind == "Secret":
            named = await _secrets(door, namespace) if named is None else named
            there = entity.namespace == namespace and entity.name in named
        elif entity.kind in known:
            ref = ObjectRef(known[entity.kind][0], entity.kind, entity.namespace, entity.name)
            there = await door.get(ref) is not None
            if not there and entity.kind == "Service":
                there = entity.namespace == namespace and entity.name in await _hosts(door, namespace)
        else:
            there = False
        if not there:
            out.append(str(entity))
    return tuple(out)


async def _secrets(door: Kube, namespace: str) -> set[str]:
    """Names of Secrets that pod templates refer to."""
    return {
        name
        for deployment in await door.list_objects("apps/v1", "Deployment", namespace)
        for kind, name in consumers.reads(deployment["spec"]["template"]["spec"])
        if kind == "Secret"
    }


async def _hosts(door: Kube, namespace: str) -> set[str]:
    """Words in which pod templates may name whom they call: of variables, commands and arguments."""
    words: set[str] = set()
    for deployment in await door.list_objects("apps/v1", "Deployment", namespace):
        spec = deployment["spec"]["template"]["spec"]
        for container in (*spec["containers"], *(spec.get("initContainers") or ())):
            texts = [entry.get("value") or "" for entry in container.get("env") or ()]
            texts += [*(container.get("command") or ()), *(container.get("args") or ())]
            words |= {word for text in texts for word in re.split(r"[^a-z0-9-]+", text)}
    return words


async def everything(door: Kube, namespace: str) -> list[EntityId]:
    """Every object that the door shows: of the application first, then of the cluster."""
    out: list[EntityId] = []
    for kind, (version, namespaced) in sorted((await kinds(door)).items()):
        if kind in ("Event", "PodMetrics", "NodeMetrics"):
            continue  # records of other things, no things
        try:
            items: list[Json] = await door.list_objects(version, kind, namespace if namespaced else "")
        except errors.Refused:
            continue  # readable in another namespace only, such as the nodes' heartbeats
        out += [
            EntityId(item["metadata"].get("namespace", ""), kind, item["metadata"]["name"]) for item in items
        ]
    return sorted(dict.fromkeys(out), key=lambda entity: (not entity.namespace, str(entity)))


async def submit(door: Kube, entities: Iterable[EntityId]) -> None:
    """Hand the answer in, at most as many entities as one may hold."""
    names = [{"name": str(entity)} for entity in list(dict.fromkeys(entities))[:MAX_ENTITIES]]
    await asyncio.wait_for(door.request("POST", "/submit", body={"entities": names}), 60)
