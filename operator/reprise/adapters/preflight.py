"""What this cluster has of what scenarios require; what it lacks makes a scenario Unsupported."""

from collections.abc import Iterable
from typing import assert_never

from reprise.adapters import chaos_probe
from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.faults.mechanism import Requirement

# Node agents that enforce NetworkPolicy, by what the names of their pods begin with.
_ENFORCERS = (
    "antrea-agent",
    "calico-node",
    "canal",
    "cilium",
    "kindnet",
    "kube-network-policies",
    "kube-router",
)
# The node image for closed networks runs its agent outside of any pod; this is the right it grants itself.
_NODE_AGENT = ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRole", "", "node-network")


async def check(kube: Kube, required: Iterable[Requirement]) -> None:
    """Raises Unsupported with every reason why this cluster cannot host what requires these."""
    reasons = [
        reason for item in sorted(required, key=lambda r: r.name) if (reason := await lacks(kube, item))
    ]
    if reasons:
        raise errors.Unsupported("; ".join(reasons))


async def lacks(kube: Kube, requirement: Requirement) -> str:
    """Why the cluster does not meet the requirement; "" when it does."""
    match requirement:
        case Requirement.NETWORK_POLICY:
            return await _network_policy(kube)
        case Requirement.TWO_NODES:
            nodes = await kube.list_objects("v1", "Node")
            free = [node for node in nodes if _takes_pods(node)]
            return "" if len(free) > 1 else f"expected two nodes that take pods, found {len(free)}"
        case Requirement.METRICS_SERVER:
            return await _served(kube, "metrics.k8s.io/v1beta1", "PodMetrics", "metrics-server")
        case Requirement.ISTIO:
            return await _served(kube, "security.istio.io/v1", "AuthorizationPolicy", "Istio")
        case (
            Requirement.CHAOS_MESH
            | Requirement.NETEM
            | Requirement.TBF
            | Requirement.TPROXY
            | Requirement.TODA
            | Requirement.BYTEMAN
            | Requirement.CHAOS_DNS
        ):
            return await chaos_probe.lacks(kube, requirement)
        case _:
            assert_never(requirement)


def _takes_pods(node: Json) -> bool:
    spec = node.get("spec") or {}
    effects = {taint.get("effect") for taint in spec.get("taints", ())}
    return not spec.get("unschedulable") and not effects & {"NoSchedule", "NoExecute"}


async def _network_policy(kube: Kube) -> str:
    pods = await kube.list_objects("v1", "Pod", field_selector="status.phase=Running")
    if any(pod["metadata"]["name"].startswith(_ENFORCERS) for pod in pods):
        return ""
    if await kube.get(_NODE_AGENT) is not None:
        return ""
    return (
        f"expected a network that enforces NetworkPolicy (a running pod of one of: {', '.join(_ENFORCERS)}; "
        "or the node agent of the closed-network node image), found none; install one"
    )


async def _served(kube: Kube, api_version: str, kind: str, what: str) -> str:
    try:
        await kube.resource(api_version, kind)
    except (errors.NotFound, errors.Unreachable):
        return f"expected {what} to serve {kind} in {api_version}, found that nothing does; install it"
    return ""
