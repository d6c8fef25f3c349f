"""Pods that were never made, because admission said no."""

import re
from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World

_QUOTA = re.compile(r"(?:exceeded|failed) quota: ([^,:\s]+)")


def denied(world: World) -> Iterator[Hypothesis]:
    """A quota named in a ReplicaSet's failure or in a FailedCreate event."""
    blamed: dict[str, tuple[set[str], str]] = {}
    for kind, name, message in _refusals(world):
        if found := _QUOTA.search(message):
            victims, _ = blamed.setdefault(found[1], (set(), message))
            victims.add(world.owner(_named(world, kind, name))[1])
    for quota, (victims, message) in sorted(blamed.items()):
        yield Hypothesis(
            world.entity("ResourceQuota", quota), "quota-exceeded", 0.95, message[:300], frozenset(victims)
        )


def _refusals(world: World) -> Iterator[tuple[str, str, str]]:
    """(kind, name, message) of what could not make its pods, and still cannot."""
    short = {
        rs["metadata"]["name"]
        for rs in world.replica_sets
        if rs.get("status", {}).get("replicas", 0) < rs["spec"].get("replicas", 0)
    }
    for rs in world.replica_sets:
        for condition in rs.get("status", {}).get("conditions") or ():
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                yield "ReplicaSet", rs["metadata"]["name"], str(condition.get("message", ""))
    for event in world.events:
        about = event.get("involvedObject") or event.get("regarding") or {}
        if event.get("reason") != "FailedCreate":
            continue
        if about.get("kind") == "ReplicaSet" and about.get("name") not in short:
            continue  # it got its pods in the end
        yield (
            str(about.get("kind")),
            str(about.get("name")),
            str(event.get("message") or event.get("note") or ""),
        )


def _named(world: World, kind: str, name: str) -> dict[str, object]:
    found = next((rs for rs in world.replica_sets if rs["metadata"]["name"] == name), None)
    return {"kind": kind, **found} if found else {"kind": kind, "metadata": {"name": name}}
