"""The steps of a plan: each brings its condition nearer and says what is still missing.

Every function returns "" when its condition holds, else what it waits for. A Deployment that does not exist
(any more) has nothing to wait for: the mutation on it has reported that, or the drift report will.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from reprise.adapters import engine_chaos
from reprise.adapters.engine_write import write
from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.plan import (
    DropNewReplicaSets,
    RecyclePods,
    RecycleUsers,
    RemovePods,
    ReplaceBackedOff,
    ReplacePods,
    RestoreReplicas,
    RetireOldReplicas,
    RetryCreation,
    Step,
    WaitAvailable,
    WaitInjected,
    WaitPodsGone,
    WaitPodsMade,
    WaitReleased,
)

_HASH_LABEL = "pod-template-hash"
# What the API server's times are cut to.
_SECOND = timedelta(seconds=1)


async def perform(kube: Kube, step: Step, now: datetime) -> str:
    """Bring the step's condition nearer; "" when it holds."""
    if isinstance(step, WaitInjected):
        return await engine_chaos.injected(kube, step.experiment)
    if isinstance(step, WaitReleased):
        return await engine_chaos.released(kube, step.experiment, step.made, now)
    deployment = await kube.get(step.deployment)
    if deployment is None:
        return ""
    match step:
        case RetireOldReplicas():
            return await _retire(kube, deployment, step.made)
        case WaitPodsMade():
            return await _made(kube, deployment, 1)
        case RecyclePods():
            changed = await _changed(kube, step.after)
            return await _recycle(kube, deployment, changed, now, one_by_one=step.one_by_one)
        case RecycleUsers():
            return await _recycle_users(kube, deployment, step, now)
        case RemovePods():
            return await _remove(kube, deployment)
        case ReplacePods():
            return await _replace(kube, deployment, step.uids)
        case WaitPodsGone():
            left = await pods_of(kube, deployment)
            return f"{len(left)} pods of {_name(deployment)} to end" if left else ""
        case RetryCreation():
            return await _retry(kube, deployment)
        case WaitAvailable():
            return unavailable(deployment)
        case DropNewReplicaSets():
            return await _drop(kube, deployment, step.known_uids)
        case RestoreReplicas():
            return await _restore_replicas(kube, deployment, step.replicas)
        case ReplaceBackedOff():
            return await _replace_backed_off(kube, deployment)
        case _:
            assert_never(step)


def unavailable(deployment: Json) -> str:
    """What a Deployment lacks to be rolled out and available, as `kubectl rollout status` sees it."""
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    if not _seen(deployment):
        return f"{_name(deployment)} to be seen by its controller"
    updated, all_of_them = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    if updated == all_of_them == available == wanted:
        return ""
    return (
        f"{_name(deployment)}: {available} of {wanted} available, {updated} up to date, {all_of_them} in all"
    )


async def replica_sets_of(kube: Kube, deployment: Json) -> list[Json]:
    """The ReplicaSets that the Deployment owns."""
    listed = await kube.list_objects("apps/v1", "ReplicaSet", deployment["metadata"]["namespace"])
    uid = deployment["metadata"]["uid"]
    return [
        entry
        for entry in listed
        if any(owner["uid"] == uid for owner in entry["metadata"].get("ownerReferences", ()))
    ]


def is_current(replica_set: Json, deployment: Json) -> bool:
    """Whether the ReplicaSet is made from the Deployment's present template."""
    return _bare(replica_set["spec"]["template"]) == _bare(deployment["spec"]["template"])


async def pods_of(kube: Kube, deployment: Json) -> list[Json]:
    """The pods that the Deployment selects, those on their way out included."""
    labels: Mapping[str, str] = deployment["spec"]["selector"].get("matchLabels") or {}
    return await kube.list_objects(
        "v1",
        "Pod",
        deployment["metadata"]["namespace"],
        label_selector=",".join(f"{key}={value}" for key, value in labels.items()),
    )


