"""The snapshot of a run as files in its agents' pods: what agents may see of it, read-only.

Pods of the agents' namespace may mount no folder of a node, so the folder comes as a claim on a volume of the
run's own; and not the agent mounts that, for a mount tells where it comes from, but a container before it
that copies it.
See docs/decisions/0086-*.md.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from reprise.adapters.kube import Json
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.run import Run
from reprise.handlers.runtime import AGENTS_NAMESPACE, RUN_LABEL, SYSTEM_NAMESPACE, Runtime

MOUNT = "/snapshot"
NAME = "snapshot"
_SOURCE = "/source"
_OPERATOR = ObjectRef("apps/v1", "Deployment", SYSTEM_NAMESPACE, "operator")
_DATA = "data"
# The manifest says when the incident was made; nobody at the door is told.
_COPY = f"cp -R {_SOURCE}/. {MOUNT}/ && rm -f {MOUNT}/manifest.json"
_LIMIT = "4Gi"


def name_of(run_uid: str) -> str:
    """The name of a run's volume and of the claim on it."""
    return f"snapshot-{run_uid[:8]}"


async def ensure(runtime: Runtime, run: Run) -> None:
    """Make the run's volume and the claim on it. Raises Unsupported where snapshots lie in no folder of the
    node, NotFound without a snapshot."""
    if run.status.snapshot is None:
        raise errors.NotFound("agent.mountSnapshot: expected the run's snapshot, found none")
    folder = await _folder(runtime) / run.status.snapshot.name
    for manifest in manifests(run.ref.uid, str(folder)):
        try:
            await runtime.kube.create(manifest)
        except errors.Conflict:
            continue  # an earlier process of ours made it, or another attempt


async def remove(runtime: Runtime, run_uid: str) -> None:
    """Remove both. Twice is fine."""
    await runtime.kube.delete(ObjectRef("v1", "PersistentVolumeClaim", AGENTS_NAMESPACE, name_of(run_uid)))
    await runtime.kube.delete(ObjectRef("v1", "PersistentVolume", "", name_of(run_uid)))


async def check(runtime: Runtime, run: Run) -> None:
    """Raises Unsupported when a run wants its snapshot mounted and this cluster cannot do that."""
    if run.spec.agent.mount_snapshot:
        await _folder(runtime)


async def _folder(runtime: Runtime) -> PurePosixPath:
    """Where snapshots lie on the node, as the operator's own Deployment says."""
    operator = await runtime.kube.get(_OPERATOR)
    volumes = operator["spec"]["template"]["spec"]["volumes"] if operator else ()
    data: Json = next((volume for volume in volumes if volume["name"] == _DATA), {})
    if "hostPath" not in data:
        raise errors.Unsupported(
            f"agent.mountSnapshot: expected {_OPERATOR} with a hostPath as its volume {_DATA!r}, found "
            f"{sorted(set(data) - {'name'}) or 'none'}; use a replay, or leave it out"
        )
    return PurePosixPath(data["hostPath"]["path"])


def manifests(run_uid: str, folder: str) -> Sequence[Json]:
    """The volume, which nobody else can claim, and the claim."""
    name, labels = name_of(run_uid), {RUN_LABEL: run_uid}
    # Neither is looked at where the folder is there already; both must be given.
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    return (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                **common,
                "capacity": {"storage": _LIMIT},
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": AGENTS_NAMESPACE, "name": name},
                "hostPath": {"path": folder, "type": "Directory"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": AGENTS_NAMESPACE, "labels": labels},
            "spec": {**common, "volumeName": name, "resources": {"requests": {"storage": _LIMIT}}},
        },
    )


def volumes(run_uid: str) -> list[Json]:
    """Of the pod: where it comes from, and the copy."""
    claim = {"claimName": name_of(run_uid), "readOnly": True}
    return [
        {"name": "source", "persistentVolumeClaim": claim},
        {"name": NAME, "emptyDir": {"sizeLimit": _LIMIT}},
    ]


def installer(image: str) -> Json:
    """The container that copies it before the agent begins."""
    return {
        "name": NAME,
        "image": image,
        "command": ["sh", "-c", _COPY],
        "volumeMounts": [
            {"name": "source", "mountPath": _SOURCE, "readOnly": True},
            {"name": NAME, "mountPath": MOUNT},
        ],
    }
