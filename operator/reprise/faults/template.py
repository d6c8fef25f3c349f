"""What faults in a Deployment's pod template share: find a container, change the template, make it felt.

A rolling update keeps the healthy replica serving for as long as the new one is not ready, so that no user is
hurt; older replicas are therefore retired. Those that the fault brought into being are removed on recovery.
"""

import re
from typing import Any

from reprise.domain import errors, paths
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import DropNewReplicaSets, RetireOldReplicas, Step, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults.mechanism import Cause, Injection, Json, Observed

POD_SPEC: paths.Path = ("spec", "template", "spec")
CONTAINERS: paths.Path = (*POD_SPEC, "containers")
IMAGE_REFERENCE = re.compile(
    r"^(?P<repository>[a-z0-9][a-z0-9._:/-]*?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?$"
)


def container_name(deployment: Json, name: str | None) -> str:
    """The named container, or the one that is called like the Deployment, or the only one."""
    names = [entry["name"] for entry in paths.get(deployment, CONTAINERS)]
    wanted = name or deployment["metadata"]["name"]
    if wanted in names:
        return str(wanted)
    if name is None and len(names) == 1:
        return str(names[0])
    raise errors.InvalidInput(
        f"params.container: expected one of: {', '.join(names)}; found {name!r} for "
        f"Deployment/{deployment['metadata']['name']}"
    )


def container_path(name: str) -> paths.Path:
    """Where the container of this name is."""
    return (*CONTAINERS, paths.Item("name", name))


def serving(deployment: Json) -> None:
    """Raise InvalidInput for a Deployment without replicas."""
    if not deployment["spec"].get("replicas", 1):
        raise errors.InvalidInput(
            f"expected Deployment/{deployment['metadata']['name']} to have replicas, found 0: "
            "it has no user to hurt"
        )


def setting(document: Json, path: paths.Path, value: Any) -> SetField:
    """A change that puts the value at the path, making the maps and lists on the way that are not there."""
    while paths.get(document, path[:-1]) is paths.ABSENT:
        last = path[-1]
        value = [value] if isinstance(last, paths.Item) else {last: value}
        path = path[:-1]
    return SetField(path, value)


def replica_set_uids(ref: ObjectRef, observed: Observed) -> tuple[str, ...]:
    """The uids of the Deployment's ReplicaSets, which recovery keeps."""
    return tuple(
        replica_set["metadata"]["uid"]
        for replica_set in observed.all("ReplicaSet").values()
        if any(owner["name"] == ref.name for owner in replica_set["metadata"].get("ownerReferences", ()))
    )


def recovery(ref: ObjectRef, observed: Observed) -> tuple[Step, ...]:
    """The steps after a template has its old value again."""
    return (
        RetireOldReplicas(ref),
        WaitAvailable(ref),
        DropNewReplicaSets(ref, replica_set_uids(ref, observed)),
    )


def template_fault(
    ref: ObjectRef, observed: Observed, *changes: SetField, settle: tuple[Step, ...] | None = None
) -> Injection:
    """The changes in the Deployment, felt at once because older replicas go; `settle` says otherwise."""
    return Injection(
        mutations=(Patch(ref, changes),),
        causes=(Cause(ref, owned=True),),
        settle=(RetireOldReplicas(ref),) if settle is None else settle,
        recover=recovery(ref, observed),
    )


def crash_symptoms(target: str) -> tuple[Symptom, ...]:
    """What a container that ends again and again shows."""
    return (
        AlertSymptom(
            "a container keeps ending", alert="KubePodCrashLooping", labels={"service_name": target}
        ),
        AlertSymptom(
            "replicas are missing",
            alert="KubeDeploymentReplicasMismatch",
            labels={"deployment": target},
            required=False,
        ),
    )
