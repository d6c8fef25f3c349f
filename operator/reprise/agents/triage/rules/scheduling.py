"""Pods that find no node: for what they ask, for what the nodes say, or for who took their place."""

import re
from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.rules import arrivals
from reprise.agents.triage.world import World, about, event_text, event_time

_PREEMPTED = re.compile(r"Preempted by pod (\S+)")
# Taints that Kubernetes itself puts on nodes: a closed node is told by its `unschedulable`, a sick one by its
# conditions.
_BY_KUBERNETES = ("node-role.kubernetes.io/", "node.kubernetes.io/")


def cannot_be_scheduled(world: World) -> Iterator[Hypothesis]:
    """Blame a node when it is closed to new pods, who took the pod's place, else what the pod asks for."""
    for pod in world.pods:
        condition = next(
            (c for c in pod.get("status", {}).get("conditions") or () if c["type"] == "PodScheduled"), None
        )
        if condition is None or condition["status"] != "False":
            continue
        message = str(condition.get("message", ""))
        owner = world.owner({"kind": "Pod", **pod})
        for entity, rule in _blamed(world, pod, owner, message):
            yield Hypothesis(
                entity, rule, 0.9, f"pod {pod['metadata']['name']}: {message[:300]}", frozenset({owner[1]})
            )


def _blamed(world: World, pod: Json, owner: tuple[str, str], message: str) -> list[tuple[str, str]]:
    """(entity, rule), of the first explanation that fits."""
    cordoned = [node for node in world.nodes if (node.get("spec") or {}).get("unschedulable")]
    if cordoned and "unschedulable" in message:
        return [(f"Node/{node['metadata']['name']}", "cordoned-node") for node in cordoned]
    tainted = [node for node in world.nodes if _tainted(node)]
    if tainted and "untolerated taint" in message:
        return [(f"Node/{node['metadata']['name']}", "tainted-node") for node in tainted]
    if "persistentvolumeclaim" in message.lower():
        claims = _unbound(world, pod)
        blamed = [world.entity("PersistentVolumeClaim", name) for name in claims] or [world.entity(*owner)]
        return [(entity, "unbound-claim") for entity in blamed]
    if takers := _preemptors(world, owner):
        return [(world.entity(*taker), "preempted") for taker in takers]
    return [(world.entity(*owner), "unschedulable")]


def _unbound(world: World, pod: Json) -> list[str]:
    """The claims of the pod that are there and not bound: a message need not name them."""
    wanted = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in (pod.get("spec") or {}).get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    return sorted(
        claim["metadata"]["name"]
        for claim in world.claims
        if claim["metadata"]["name"] in wanted and (claim.get("status") or {}).get("phase") != "Bound"
    )


def _tainted(node: Json) -> bool:
    return any(
        taint.get("effect") in ("NoSchedule", "NoExecute")
        and not str(taint.get("key", "")).startswith(_BY_KUBERNETES)
        for taint in (node.get("spec") or {}).get("taints") or ()
    )


def _preemptors(world: World, owner: tuple[str, str]) -> list[tuple[str, str]]:
    """Whose pods took the place of the owner's: as the event says; or the newcomers of higher priority."""
    if found := _named_as_preemptors(world, owner[1]):
        return sorted(found)
    newcomers = [("Deployment", deployment["metadata"]["name"]) for deployment in arrivals.newcomers(world)]
    usual = _priority(world, owner)
    return sorted(one for one in newcomers if _priority(world, one) > usual)


def _named_as_preemptors(world: World, name: str) -> set[tuple[str, str]]:
    by_uid = {pod["metadata"].get("uid"): pod for pod in world.pods}
    found = set()
    for event in world.events:
        taker = _PREEMPTED.search(event_text(event))
        if event.get("reason") != "Preempted" or not taker or not world.in_window(event_time(event)):
            continue
        if str(about(event).get("name", "")).startswith(f"{name}-") and (pod := by_uid.get(taker[1])):
            found.add(world.owner({"kind": "Pod", **pod}))
    return found


def _priority(world: World, workload: tuple[str, str]) -> int:
    """The highest of its pods; 0 without any."""
    return max((int(pod.get("spec", {}).get("priority") or 0) for pod in world.pods_of(*workload)), default=0)
