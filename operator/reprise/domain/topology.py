"""The objects and how they hang together, in the shape that ITBench's readers take (`topology.json`).

Ids are `Kind/name`, as there: a snapshot holds one namespace. `App/<service.name>` stands for a service as
the traces name it. Relations: `contains` (namespace, owner, node, Service's pods), `depends_on` (what must be
right for the source to work: configuration, claims and what they are bound to, accounts, hosts named in the
environment, policies, quotas and autoscalers that apply), `calls` (from traces, with counts and latencies),
`is_alias` (App and its Service).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

Json = Mapping[str, Any]
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})
# They say what happened or was measured, not what there is.
_NO_NODES = frozenset({"Event", "Lease", "NodeMetrics", "PodMetrics"})
_HOST = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


class Calls(Protocol):
    """Who called whom, by (caller, callee): how often, and what else is known of it."""

    @property
    def total(self) -> Iterable[tuple[str, str]]: ...

    def edge(self, pair: tuple[str, str], /) -> Mapping[str, Any]:
        """Counts of a pair, failures and latencies as far as they are known."""
        ...


class Graph:
    """Nodes and edges without duplicates, in the order in which they came."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: dict[tuple[str, str, str], dict[str, Any]] = {}

    def node(self, kind: str, name: str, namespace: str = "") -> str:
        found = f"{kind}/{name}"
        self.nodes.setdefault(
            found,
            {"id": found, "kind": kind, "name": name, **({"namespace": namespace} if namespace else {})},
        )
        return found

    def edge(self, source: str, relation: str, target: str, **meta: Any) -> None:
        edge: dict[str, Any] = {"source": source, "relation": relation, "target": target}
        if meta:
            edge["meta"] = meta
        self.edges.setdefault((source, relation, target), edge)

    def to_json(self) -> dict[str, Any]:
        """Edges to what is not there stay out: a reader follows them blindly."""
        return {
            "nodes": list(self.nodes.values()),
            "edges": [
                e for e in self.edges.values() if e["source"] in self.nodes and e["target"] in self.nodes
            ],
        }


