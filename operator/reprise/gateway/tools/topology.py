"""topology_neighbours, topology_path: built from what can be read now, at each call."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from reprise.domain import errors, topology
from reprise.domain.topology_walk import Step, Walk
from reprise.gateway.tools import kinds
from reprise.gateway.tools.call import Call, ToolError, together
from reprise.gateway.tools.schema import Namespace, PagedArguments, Tool

Json = Mapping[str, Any]
# What relations are made of. The rest (Events, Leases, roles ...) would be nodes without edges.
_OBJECTS = frozenset(
    {
        *("pods", "services", "configmaps", "serviceaccounts", "persistentvolumeclaims", "nodes"),
        *("resourcequotas", "limitranges"),
        *("deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps"),
        *("jobs.batch", "cronjobs.batch"),
        *("horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io"),
        *("poddisruptionbudgets.policy", "priorityclasses.scheduling.k8s.io"),
    }
)
# Only their names matter, and some of them are large.
_METADATA_ONLY = frozenset({"ConfigMap", "ServiceAccount", "PersistentVolumeClaim", "Node", "PriorityClass"})
_PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
# Everything is in its namespace and on some node: what hangs together through those says nothing.
_EVERYWHERE = frozenset({"Namespace", "Node", "ServiceAccount", "ResourceQuota", "LimitRange"})
_NODE = Field(
    min_length=1,
    max_length=400,
    description="Kind/name, namespace/Kind/name, or a name that only one thing has. App/<name> is a service "
    "as traces name it.",
    examples=["Deployment/cart", "otel-demo/Service/checkout", "App/frontend"],
)


class NeighboursArguments(PagedArguments):
    entity: str = _NODE
    namespace: Namespace = ""
    depth: int = Field(1, ge=1, le=3)


class PathArguments(PagedArguments):
    source: str = _NODE
    target: str = _NODE
    namespace: Namespace = ""


@dataclass
class _Calls:
    total: Counter[tuple[str, str]] = field(default_factory=Counter)

    def edge(self, pair: tuple[str, str]) -> dict[str, int]:
        return {"count": self.total[pair]}


async def topology_neighbours(call: Call, given: NeighboursArguments) -> str:
    walk, missing = await _walk(call, given.namespace)
    start = _find(walk, given.entity, "entity")
    lines = [
        f"{'  ' * (distance - 1)}{_edge(step)}"
        for distance, step in walk.neighbours(start, given.depth, _EVERYWHERE)
    ]
    return f"{start} has {len(lines)} relations within {given.depth} steps{missing}\n" + "\n".join(lines)


async def topology_path(call: Call, given: PathArguments) -> str:
    walk, missing = await _walk(call, given.namespace)
    source, target = _find(walk, given.source, "source"), _find(walk, given.target, "target")
    steps = walk.path(source, target, _EVERYWHERE)
    if steps is None:
        around = ", ".join(sorted(_EVERYWHERE))
        return f"no path from {source} to {target} (those through {around} do not count){missing}"
    return f"{len(steps)} steps from {source} to {target}{missing}\n" + "\n".join(map(_edge, steps))


async def _walk(call: Call, namespace: str) -> tuple[Walk, str]:
    """The graph, and a line about what is missing in it."""
    if namespace == "*":
        raise ToolError(400, "namespace: expected one namespace, found '*'")
    namespace = namespace or call.namespace
    resources = [one for one in await kinds.known(call) if one.full_name in _OBJECTS]
    lists = await together(_list(call, one, namespace) for one in resources)
    calls, missing = _Calls(), ""
    try:
        for edge in (await call.reads.json("/jaeger/api/dependencies"))["data"] or ():
            calls.total[edge["parent"], edge["child"]] += int(edge.get("callCount") or 0)
    except errors.Unreachable:
        missing = "\n[calls between services are missing: traces cannot be read now]"
    objects = [obj for listed in lists for obj in listed]
    return Walk(await asyncio.to_thread(topology.build, objects, calls, namespace)), missing


async def _list(call: Call, resource: kinds.Resource, namespace: str) -> list[Json]:
    accept = _PARTIAL if resource.kind in _METADATA_ONLY else "application/json"
    document = await call.reads.json(resource.path(namespace), accept=accept)
    return [{**item, "kind": resource.kind} for item in document.get("items") or ()]


def _find(walk: Walk, text: str, name: str) -> str:
    try:
        return walk.find(text)
    except errors.InvalidInput as exc:
        raise ToolError(404, f"{name}: {exc}") from exc


def _edge(step: Step) -> str:
    meta = step.edge.get("meta") or {}
    notes = {"why": meta.get("why"), "env": meta.get("env"), "calls": meta.get("count")}
    told = ", ".join(f"{key} {item}" for key, item in notes.items() if item is not None)
    line = f"{step.edge['source']} --{step.edge['relation']}--> {step.edge['target']}"
    return line + (f"  ({told})" if told else "")


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "topology_neighbours",
        "What stands beside an object",
        "Owners, pods, nodes, configuration, policies and quotas that apply, and calls seen in traces. "
        'Example: {"entity": "Deployment/cart", "depth": 2}',
        NeighboursArguments,
        topology_neighbours,
    ),
    Tool(
        "topology_path",
        "How two objects hang together",
        "The shortest chain of relations between two things, in either direction. "
        'Example: {"source": "App/frontend", "target": "Deployment/valkey-cart"}',
        PathArguments,
        topology_path,
    ),
)
