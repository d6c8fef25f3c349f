"""A PodDisruptionBudget that allows no disruption, while the node of a workload is being drained."""

from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Create, Patch, SetField
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, seeded, service, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed


@dataclass(frozen=True)
class BudgetParameters:
    """name: the budget's; a plausible one by default.
    demand: `maxUnavailable` (no pod may be missing) or `minAvailable` (all must be there)."""

    name: str | None = None
    demand: str = "maxUnavailable"

    def problems(self) -> list[str]:
        known = ("maxUnavailable", "minAvailable")
        return (
            [] if self.demand in known else [f"demand: expected {' or '.join(known)}, found {self.demand!r}"]
        )


def _plan(target: str, params: BudgetParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    selector = dict(deployment["spec"]["selector"]["matchLabels"])
    nodes = sorted(
        {
            pod["spec"]["nodeName"]
            for pod in observed.all("Pod").values()
            if service.matches(selector, pod["metadata"].get("labels") or {})
            and pod["spec"].get("nodeName")
            and pod.get("status", {}).get("phase") == "Running"
        }
    )
    if not nodes:
        raise errors.InvalidInput(
            f"expected a running pod of Deployment/{target} whose node can be drained, found none"
        )
    drained = observed.ref("Node", nodes[0])
    if observed.find(drained).get("spec", {}).get("unschedulable"):
        raise errors.InvalidInput(f"expected {drained} to be open, found it cordoned")
    name = params.name or seeded.pick(
        seeded.chooser(seed, BUDGET.name, target),
        [f"{target}-pdb", f"{target}-budget", target],
        observed.all("PodDisruptionBudget"),
        "name for a PodDisruptionBudget",
    )
    ref = observed.ref("PodDisruptionBudget", name)
    demanded = 0 if params.demand == "maxUnavailable" else deployment["spec"].get("replicas", 1)
    manifest: Json = {
        **created.head(ref),
        "spec": {params.demand: demanded, "selector": {"matchLabels": selector}},
    }
    # A drain begins with a cordon, and does not get further than the eviction that the budget refuses.
    return Injection(
        mutations=(Create(manifest), Patch(drained, (SetField(("spec", "unschedulable"), True),))),
        causes=(Cause(ref),),
        recover=(WaitAvailable(observed.ref("Deployment", target)),),
    )


def _symptoms(target: str, params: BudgetParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom(
            "a drain cannot go on", alert="KubePdbDisruptionBlocked", labels={"service_name": target}
        ),
    )


BUDGET = Mechanism(
    name="pod-disruption-budget-blocking",
    summary="A PodDisruptionBudget allows no disruption, so that the drain of a node does not end.",
    parameters=BudgetParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
    cluster_wide=True,
)

MECHANISMS = (BUDGET,)
