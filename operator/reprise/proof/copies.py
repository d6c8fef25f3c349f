"""Copies of the application in namespaces of their own, in which scenarios are proven side by side."""

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef

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
    await _gone(kube, namespace)
    for manifest in (_namespace(namespace), _binding(namespace)):
        try:
            await kube.create(manifest)
        except errors.Conflict:
            continue  # it is there


async def _gone(kube: Kube, namespace: str) -> None:
    """Return when no namespace of this name is on its way out."""
    ref = ObjectRef("v1", "Namespace", "", namespace)

    async def leaving() -> bool:
        return "deletionTimestamp" in ((await kube.get(ref)) or {"metadata": {}})["metadata"]

    if not await leaving():
        return
    selector = f"metadata.name={namespace}"
    async for kind, _ in kube.watch(
        "v1", "Namespace", field_selector=selector, timeout_seconds=_REMOVAL_SECONDS
    ):
        if kind == "DELETED":
            return
    if await leaving():
        raise errors.Conflict(f"Namespace/{namespace} is being deleted and does not go; see its conditions")


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
