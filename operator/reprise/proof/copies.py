"""Copies of the application in namespaces of their own, in which scenarios are proven side by side."""

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.proof import waiting

FIRST = "otel-demo"
_SYSTEM = "reprise-system"
_REMOVAL_SECONDS = 240


def names(count: int) -> tuple[str, ...]:
    """The namespaces: the application's own, then numbered ones, as a team would call its copies."""
    return (FIRST, *(f"{FIRST}-{number}" for number in range(2, count + 1)))


async def ensure(kube: Kube, namespace: str) -> None:
    """The namespace, and the operator's rights in it. The operator itself deploys the application there.

    One that an earlier proof removes is waited for. Raises Conflict when it does not go.
    """
    ref = ObjectRef("v1", "Namespace", "", namespace)
    found = await kube.get(ref)
    if found and "deletionTimestamp" in found["metadata"]:
        await waiting.gone(kube, ref, _REMOVAL_SECONDS)
    for manifest in (_namespace(namespace), _binding(namespace)):
        try:
            await kube.create(manifest)
        except errors.Conflict:
            continue  # it is there


async def remove(kube: Kube, namespace: str) -> None:
    """Remove a copy. The application's own namespace stays."""
    if namespace != FIRST:
        await kube.delete(ObjectRef("v1", "Namespace", "", namespace))


def _namespace(namespace: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}


def _binding(namespace: str) -> Json:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator", "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "reprise-application"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": _SYSTEM}],
    }
