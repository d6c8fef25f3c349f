"""Nodes that are down."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World


def not_ready(world: World) -> Iterator[Hypothesis]:
    for node in world.nodes:
        for condition in node.get("status", {}).get("conditions") or ():
            if condition["type"] == "Ready" and condition["status"] != "True":
                name = node["metadata"]["name"]
                hit = {
                    world.owner({"kind": "Pod", **pod})[1]
                    for pod in world.pods
                    if pod.get("spec", {}).get("nodeName") == name
                }
                yield Hypothesis(
                    f"Node/{name}",
                    "node-not-ready",
                    0.9,
                    f"Ready is {condition['status']}: {condition.get('message', '')}"[:300],
                    frozenset(hit),
                )
