"""What a wrongly named entity is: the injector itself, a decoy, a symptom of a cause, or unrelated."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reprise.domain import redaction
from reprise.domain.entities import EntityId

# What holds everything: two things in one namespace, or on one node, are no neighbours for that.
_HUBS = ("Namespace/", "Node/")
_INJECTOR_KINDS = frozenset(
    {"Schedule", "Workflow", "WorkflowNode", "PodNetworkChaos", "PodHttpChaos", "PodIOChaos"}
)


class Blame(StrEnum):
    INJECTOR = "injector"
    DECOY = "decoy"
    SYMPTOM = "symptom"
    UNRELATED = "unrelated"
    UNKNOWN = "unknown"  # there is no topology to tell a symptom from the rest


@dataclass(frozen=True)
class Wrong:
    """A named entity that is no root cause. `why` says in words how that is known."""

    entity: EntityId
    blame: Blame
    why: str


@dataclass(frozen=True)
class Step:
    """How trouble came to a node: from `cause` over `hops` relations, of which `last` is the last one."""

    cause: str
    hops: int
    last: str


@dataclass
class Graph:
    """A snapshot's topology.json: ids are `Kind/name`.

    Trouble goes from what is depended on, or called, to who depends on it, as far as it reaches. A workload's
    parts (Deployment, ReplicaSet, Pod, its Service, its name in the traces) are one thing. Whatever a cause
    itself depends on or calls stands next to it and feels what it does.
    """

    nodes: frozenset[str]
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sufferers: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    needs: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


def graph(topology: Mapping[str, Any]) -> Graph:
    parts: dict[str, list[str]] = defaultdict(list)
    sufferers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    needs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in topology.get("edges", ()):
        source, relation, target = edge["source"], edge["relation"], edge["target"]
        text = f"{source} {relation.replace('_', ' ')} {target}"
        if relation in ("contains", "is_alias"):
            if source.startswith("Node/"):
                sufferers[source].append((target, text))
            elif not source.startswith(_HUBS):
                parts[source].append(target)
                parts[target].append(source)
        else:
            sufferers[target].append((source, text))
            needs[source].append((target, text))
    return Graph(frozenset(node["id"] for node in topology.get("nodes", ())), parts, sufferers, needs)


def spread(known: Graph, causes: Iterable[EntityId]) -> dict[str, Step]:
    """Every node that trouble reaches from the causes, with how it got there; the causes have no hops."""
    reached: dict[str, Step] = {}
    queue: deque[str] = deque()

    def reach(node: str, step: Step) -> None:
        """The node and all parts of the same workload."""
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached[one] = step
                queue.append(one)
                waiting += known.parts.get(one, ())

    for cause in causes:
        for node in _nodes(known, cause):
            reach(node, Step(str(cause), 0, ""))
    for node in list(queue):
        for target, text in known.needs.get(node, ()):
            reach(target, Step(reached[node].cause, 1, text))
    beside = {node for node, step in reached.items() if step.hops == 1}
    while queue:
        node = queue.popleft()
        # Who else needs what a cause happens to call has no trouble from that.
        if node in beside:
            continue
        step = reached[node]
        for source, text in known.sufferers.get(node, ()):
            reach(source, Step(step.cause, step.hops + 1, text))
    return reached


def _nodes(known: Graph, cause: EntityId) -> list[str]:
    """The cause's node; where it is not there any more, what is called like it."""
    own = f"{cause.kind}/{cause.name}"
    if own in known.nodes:
        return [own]
    return [
        f"{kind}/{cause.name}"
        for kind in ("Service", "Deployment", "App")
        if f"{kind}/{cause.name}" in known.nodes
    ]


def judge(
    entities: Iterable[EntityId],
    causes: Sequence[EntityId],
    topology: Mapping[str, Any] | None,
    decoys: Collection[EntityId],
    injected: Collection[EntityId],
) -> list[Wrong]:
    """What each wrongly named entity is. `injected` are objects that the plan made in the injector's own API;
    `topology` is None when none was recorded."""
    known = graph(topology) if topology is not None else None
    reached = spread(known, causes) if known is not None else {}
    parts = spread(Graph(known.nodes, known.parts), decoys) if known is not None else {}
    return [_judge(entity, known is not None, reached, parts, decoys, injected) for entity in entities]


def _judge(
    entity: EntityId,
    is_mapped: bool,
    reached: Mapping[str, Step],
    decoy_parts: Mapping[str, Step],
    decoys: Collection[EntityId],
    injected: Collection[EntityId],
) -> Wrong:
    node = f"{entity.kind}/{entity.name}"
    if entity in injected or entity.namespace in redaction.INJECTOR_NAMESPACES or _is_injector(entity.kind):
        return Wrong(entity, Blame.INJECTOR, "an object of the fault injector, not what it hit")
    if entity in decoys:
        return Wrong(entity, Blame.DECOY, "a harmless change that was made to look suspicious")
    if node in reached:
        step = reached[node]
        if step.hops == 0:
            return Wrong(entity, Blame.SYMPTOM, f"a part of the workload of {step.cause}")
        far = "1 step" if step.hops == 1 else f"{step.hops} steps"
        return Wrong(entity, Blame.SYMPTOM, f"{far} from {step.cause}: {step.last}")
    if node in decoy_parts:
        return Wrong(entity, Blame.DECOY, f"a part of the decoy {decoy_parts[node].cause}")
    if not is_mapped:
        return Wrong(entity, Blame.UNKNOWN, "no topology was recorded")
    return Wrong(entity, Blame.UNRELATED, "no relation leads from a cause to it")


def _is_injector(kind: str) -> bool:
    return kind.endswith("Chaos") or kind in _INJECTOR_KINDS
