"""Faults by which no node suits a pod: its node selector, or what it must be kept apart from."""

from collections.abc import Mapping
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import SetField
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import seeded, service, template
from reprise.faults.mechanism import Injection, Mechanism, Observed

_NODE_SELECTOR: paths.Path = (*template.POD_SPEC, "nodeSelector")
_APART: paths.Path = (
    *template.POD_SPEC,
    "affinity",
    "podAntiAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
)
# Labels that every kubelet sets and that are usually the same on all nodes of a cluster.
_WIDE_TOPOLOGIES = ("kubernetes.io/os", "kubernetes.io/arch")


def unschedulable_symptoms(target: str) -> tuple[Symptom, ...]:
    """What a pod that no node takes shows."""
    return (
        AlertSymptom("no node takes a pod", alert="KubePodUnschedulable", labels={"service_name": target}),
        EventSymptom(
            "the scheduler says why",
            reason="FailedScheduling",
            kind="Pod",
            name_prefix=f"{target}-",
            required=False,
        ),
    )


# -- node-selector-unmatched ------------------------------------------------------------------------


@dataclass(frozen=True)
class NodeSelectorParameters:
    """selector: labels that no node has all of; plausible by default."""

    selector: Mapping[str, str] | None = None

    def problems(self) -> list[str]:
        return ["selector: expected at least one label, found none"] if self.selector == {} else []


def _plan_node_selector(
    target: str, params: NodeSelectorParameters, seed: int, observed: Observed
) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    nodes = {name: node["metadata"].get("labels") or {} for name, node in observed.all("Node").items()}
    taken = {f"{key}={value}" for labels in nodes.values() for key, value in labels.items()}
    known = ["disktype=ssd", "node-pool=compute", "workload=shop", "topology.kubernetes.io/zone=eu-west-1c"]
    selector = params.selector
    if selector is None:
        rng = seeded.chooser(seed, NODE_SELECTOR.name, target)
        key, _, value = seeded.pick(rng, known, taken, "node label").partition("=")
        selector = {key: value}
    present = paths.get(deployment, _NODE_SELECTOR)
    wanted = {**({} if present is paths.ABSENT else present), **selector}
    suitable = sorted(name for name, labels in nodes.items() if service.matches(wanted, labels))
    if suitable:
        raise errors.InvalidInput(
            f"params.selector: expected labels that no node has, found {dict(selector)}, which are those of: "
            f"{', '.join(suitable)}"
        )
    change = SetField(_NODE_SELECTOR, wanted)
    return template.template_fault(observed.ref("Deployment", target), observed, change)


def _node_selector_symptoms(target: str, params: NodeSelectorParameters) -> tuple[Symptom, ...]:
    return unschedulable_symptoms(target)


NODE_SELECTOR = Mechanism(
    name="node-selector-unmatched",
    summary="A node selector asks for labels that no node has, so that the pod cannot be scheduled.",
    parameters=NodeSelectorParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_node_selector,
    symptoms=_node_selector_symptoms,
)


# -- pod-anti-affinity-unschedulable ----------------------------------------------------------------


@dataclass(frozen=True)
class AntiAffinityParameters:
    """apart_from: the Deployment whose pods the target must not share a topology with; another one that runs,
    by the seed.
    topology_key: the node label that makes a topology; by default one that is the same on all nodes, so that
    none is left."""

    apart_from: str | None = None
    topology_key: str | None = None


def _plan_anti_affinity(
    target: str, params: AntiAffinityParameters, seed: int, observed: Observed
) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    running = sorted(
        name
        for name, one in observed.all("Deployment").items()
        if name != target and one["spec"].get("replicas", 1)
    )
    if params.apart_from is not None and params.apart_from not in running:
        raise errors.InvalidInput(
            f"params.apart_from: expected a Deployment with replicas other than {target}, one of: "
            f"{', '.join(running) or 'none'}; found {params.apart_from!r}"
        )
    other = params.apart_from or seeded.pick(
        seeded.chooser(seed, ANTI_AFFINITY.name, target), running, (), "Deployment that runs"
    )
    labels = observed.get("Deployment", other)["spec"]["selector"].get("matchLabels") or {}
    present = paths.get(deployment, _APART)
    terms = [
        *([] if present is paths.ABSENT else present),
        {"labelSelector": {"matchLabels": dict(labels)}, "topologyKey": _topology(params, observed)},
    ]
    change = template.setting(deployment, _APART, terms)
    return template.template_fault(observed.ref("Deployment", target), observed, change)


def _topology(params: AntiAffinityParameters, observed: Observed) -> str:
    """A node label that is the same everywhere: whatever runs anywhere then fills the only topology."""
    nodes = [node["metadata"].get("labels") or {} for node in observed.all("Node").values()]
    keys = (params.topology_key,) if params.topology_key is not None else _WIDE_TOPOLOGIES
    for key in keys:
        values = {labels[key] for labels in nodes if key in labels}
        if len(values) == 1 and (params.topology_key is None or all(key in labels for labels in nodes)):
            return key
    if params.topology_key is not None:
        raise errors.InvalidInput(
            f"params.topology_key: expected a label that has the same value on all nodes, found {keys[0]!r}"
        )
    raise errors.Unsupported(
        f"expected nodes with the same value of {' or '.join(_WIDE_TOPOLOGIES)}, found several or none"
    )


def _anti_affinity_symptoms(target: str, params: AntiAffinityParameters) -> tuple[Symptom, ...]:
    return unschedulable_symptoms(target)


ANTI_AFFINITY = Mechanism(
    name="pod-anti-affinity-unschedulable",
    summary="A pod must be kept apart from another workload, over a topology in which no node is left.",
    parameters=AntiAffinityParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_anti_affinity,
    symptoms=_anti_affinity_symptoms,
)

MECHANISMS = (ANTI_AFFINITY, NODE_SELECTOR)
