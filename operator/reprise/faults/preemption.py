"""A workload of high priority that will not share a node with the target: the scheduler makes room for it."""

from dataclasses import dataclass

from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Create
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import created, placement, seeded, template
from reprise.faults.mechanism import (
    CLUSTER_API_VERSIONS,
    Cause,
    Injection,
    Json,
    Mechanism,
    Observed,
)

_HOSTNAME = "kubernetes.io/hostname"
_PRIORITY = 1_000_000
_RESOURCES: Json = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}


@dataclass(frozen=True)
class PreemptionParameters:
    """name: the Deployment's; a plausible one by default. priority_class: its class's; a plausible one too.
    image: what it runs, an image with a `sleep`; the target's by default."""

    name: str | None = None
    priority_class: str | None = None
    image: str | None = None


def _plan(target: str, params: PreemptionParameters, seed: int, observed: Observed) -> Injection:
    like = observed.get("Deployment", target)
    template.serving(like)
    rng = seeded.chooser(seed, PREEMPTION.name, target)
    name = params.name or seeded.pick(
        rng,
        ["report-worker", "billing-export", "search-indexer", "media-transcoder", "ledger-sync"],
        created.taken(observed),
        "name for a Deployment",
    )
    class_name = params.priority_class or seeded.pick(
        rng,
        ["business-critical", "critical-workloads", "high-priority", "priority-batch"],
        observed.all("PriorityClass"),
        "name for a PriorityClass",
    )
    ref = observed.ref("Deployment", name)
    class_ref = ObjectRef(CLUSTER_API_VERSIONS["PriorityClass"], "PriorityClass", "", class_name)
    priority: Json = {
        "apiVersion": class_ref.api_version,
        "kind": class_ref.kind,
        "metadata": {"name": class_name},
        "value": _PRIORITY,
        "description": "For work that must run first",
    }
    apart = [dict(like["spec"]["selector"]["matchLabels"]), {"app.kubernetes.io/name": name}]
    pod: Json = {
        "priorityClassName": class_name,
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": labels}, "topologyKey": _HOSTNAME} for labels in apart
                ]
            }
        },
    }
    # One replica a node, so that the replaced pod finds no node without one.
    manifest = created.deployment(
        ref,
        like,
        ["sleep", "infinity"],
        resources=_RESOURCES,
        image=params.image,
        replicas=len(placement.nodes_for(like, observed)),
        pod=pod,
    )
    return Injection(
        mutations=(Create(priority), Create(manifest)),
        causes=(Cause(ref, owned=True, equivalents=(class_ref,)),),
        settle=(WaitAvailable(ref),),
        recover=(WaitAvailable(observed.ref("Deployment", target)),),
    )


def _symptoms(target: str, params: PreemptionParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom("no node takes its pod", alert="KubePodUnschedulable", labels={"service_name": target}),
        EventSymptom(
            "its pod is preempted", reason="Preempted", kind="Pod", name_prefix=f"{target}-", required=False
        ),
    )


PREEMPTION = Mechanism(
    name="pod-preempted",
    summary="A workload of high priority that shares no node with the target takes its place on every node.",
    parameters=PreemptionParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
    cluster_wide=True,
)

MECHANISMS = (PREEMPTION,)