def owned_by(pods: list[Json], owners: list[Json]) -> list[Json]:
    """Those pods that one of the owners owns."""
    uids = {owner["metadata"]["uid"] for owner in owners}
    return [
        pod
        for pod in pods
        if any(owner["uid"] in uids for owner in pod["metadata"].get("ownerReferences", ()))
    ]


def last_change(found: Json) -> datetime:
    """When somebody last made or changed the object, in UTC, cut to whole seconds as the API server gives it.

    Changes of the status do not count: controllers write it all the time.
    """
    metadata = found["metadata"]
    times = [metadata["creationTimestamp"]] + [
        entry["time"]
        for entry in metadata.get("managedFields", ())
        if "time" in entry and entry.get("subresource") != "status"
    ]
    return max(_time(text) for text in times)


async def _retire(kube: Kube, deployment: Json, wait_for_new: bool) -> str:
    if not _seen(deployment):
        return f"{_name(deployment)} to be seen by its controller"
    replica_sets = await replica_sets_of(kube, deployment)
    old = [entry for entry in replica_sets if not is_current(entry, deployment)]
    # NB: an old ReplicaSet that is emptied before there is a new one is filled again by the controller.
    if len(old) == len(replica_sets):
        return f"{_name(deployment)} to get a ReplicaSet of its new template"
    for entry in old:
        if entry["spec"].get("replicas"):
            await _attempt(write(kube, {**entry, "spec": {**entry["spec"], "replicas": 0}}))
    # NB: a pod that was evicted stays as a record, which its ReplicaSet takes along when it is removed.
    wanted = deployment["spec"].get("replicas", 1)
    left = [pod for pod in owned_by(await pods_of(kube, deployment), old) if not _finished(pod)]
    if left:
        return f"{len(left)} older pods of {_name(deployment)} to end"
    return await _made(kube, deployment, wanted) if wait_for_new else ""


async def _made(kube: Kube, deployment: Json, wanted: int) -> str:
    # The truth is read once a plan has settled, and names the new pods too: ready or not, they must be there.
    if not _seen(deployment):
        return f"{_name(deployment)} to be seen by its controller"
    made = sum(
        (entry.get("status") or {}).get("replicas", 0)
        for entry in await replica_sets_of(kube, deployment)
        if is_current(entry, deployment)
    )
    return "" if made >= wanted else f"{wanted - made} new pods of {_name(deployment)} to be made"


async def _recycle(
    kube: Kube, deployment: Json, changed: datetime | None, now: datetime, *, one_by_one: bool
) -> str:
    if changed is None:
        return ""
    if timedelta() <= now - changed < _SECOND:
        # A pod that is made within this second would be taken for an older one, and replaced in vain.
        return "the change to be older than the pods that are made next"
    stale = await _older(kube, deployment, changed)
    if not one_by_one:
        await _delete_pods(kube, stale)
    elif not unavailable(deployment):
        # NB: what is available was read before the pods were: a pod on its way out is the last look's.
        leaving = [pod for pod in stale if pod["metadata"].get("deletionTimestamp")]
        await _delete_pods(kube, [] if leaving else stale[:1])
    return f"{len(stale)} pods of {_name(deployment)} to be replaced" if stale else ""


async def _recycle_users(kube: Kube, deployment: Json, step: RecycleUsers, now: datetime) -> str:
    servers, changed = await kube.get(step.servers), await _changed(kube, step.after)
    if servers is not None and changed is not None and await _older(kube, servers, changed):
        return f"the pods of {_name(deployment)} to be replaced, after those of {_name(servers)}"
    return await _recycle(kube, deployment, changed, now, one_by_one=False)


async def _changed(kube: Kube, cause: ObjectRef) -> datetime | None:
    """When the cause was last changed; None when it is gone."""
    found = await kube.get(cause)
    return None if found is None else last_change(found)


async def _older(kube: Kube, deployment: Json, changed: datetime) -> list[Json]:
    """The pods that were made before the change. Times have whole seconds: those of its very second too."""
    return [
        pod
        for pod in await pods_of(kube, deployment)
        if _time(pod["metadata"]["creationTimestamp"]) <= changed
    ]


