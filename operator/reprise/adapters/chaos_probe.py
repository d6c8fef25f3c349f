"""What Chaos Mesh and its nodes can do.

Each daemon has tried it when it started, on its node's kernel and with its image's programs: `probe.sh` of
`manifests/chaos-mesh`, whose answers are the termination message of the init container `probe`.
"""

from collections.abc import Mapping

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.faults.mechanism import Requirement

NAMESPACE = "chaos-mesh"
_CONTROLLER = ObjectRef("apps/v1", "Deployment", NAMESPACE, "chaos-controller-manager")
_DAEMON = ObjectRef("apps/v1", "DaemonSet", NAMESPACE, "chaos-daemon")
_DNS_SERVER = ObjectRef("v1", "Service", NAMESPACE, "chaos-mesh-dns-server")
_PROBE = "probe"
# What each needs of every node, by its name in the probe's answer, and how that is said.
_PROBED: Mapping[Requirement, Mapping[str, str]] = {
    Requirement.NETEM: {
        "netem": "a kernel with sch_netem",
        "prio": "a kernel with sch_prio and sch_sfq",
    },
    Requirement.TBF: {"tbf": "a kernel with sch_tbf"},
    Requirement.TPROXY: {"tproxy": "tproxy in the image of Chaos Mesh's daemon"},
    Requirement.TODA: {"toda": "toda in the image of Chaos Mesh's daemon, and /dev/fuse"},
    Requirement.BYTEMAN: {"byteman": "byteman in the image of Chaos Mesh's daemon"},
}


async def lacks(kube: Kube, requirement: Requirement) -> str:
    """Why the cluster does not meet the requirement, one of Chaos Mesh; "" when it does."""
    match requirement:
        case Requirement.CHAOS_MESH:
            return await _chaos_mesh(kube)
        case Requirement.CHAOS_DNS:
            if await kube.get(_DNS_SERVER) is not None:
                return ""
            return f"expected Chaos Mesh's DNS server behind {_DNS_SERVER}, found no such Service; install it"
        case _:
            return await _probed(kube, requirement)


async def _chaos_mesh(kube: Kube) -> str:
    try:
        await kube.resource("chaos-mesh.org/v1alpha1", "PodChaos")
    except (errors.NotFound, errors.Unreachable):
        return "expected Chaos Mesh to serve PodChaos, found that nothing does; install it with `reprise up`"
    controller, daemon = await kube.get(_CONTROLLER), await kube.get(_DAEMON)
    if controller is None or daemon is None:
        missing = _CONTROLLER if controller is None else _DAEMON
        return f"expected Chaos Mesh to run, found no {missing}; install it with `reprise up`"
    if not (controller.get("status") or {}).get("readyReplicas"):
        return f"expected {_CONTROLLER} to be ready, found no ready replica; look at its pod"
    status = daemon.get("status") or {}
    ready, wanted = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    if not ready or ready < wanted:
        return f"expected {_DAEMON} to be ready on {wanted} nodes, found it on {ready}; look at its pods"
    return ""


async def _probed(kube: Kube, requirement: Requirement) -> str:
    answers = {
        pod["spec"].get("nodeName", "?"): _answers(pod)
        for pod in await kube.list_objects("v1", "Pod", NAMESPACE)
        if _DAEMON.name in {owner.get("name") for owner in pod["metadata"].get("ownerReferences", ())}
    }
    if not answers:
        return f"expected {requirement.value}, found no pod of {_DAEMON} to ask; install it with `reprise up`"
    for name, wanted in _PROBED[requirement].items():
        for node, said in sorted(answers.items()):
            answer = said.get(name, f"no answer of the container {_PROBE!r} of {_DAEMON}")
            if answer != "ok":
                return f"expected {wanted} on node {node}, found: {answer}"
    return ""


def _answers(pod: Json) -> Mapping[str, str]:
    for status in (pod.get("status") or {}).get("initContainerStatuses") or ():
        if status["name"] == _PROBE:
            state = {**(status.get("lastState") or {}), **(status.get("state") or {})}
            message = str((state.get("terminated") or {}).get("message") or "")
            return {
                name: answer.strip()
                for name, _, answer in (line.partition(" ") for line in message.splitlines())
            }
    return {}
