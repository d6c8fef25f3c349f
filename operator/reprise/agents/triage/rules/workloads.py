"""Workloads that ask for no pods."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World


def scaled_to_zero(world: World) -> Iterator[Hypothesis]:
    """Zero replicas of something that a Service stands for: somebody expects an answer there."""
    backed = {w["metadata"]["name"] for service in world.services for w in world.selected_workloads(service)}
    for workload in world.workloads:
        name = workload["metadata"]["name"]
        if workload["kind"] != "DaemonSet" and workload["spec"].get("replicas", 1) == 0:
            yield Hypothesis(
                world.entity(workload["kind"], name),
                "scaled-to-zero",
                0.92 if name in backed else 0.7,
                f"spec.replicas is 0{', a Service selects its pods' if name in backed else ''}",
                frozenset({name}),
            )