async def _replace(kube: Kube, deployment: Json, uids: tuple[str, ...]) -> str:
    old = [pod for pod in await pods_of(kube, deployment) if pod["metadata"]["uid"] in uids]
    await _delete_pods(kube, old)
    return f"{len(old)} pods of {_name(deployment)} to be replaced" if old else ""


async def _remove(kube: Kube, deployment: Json) -> str:
    pods = await pods_of(kube, deployment)
    await _delete_pods(kube, pods)
    return f"{len(pods)} pods of {_name(deployment)} to end, and no new ones" if pods else ""


async def _delete_pods(kube: Kube, pods: list[Json]) -> None:
    for pod in pods:
        if not pod["metadata"].get("deletionTimestamp"):
            ref = ObjectRef("v1", "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
            await _attempt(kube.delete(ref, uid=pod["metadata"]["uid"]))


async def _retry(kube: Kube, deployment: Json) -> str:
    """Wake the controller: at a ReplicaSet that changes it looks at once, not when its back-off ends.

    What is changed is the status' own record of the failure, which the controller writes anew anyway.
    """
    waiting = ""
    for entry in await replica_sets_of(kube, deployment):
        conditions = (entry.get("status") or {}).get("conditions") or []
        kept = [c for c in conditions if not (c["type"] == "ReplicaFailure" and c["status"] == "True")]
        if len(kept) != len(conditions) and entry["spec"].get("replicas"):
            ref = ObjectRef(
                "apps/v1", "ReplicaSet", entry["metadata"]["namespace"], entry["metadata"]["name"]
            )
            await _attempt(kube.patch(ref, {"status": {"conditions": kept}}, "status"))
            waiting = f"{_name(deployment)} to make its refused pods again"
    return waiting


async def _drop(kube: Kube, deployment: Json, known_uids: tuple[str, ...]) -> str:
    waiting = ""
    for entry in await replica_sets_of(kube, deployment):
        if entry["metadata"]["uid"] in known_uids or is_current(entry, deployment):
            continue
        waiting = f"ReplicaSet/{entry['metadata']['name']} to be removed"
        if not entry["spec"].get("replicas") and not (entry.get("status") or {}).get("replicas"):
            ref = ObjectRef(
                "apps/v1", "ReplicaSet", entry["metadata"]["namespace"], entry["metadata"]["name"]
            )
            await _attempt(kube.delete(ref, uid=entry["metadata"]["uid"]))
    return waiting


async def _restore_replicas(kube: Kube, deployment: Json, replicas: int) -> str:
    if deployment["spec"].get("replicas", 1) == replicas:
        return ""
    await _attempt(write(kube, {**deployment, "spec": {**deployment["spec"], "replicas": replicas}}))
    return f"{_name(deployment)} to have {replicas} replicas again"


async def _replace_backed_off(kube: Kube, deployment: Json) -> str:
    """A new pod starts at once, where the old one would wait for minutes before it is tried again."""
    stuck = [
        pod
        for pod in await pods_of(kube, deployment)
        if any(
            _backed_off(status.get("state") or {})
            for status in (pod.get("status") or {}).get("containerStatuses") or ()
        )
    ]
    await _delete_pods(kube, stuck)
    return f"{len(stuck)} pods of {_name(deployment)} in back-off to be replaced" if stuck else ""


def _backed_off(state: Json) -> bool:
    """NB: for half a minute or so the kubelet only says that the container has ended."""
    return "terminated" in state or (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"


async def _attempt(change: Any) -> None:
    """Steps are looked at again anyway: who is beaten to a change tries the next time."""
    try:
        await change
    except (errors.Conflict, errors.NotFound):
        return


def _finished(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _seen(deployment: Json) -> bool:
    observed = (deployment.get("status") or {}).get("observedGeneration", 0)
    return bool(observed >= deployment["metadata"].get("generation", 0))


def _bare(template: Json) -> Json:
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if k != "creationTimestamp"}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != _HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _name(deployment: Json) -> str:
    return f"Deployment/{deployment['metadata']['name']}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
