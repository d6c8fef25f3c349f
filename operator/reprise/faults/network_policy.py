"""A NetworkPolicy that keeps everybody out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded, service
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed, Requirement


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
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": name, "namespace": ref.namespace},
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

MECHANISMS = (INGRESS_BLOCK,)
