"""Objects that hold a workload to a number of pods: autoscalers and disruption budgets."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World, selects, template_labels


def autoscaler_at_its_end(world: World) -> Iterator[Hypothesis]:
    """It wants more pods than it may have. Whether for its own settings or for real load is not told here."""
    for autoscaler in world.autoscalers:
        spec, status = autoscaler["spec"], autoscaler.get("status") or {}
        limited = any(
            condition["type"] == "ScalingLimited"
            and condition["status"] == "True"
            and condition.get("reason") == "TooManyReplicas"
            for condition in status.get("conditions") or ()
        )
        if not limited or status.get("currentReplicas", 0) < spec["maxReplicas"]:
            continue
        young = world.in_window(autoscaler["metadata"].get("creationTimestamp"))
        yield Hypothesis(
            world.entity("HorizontalPodAutoscaler", autoscaler["metadata"]["name"]),
            "autoscaler-at-its-end",
            0.9 if young else 0.65,
            f"{status.get('currentReplicas')} of at most {spec['maxReplicas']} pods, and it wants more",
            frozenset({spec["scaleTargetRef"]["name"]}),
        )


def budget_blocks(world: World) -> Iterator[Hypothesis]:
    """It allows no pod to go, with all of them there, while a node is to be drained."""
    if not any((node.get("spec") or {}).get("unschedulable") for node in world.nodes):
        return
    for budget in world.disruption_budgets:
        status = budget.get("status") or {}
        healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        expected = status.get("expectedPods", 0)
        if not expected or status.get("disruptionsAllowed", 0) or healthy < expected or wanted < expected:
            continue
        yield Hypothesis(
            world.entity("PodDisruptionBudget", budget["metadata"]["name"]),
            "budget-blocks",
            0.9,
            f"{healthy} of {expected} pods are healthy, {wanted} must be: a drain cannot go on",
            frozenset(
                workload["metadata"]["name"]
                for workload in world.workloads
                if selects(budget["spec"].get("selector"), template_labels(workload))
            ),
        )
