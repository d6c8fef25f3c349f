"""Workloads that want more of a resource than they have."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World

# By their common names. Such an alert says where it hurts, not why: a guess, for want of better.
_ALERTS = frozenset({"ContainerMemoryNearLimit", "CpuThrottlingHigh", "HighCpuUsage"})
_SUSPECTED = 0.58


def evicted(world: World) -> Iterator[Hypothesis]:
    """Evicted for what its own containers wrote; where the node is short of disk, the message says so."""
    for pod in world.pods:
        status = pod.get("status") or {}
        message = str(status.get("message", ""))
        if status.get("reason") != "Evicted" or "ephemeral" not in message or "The node was low" in message:
            continue
        kind, name = world.owner({"kind": "Pod", **pod})
        yield Hypothesis(
            world.entity(kind, name),
            "evicted",
            0.9,
            f"pod {pod['metadata']['name']}: {message[:300]}",
            frozenset({name}),
        )


def short_of(world: World) -> Iterator[Hypothesis]:
    """A workload about which an alert of its own CPU or memory fires."""
    names = {workload["metadata"]["name"]: workload["kind"] for workload in world.workloads}
    for alert in world.alerts:
        labels = alert.get("labels", {})
        name = labels.get("service_name", "")
        if alert.get("state") == "firing" and labels.get("alertname") in _ALERTS and name in names:
            yield Hypothesis(
                world.entity(names[name], name),
                "resource-pressure",
                _SUSPECTED,
                f"{labels['alertname']} fires",
                frozenset({name}),
            )