def build(objects: Iterable[Json], calls: Calls, namespace: str) -> dict[str, Any]:
    """The graph of the objects of a namespace, of those without one (each with kind), and of the calls
    between services. Objects of other namespaces are left out."""
    graph = Graph()
    found = [obj for obj in objects if _belongs(obj, namespace)]
    graph.node("Namespace", namespace)
    for obj in found:
        graph.node(obj["kind"], obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
    by_kind: dict[str, list[Json]] = {}
    for obj in found:
        by_kind.setdefault(obj["kind"], []).append(obj)
    _contained(graph, found)
    for obj in found:
        if (template := pod_template(obj)) is not None:
            _template(graph, _id(obj), template, {s["metadata"]["name"] for s in by_kind.get("Service", ())})
    _selected(graph, by_kind)
    _limited(graph, by_kind)
    _bound(graph, by_kind)
    _called(graph, calls, by_kind)
    return graph.to_json()


def _belongs(obj: Json, namespace: str) -> bool:
    meta = obj["metadata"]
    home = meta["name"] if obj["kind"] == "Namespace" else meta.get("namespace", namespace)
    return home == namespace and obj["kind"] not in _NO_NODES


def _id(obj: Json) -> str:
    return f"{obj['kind']}/{obj['metadata']['name']}"


def pod_template(obj: Json) -> Json | None:
    """What a workload makes its pods from (labels and spec), or a pod itself; None for other kinds."""
    if obj["kind"] == "Pod":
        return {"metadata": obj["metadata"], "spec": obj.get("spec", {})}
    if obj["kind"] == "CronJob":
        found: Json = obj["spec"]["jobTemplate"]["spec"]["template"]
        return found
    return obj.get("spec", {}).get("template") if obj["kind"] in WORKLOADS else None


def _contained(graph: Graph, objects: Iterable[Json]) -> None:
    for obj in objects:
        meta = obj["metadata"]
        if meta.get("namespace"):
            graph.edge(f"Namespace/{meta['namespace']}", "contains", _id(obj))
        for owner in meta.get("ownerReferences") or ():
            graph.edge(f"{owner['kind']}/{owner['name']}", "contains", _id(obj))
        if obj["kind"] == "Pod" and obj.get("spec", {}).get("nodeName"):
            graph.edge(f"Node/{obj['spec']['nodeName']}", "contains", _id(obj))


def _template(graph: Graph, source: str, template: Json, services: set[str]) -> None:
    spec = template.get("spec") or {}
    if spec.get("serviceAccountName"):
        graph.edge(source, "depends_on", f"ServiceAccount/{spec['serviceAccountName']}")
    if spec.get("priorityClassName"):
        graph.edge(source, "depends_on", f"PriorityClass/{spec['priorityClassName']}")
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    _mounted(graph, source, spec, containers)
    for container in containers:
        for origin in container.get("envFrom") or ():
            if name := origin.get("configMapRef", {}).get("name"):
                graph.edge(source, "depends_on", f"ConfigMap/{name}")
        for env in container.get("env") or ():
            if name := env.get("valueFrom", {}).get("configMapKeyRef", {}).get("name"):
                graph.edge(source, "depends_on", f"ConfigMap/{name}")
            for name in hosts_in(env.get("value") or "") & services:
                graph.edge(source, "depends_on", f"Service/{name}", env=env["name"])


def _mounted(graph: Graph, source: str, spec: Json, containers: Sequence[Json]) -> None:
    """What the volumes come from, with where each container mounts them."""
    for volume in spec.get("volumes") or ():
        mounts = [
            f"{container['name']}:{mount['mountPath']}"
            for container in containers
            for mount in container.get("volumeMounts") or ()
            if mount["name"] == volume["name"]
        ]
        for part in (volume, *(volume.get("projected", {}).get("sources") or ())):
            if name := part.get("configMap", {}).get("name"):
                graph.edge(source, "depends_on", f"ConfigMap/{name}", volume=volume["name"], mounts=mounts)
        if name := volume.get("persistentVolumeClaim", {}).get("claimName"):
            target = f"PersistentVolumeClaim/{name}"
            graph.edge(source, "depends_on", target, volume=volume["name"], mounts=mounts)


def hosts_in(value: str) -> set[str]:
    """The words of a value that could be a Service's name: hosts of URLs, `host:port`, `key=host` lists."""
    words = re.split(r"[\s,;=@/:]+", value)
    return {word.partition(".")[0] for word in words if _HOST.match(word)}


def matches(selector: Json | None, labels: Json) -> bool:
    """A LabelSelector. An empty one matches everything, a missing one nothing."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or ():
        value = labels.get(rule["key"])
        match rule["operator"]:
            case "In" if value not in rule["values"]:
                return False
            case "NotIn" if value in rule["values"]:
                return False
            case "Exists" if value is None:
                return False
            case "DoesNotExist" if value is not None:
                return False
    return True


def _selected(graph: Graph, by_kind: Mapping[str, Sequence[Json]]) -> None:
    """Services contain the pods that they select; workloads depend on policies that select them."""
    for service in by_kind.get("Service", ()):
        selector = service.get("spec", {}).get("selector")
        for pod in by_kind.get("Pod", ()):
            if selector and matches({"matchLabels": selector}, pod["metadata"].get("labels") or {}):
                graph.edge(_id(service), "contains", _id(pod))
    templated = [
        (obj, template)
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "Pod")
        for obj in by_kind.get(kind, ())
        if (template := pod_template(obj)) is not None
    ]
    for kind, field, why in (
        ("NetworkPolicy", "podSelector", "the policy selects its pods"),
        ("PodDisruptionBudget", "selector", "the budget selects its pods"),
    ):
        for policy in by_kind.get(kind, ()):
            for obj, template in templated:
                labels = (template.get("metadata") or {}).get("labels") or {}
                if matches(policy.get("spec", {}).get(field), labels):
                    graph.edge(_id(obj), "depends_on", _id(policy), why=why)


def _limited(graph: Graph, by_kind: Mapping[str, Sequence[Json]]) -> None:
    """Quotas and limit ranges hold for every workload of the namespace, autoscalers for their target."""
    workloads = [obj for kind in ("Deployment", "StatefulSet", "DaemonSet") for obj in by_kind.get(kind, ())]
    for kind in ("ResourceQuota", "LimitRange"):
        for limit in by_kind.get(kind, ()):
            for workload in workloads:
                graph.edge(_id(workload), "depends_on", _id(limit), why="it limits the namespace")
    for scaler in by_kind.get("HorizontalPodAutoscaler", ()):
        reference = scaler["spec"]["scaleTargetRef"]
        target = f"{reference['kind']}/{reference['name']}"
        graph.edge(target, "depends_on", _id(scaler), why="it scales the workload")
        graph.edge(_id(scaler), "depends_on", target, why="it is what is scaled")


def _bound(graph: Graph, by_kind: Mapping[str, Sequence[Json]]) -> None:
    """Claims hang on the volume that they are bound to and on their class, volumes on theirs."""
    for kind in ("PersistentVolumeClaim", "PersistentVolume"):
        for holder in by_kind.get(kind, ()):
            spec = holder.get("spec") or {}
            if kind == "PersistentVolumeClaim" and spec.get("volumeName"):
                graph.edge(_id(holder), "depends_on", f"PersistentVolume/{spec['volumeName']}")
            if spec.get("storageClassName"):
                graph.edge(_id(holder), "depends_on", f"StorageClass/{spec['storageClassName']}")


def _called(graph: Graph, calls: Calls, by_kind: Mapping[str, Sequence[Json]]) -> None:
    services = {service["metadata"]["name"] for service in by_kind.get("Service", ())}
    for pair in sorted(calls.total):
        for name in pair:
            app = graph.node("App", name)
            if name in services:
                graph.edge(app, "is_alias", f"Service/{name}")
    for pair in sorted(calls.total):
        caller, callee = pair
        target = f"Service/{callee}" if callee in services else f"App/{callee}"
        graph.edge(f"App/{caller}", "calls", target, **calls.edge(pair))
