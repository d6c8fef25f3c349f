"""A workload of high priority that will not share a node with the target: the scheduler makes room for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Create
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import created, placement, seeded, service, template
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
    """name: the Deployment's; a plausible one by default.
    priority_class: the PriorityClass's; a plausible one by default.
    image: what it runs, an image with a `sleep`; by default the pause image, which every node has, or the
    target's where nodes do not report that one."""

    name: str | None = None
    priority_class: str | None = None
    image: str | None = None


def _plan(target: str, params: PreemptionParameters, seed: int, observed: Observed) -> Injection:
    like = observed.get("Deployment", target)
    template.serving(like)
    placement.nodes_for(like, observed)
    nodes = [n for n in observed.all("Node").values() if not (n.get("spec") or {}).get("unschedulable")]
    if len(nodes) < 2:
        # NB: the scheduler heeds the claim of a pod that it makes room for only where another pod with such a
        # rule runs already; otherwise the replaced pod is back on the node before the other one gets it.
        found = ", ".join(node["metadata"]["name"] for node in nodes) or "none"
        raise errors.Unsupported(f"expected two nodes that are not cordoned, found: {found}")
    rng = seeded.chooser(seed, PREEMPTION.name, target)
    name = params.name or seeded.pick(
        rng,
        ["capacity-reserve", "cluster-headroom", "overprovisioning", "node-reserve", "headroom"],
        created.taken(observed),
        "name for a Deployment",
    )
    class_name = params.priority_class or seeded.pick(
        rng,
        ["business-critical", "critical-workloads", "high-priority", "reserved-capacity"],
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
    key, value = _label(like, observed)
    # NB: one term for both. A pod that waits is looked at again when one goes that matches every term.
    apart = {"matchExpressions": [{"key": key, "operator": "In", "values": [value, name]}]}
    pause = None if params.image else _pause_image(nodes)
    # One replica a node, so that the replaced pod finds no node without one.
    manifest = created.deployment(
        ref,
        like,
        () if pause else ("sleep", "infinity"),
        resources=_RESOURCES,
        image=params.image or pause,
        labels={key: name},
        replicas=len(nodes),
        pod={
            "priorityClassName": class_name,
            "tolerations": [{"operator": "Exists"}],
            "affinity": {
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": apart, "topologyKey": _HOSTNAME}
                    ]
                }
            },
        },
    )
    return Injection(
        mutations=(Create(priority), Create(manifest)),
        causes=(Cause(ref, owned=True, equivalents=(class_ref,)),),
        settle=(WaitAvailable(ref),),
        recover=(WaitAvailable(observed.ref("Deployment", target)),),
    )


def _label(like: Json, observed: Observed) -> tuple[str, str]:
    """The label of the target's selector that only the target's pods have."""
    selector = like["spec"]["selector"].get("matchLabels") or {}
    others = [
        deployment["spec"]["template"]["metadata"].get("labels") or {}
        for name, deployment in observed.all("Deployment").items()
        if name != like["metadata"]["name"]
    ]
    for key, value in sorted(selector.items()):
        if not any(service.matches({key: value}, labels) for labels in others):
            return key, value
    raise errors.InvalidInput(
        f"expected Deployment/{like['metadata']['name']} to select a label that no other workload has, "
        f"found: {', '.join(sorted(selector)) or 'none'}"
    )


def _pause_image(nodes: Sequence[Json]) -> str | None:
    """The image of pods' sandboxes, when every node reports the same one."""
    names = [
        {
            name
            for image in (node.get("status") or {}).get("images") or ()
            for name in image.get("names") or ()
        }
        for node in nodes
    ]
    found = sorted(name for name in set.intersection(*names) if "/pause:" in name)
    return found[-1] if found else None


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
