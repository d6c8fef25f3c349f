"""Reading an application whole: what mechanisms plan from, and what drift is measured on."""

import asyncio
from collections.abc import Iterable, Mapping

from reprise.adapters.kube import Json, Kube
from reprise.domain import drift, errors
from reprise.domain.entities import EntityId, ObjectRef
from reprise.faults.mechanism import (
    API_VERSIONS,
    CLUSTER_API_VERSIONS,
    MEASURED_API_VERSIONS,
    SYSTEM_API_VERSIONS,
    SYSTEM_NAMESPACE,
    Observed,
)

# Every kind that a person could have changed in the application's namespace. Pods and endpoints are not here:
# controllers replace them; how many are ready is read from the workloads' status.
_FINGERPRINTED = (
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("v1", "ConfigMap"),
    ("v1", "LimitRange"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ResourceQuota"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
)
_READY = {"Deployment": "readyReplicas", "StatefulSet": "readyReplicas", "DaemonSet": "numberReady"}


# Of the cluster and of kube-system: what mechanisms can change there. Two runs at a time do not disturb each
# other's report, because a run with a cluster-wide mechanism is alone.
_OF_THE_CLUSTER = (
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
)
_OF_THE_SYSTEM = (("v1", "ConfigMap"), ("apps/v1", "Deployment"))


async def observe(kube: Kube, namespace: str) -> Observed:
    """Every object that mechanisms look at."""
    objects, measured, cluster, system = await asyncio.gather(
        _by_kind(kube, API_VERSIONS, namespace),
        _measured(kube, namespace),
        _by_kind(kube, CLUSTER_API_VERSIONS, ""),
        _by_kind(kube, SYSTEM_API_VERSIONS, SYSTEM_NAMESPACE),
    )
    return Observed(namespace, {**objects, **measured}, cluster, system)


async def _measured(kube: Kube, namespace: str) -> Mapping[str, Mapping[str, Json]]:
    """Nothing where metrics-server is away: few faults are planned by it, and those say so."""
    try:
        return await _by_kind(kube, MEASURED_API_VERSIONS, namespace)
    except errors.Unreachable:
        return {kind: {} for kind in MEASURED_API_VERSIONS}


async def _by_kind(kube: Kube, kinds: Mapping[str, str], namespace: str) -> Mapping[str, Mapping[str, Json]]:
    listed = await asyncio.gather(
        *(_list(kube, api_version, kind, namespace) for kind, api_version in kinds.items())
    )
    return {
        kind: {item["metadata"]["name"]: item for item in items}
        for kind, items in zip(kinds, listed, strict=True)
    }


async def fingerprint(kube: Kube, namespace: str) -> drift.Fingerprint:
    """The application's objects as they are now, and what of the nodes decides where pods may run."""
    listed = await asyncio.gather(
        *(_list(kube, api_version, kind, namespace) for api_version, kind in _FINGERPRINTED),
        _list(kube, "v1", "Pod", namespace),
        _list(kube, "v1", "Node", ""),
        *(_list(kube, api_version, kind, "") for api_version, kind in _OF_THE_CLUSTER),
        *(_list(kube, api_version, kind, SYSTEM_NAMESPACE) for api_version, kind in _OF_THE_SYSTEM),
    )
    of_kinds = [*listed[: len(_FINGERPRINTED)], *listed[len(_FINGERPRINTED) + 2 :]]
    pods, nodes = listed[len(_FINGERPRINTED) : len(_FINGERPRINTED) + 2]
    entries: list[tuple[EntityId, Json]] = []
    for items in of_kinds:
        entries += [(_entity(item), _reduced(item)) for item in items]
    # A pod that no controller keeps is an object like any other.
    entries += [
        (_entity(pod), drift.normalise(pod)) for pod in pods if not pod["metadata"].get("ownerReferences")
    ]
    entries += [(_entity(node), {"spec": node.get("spec", {})}) for node in nodes]
    # A service mesh goes by the labels of the namespace.
    own = await kube.get(ObjectRef("v1", "Namespace", "", namespace))
    if own is not None:
        labels = own["metadata"].get("labels") or {}
        entries.append((EntityId("", "Namespace", namespace), {"metadata": {"labels": labels}}))
    return drift.fingerprint(entries)


async def _list(kube: Kube, api_version: str, kind: str, namespace: str) -> Iterable[Json]:
    try:
        return await kube.list_objects(api_version, kind, namespace)
    except errors.NotFound:
        return []  # the API server does not serve this kind


def _entity(item: Json) -> EntityId:
    return EntityId(item["metadata"].get("namespace", ""), item["kind"], item["metadata"]["name"])


def _reduced(item: Json) -> Json:
    reduced = drift.normalise(item)
    if item["kind"] == "Secret":
        # Never a value: only whether it is the same one.
        reduced["data"] = {key: f"sha256:{drift.digest(v)}" for key, v in (item.get("data") or {}).items()}
    if item["kind"] in _READY:
        reduced["status"] = {_READY[item["kind"]]: (item.get("status") or {}).get(_READY[item["kind"]], 0)}
    return reduced
