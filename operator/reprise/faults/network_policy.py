"""NetworkPolicies that keep everybody out of a workload, or the workload in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, seeded, service
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed, Requirement

# -- network-policy-ingress-block -------------------------------------------------------------------


@dataclass(frozen=True)
class IngressBlockParameters:
    """name: the policy's; a plausible one by default.
    allow: the labels of the peer that alone may come in, which no pod has; a plausible one by default."""

    name: str | None = None
    allow: Mapping[str, str] = field(default_factory=dict)


_PEERS: tuple[tuple[str, str], ...] = (
    ("app.kubernetes.io/component", "gateway"),
    ("app.kubernetes.io/component", "edge"),
    ("app.kubernetes.io/name", "ingress-nginx"),
    ("app.kubernetes.io/name", "envoy-gateway"),
    ("app.kubernetes.io/part-of", "ingress"),
)


def _plan_ingress_block(
    target: str, params: IngressBlockParameters, seed: int, observed: Observed
) -> Injection:
    template = observed.get("Deployment", target)["spec"]
    rng = seeded.chooser(seed, INGRESS_BLOCK.name, target)
    name = params.name or seeded.pick(
        rng,
        [
            f"{target}-ingress",
            f"{target}-access",
            f"{target}-network",
            f"{target}-traffic",
            f"allow-{target}",
        ],
        observed.all("NetworkPolicy"),
        "name for a NetworkPolicy",
    )
    peer = dict(params.allow) or dict([rng.choice(_PEERS)])
    if any(service.matches(peer, labels) for labels in service.pod_labels(observed)):
        raise errors.InvalidInput(f"params.allow: expected labels that no pod has, found {peer}")
    ports = [
        {"protocol": port.get("protocol", "TCP"), "port": port["containerPort"]}
        for container in template["template"]["spec"]["containers"]
        for port in container.get("ports", ())
    ]
    # NB: an ingress rule with neither `from` nor `ports` allows everything. This one always has a `from`.
    rule: Json = {"from": [{"podSelector": {"matchLabels": peer}}]}
    if ports:
        rule["ports"] = ports
    ref = observed.ref("NetworkPolicy", name)
    manifest: Json = {
        **created.head(ref),
        "spec": {
            "podSelector": {"matchLabels": dict(template["selector"]["matchLabels"])},
            "policyTypes": ["Ingress"],
            "ingress": [rule],
        },
    }
    return Injection(mutations=(Create(manifest),), causes=(Cause(ref),))


def _ingress_block_symptoms(target: str, params: IngressBlockParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


INGRESS_BLOCK = Mechanism(
    name="network-policy-ingress-block",
    summary="A NetworkPolicy lets nobody reach a workload that others call.",
    parameters=IngressBlockParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_ingress_block,
    symptoms=_ingress_block_symptoms,
    requires=frozenset({Requirement.NETWORK_POLICY}),
)


# -- network-policy-egress-block --------------------------------------------------------------------


@dataclass(frozen=True)
class EgressBlockParameters:
    """name: the policy's; a plausible one by default.
    dns: whether name resolution stays allowed: calls then time out, otherwise they find no address.
    allow: the labels of the peer that alone may be reached, which no pod has; a plausible one by default."""

    name: str | None = None
    dns: bool = True
    allow: Mapping[str, str] = field(default_factory=dict)


_DESTINATIONS: tuple[tuple[str, str], ...] = (
    ("app.kubernetes.io/component", "proxy"),
    ("app.kubernetes.io/name", "egress-gateway"),
    ("app.kubernetes.io/name", "squid"),
    ("app.kubernetes.io/part-of", "egress"),
)


def _plan_egress_block(
    target: str, params: EgressBlockParameters, seed: int, observed: Observed
) -> Injection:
    selector = dict(observed.get("Deployment", target)["spec"]["selector"]["matchLabels"])
    rng = seeded.chooser(seed, EGRESS_BLOCK.name, target)
    name = params.name or seeded.pick(
        rng,
        [f"{target}-egress", f"{target}-outbound", f"{target}-egress-policy", f"restrict-{target}"],
        observed.all("NetworkPolicy"),
        "name for a NetworkPolicy",
    )
    peer = dict(params.allow) or dict([rng.choice(_DESTINATIONS)])
    if any(service.matches(peer, labels) for labels in service.pod_labels(observed)):
        raise errors.InvalidInput(f"params.allow: expected labels that no pod has, found {peer}")
    rules: list[Json] = [{"to": [{"podSelector": {"matchLabels": peer}}]}]
    if params.dns:
        ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
        rules.append({"to": [{"namespaceSelector": {}}], "ports": ports})
    ref = observed.ref("NetworkPolicy", name)
    manifest: Json = {
        **created.head(ref),
        "spec": {"podSelector": {"matchLabels": selector}, "policyTypes": ["Egress"], "egress": rules},
    }
    return Injection(mutations=(Create(manifest),), causes=(Cause(ref),))


def _egress_block_symptoms(target: str, params: EgressBlockParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


EGRESS_BLOCK = Mechanism(
    name="network-policy-egress-block",
    summary="A NetworkPolicy lets a workload reach none of those that it calls.",
    parameters=EgressBlockParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_egress_block,
    symptoms=_egress_block_symptoms,
    requires=frozenset({Requirement.NETWORK_POLICY}),
)

MECHANISMS = (INGRESS_BLOCK, EGRESS_BLOCK)
