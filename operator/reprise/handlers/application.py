"""The application: its manifests from the operator's ConfigMap, and how far from available it is."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from reprise.adapters.kube import Json, Kube, ref_of
from reprise.adapters.wire import model
from reprise.domain import errors, observed, run
from reprise.domain.entities import ObjectRef
from reprise.handlers.runtime import SYSTEM_NAMESPACE

# As if `kubectl apply --server-side` had done it, which is what a user's application looks like.
FIELD_MANAGER = "kubectl"
_PARALLEL = 6
# What others refer to comes first; workloads last, so that no pod starts without its ConfigMap.
_ORDER = (
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
    "Service",
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Manifests:
    """The rendered manifests as text and their digest."""

    text: str
    digest: str


async def manifests(kube: Kube, application: run.Application) -> Manifests | None:
    """The manifests of an application, None when nobody stored any (then it is used as it is)."""
    ref = ObjectRef("v1", "ConfigMap", SYSTEM_NAMESPACE, f"application-{application.name}")
    found = await kube.get(ref)
    if found is None:
        return None
    text = (found.get("data") or {}).get("manifests.yaml")
    if text is None:
        raise errors.InvalidInput(f"{ref}: expected the key manifests.yaml, found none; run `reprise up`")
    return Manifests(text, hashlib.sha256(text.encode()).hexdigest())


async def apply(kube: Kube, application: run.Application, source: Manifests) -> None:
    """Server-side apply of everything, what is referred to first. Raises InvalidInput with every problem."""
    objects = await asyncio.to_thread(parse, source.text, application.namespace)
    limit = asyncio.Semaphore(_PARALLEL)

    async def one(manifest: Json) -> None:
        async with limit:
            await kube.apply(manifest, FIELD_MANAGER)

    for rank in sorted({_rank(item) for item in objects}):
        await asyncio.gather(*(one(item) for item in objects if _rank(item) == rank))


def parse(text: str, namespace: str) -> list[Json]:
    """The objects of a multi-document text, all of them in this namespace wherever they were rendered for."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast
    try:
        documents = list(yaml.load_all(text, Loader=loader))
    except yaml.YAMLError as exc:
        raise errors.InvalidInput(f"application manifests: expected YAML, found: {exc}") from exc
    objects: list[Json] = []
    problems = []
    for number, document in enumerate(documents, 1):
        if document is None:
            continue
        try:
            ref_of(document)
        except (KeyError, TypeError):
            problems.append(f"application manifests: document {number} is no Kubernetes object")
            continue
        objects.append(document)
    homes = sorted({ref_of(item).namespace for item in objects} - {""})
    if len(homes) > 1:
        problems.append(f"application manifests: expected one namespace, found {', '.join(homes)}")
    if problems:
        raise errors.InvalidInput(problems)
    return [_moved(item, homes[0], namespace) for item in objects] if homes else objects


def _moved(manifest: Json, source: str, namespace: str) -> Json:
    """The object in another namespace: a copy of the application beside the first one."""
    meta = manifest["metadata"]
    if manifest["kind"] == "Namespace":
        own = {"kubernetes.io/metadata.name": namespace}
        labels = {key: own.get(key, value) for key, value in (meta.get("labels") or {}).items()}
        moved = {"name": namespace if meta["name"] == source else meta["name"]}
        return {**manifest, "metadata": {**meta, **moved, **({"labels": labels} if labels else {})}}
    if meta.get("namespace") != source:
        return manifest
    return {**manifest, "metadata": {**meta, "namespace": namespace}}


def _rank(manifest: Mapping[str, Any]) -> int:
    kind = manifest["kind"]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


async def look(kube: Kube, namespace: str) -> observed.Application:
    """Which workloads are not available, and why. Four lists, no matter how many workloads there are."""
    pods, *kinds = await asyncio.gather(
        kube.list_objects("v1", "Pod", namespace),
        *(kube.list_objects("apps/v1", kind, namespace) for kind in _WORKLOADS),
    )
    workloads = [item for items in kinds for item in items]
    late = [item for item in workloads if not is_available(item)]
    if not late:
        ending = sorted(
            str(pod["metadata"]["name"]) for pod in pods if pod["metadata"].get("deletionTimestamp")
        )
        return observed.Application(len(workloads), ready_since=_ready_since(pods), ending=tuple(ending))
    waiting = tuple(
        f"{item['kind']} {item['metadata']['name']}: {why(item, pods)}"
        for item in sorted(late, key=lambda item: str(item["metadata"]["name"]))
    )
    return observed.Application(len(workloads), waiting)


def _ready_since(pods: Sequence[Mapping[str, Any]]) -> dt.datetime | None:
    """When the last pod became ready."""
    times = [
        model.parse_time(condition["lastTransitionTime"])
        for pod in pods
        for condition in (pod.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return max(times, default=None)


def is_available(workload: Mapping[str, Any]) -> bool:
    """Whether the controller has seen the latest spec, and all its replicas are new and available."""
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(
            status.get("updatedNumberScheduled", 0) >= wanted and status.get("numberAvailable", 0) >= wanted
        )
    wanted = workload["spec"].get("replicas", 1)
    counts = (status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas"))
    return all(count == wanted for count in counts)


def why(workload: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> str:
    """The most telling reason in one line: what its pods say, else what its controller says."""
    labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    for pod in pods:
        own = pod["metadata"].get("labels") or {}
        if labels and all(own.get(key) == value for key, value in labels.items()):
            reason = pod_reason(pod)
            if reason:
                return reason
    status = workload.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    wanted = workload["spec"].get("replicas", 1)
    new, there = status.get("updatedReplicas", 0), status.get("replicas", 0)
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0) or new < wanted:
        return f"{new} of {wanted} replicas updated"
    if there > new:
        return f"{there - new} old replicas are still there"
    return f"{status.get('availableReplicas', 0)} of {wanted} replicas available"


def pod_reason(pod: Mapping[str, Any]) -> str:
    """Why a pod is not ready, "" when it does not say."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in ("ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', container.get('image', ''))}"
        ended = state.get("terminated") or {}
        if ended.get("exitCode"):
            return f"container {container['name']} ended with {ended['exitCode']} ({ended.get('reason', '')})"
    return ""
