"""Experiments of Chaos Mesh: are they in force, and are they gone.

An experiment that is deleted stays until Chaos Mesh has taken back what it did: a finalizer holds it. Where
Chaos Mesh is down, or its daemon on the node is, that would be for ever. Then the pods that were hit are
deleted, with all that was done to them, and the experiment is let go of. For how long it has been waiting is
read from the object, so that it does not depend on who looks.
"""

from datetime import datetime, timedelta

from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef

GROUP = "chaos-mesh.org"
PATIENCE = timedelta(seconds=45)
_SCHEDULE = "Schedule"
_NOT_INJECTED = "Not Injected"


async def injected(kube: Kube, experiment: ObjectRef) -> str:
    """What the experiment lacks to be in force; "" when it is, or when there is none (any more).

    A Schedule is in force once it has begun, and the experiment that it made last, if one runs, is.
    """
    found = await kube.get(experiment)
    if found is None:
        return ""
    if experiment.kind != _SCHEDULE:
        return _lacks(experiment, found)
    if not (found.get("status") or {}).get("time"):
        return f"{experiment} to begin"
    for child in await _children(kube, experiment, found["spec"]["type"]):
        if not child["metadata"].get("deletionTimestamp") and not _was_injected(child):
            return _lacks(experiment, child)
    return ""


async def released(kube: Kube, experiment: ObjectRef, made: str, now: datetime) -> str:
    """What of the experiment is still there, itself or of the kind `made`; "" when it is gone."""
    found = await kube.get(experiment)
    if found is not None:
        # One that is not leaving was changed by somebody; its mutation has reported that.
        await _release(kube, experiment, found, now)
        return f"{experiment} to be taken back" if found["metadata"].get("deletionTimestamp") else ""
    if experiment.kind != _SCHEDULE:
        return ""
    left = await _children(kube, experiment, made)
    for child in left:
        ref = ObjectRef(experiment.api_version, made, experiment.namespace, child["metadata"]["name"])
        if not child["metadata"].get("deletionTimestamp"):
            # The garbage collector would, some time.
            await kube.delete(ref, uid=child["metadata"]["uid"])
        await _release(kube, ref, child, now)
    return f"{len(left)} of {experiment} to be taken back" if left else ""


async def release(kube: Kube, experiment: ObjectRef, now: datetime) -> None:
    """Let go of an experiment that has been on its way out for long. Does nothing with other objects."""
    if not experiment.api_version.startswith(f"{GROUP}/"):
        return
    found = await kube.get(experiment)
    if found is not None:
        await _release(kube, experiment, found, now)


async def _release(kube: Kube, ref: ObjectRef, found: Json, now: datetime) -> None:
    leaving = found["metadata"].get("deletionTimestamp")
    if not leaving or now - datetime.fromisoformat(leaving) < PATIENCE:
        return
    try:
        for namespace, pod in sorted(_hit(found)):
            await kube.delete(ObjectRef("v1", "Pod", namespace, pod))
        patch = {"metadata": {"finalizers": [], "resourceVersion": found["metadata"]["resourceVersion"]}}
        await kube.patch(ref, patch)
    except (errors.Conflict, errors.NotFound):
        return  # Chaos Mesh is at it after all


def _hit(found: Json) -> set[tuple[str, str]]:
    """Namespace and name of the pods in which the experiment may still be in force."""
    return {
        (namespace, pod)
        for record in _records(found)
        if record.get("phase") != _NOT_INJECTED
        for namespace, pod in [str(record.get("id", "")).split("/")[:2]]
    }


def _lacks(experiment: ObjectRef, found: Json) -> str:
    conditions = {c["type"]: c.get("status") for c in (found.get("status") or {}).get("conditions") or ()}
    if conditions.get("Selected") == "False":
        return f"{experiment} to find a pod that runs"
    if conditions.get("AllInjected") == "True":
        return ""
    said = [
        str(event["message"])
        for record in _records(found)
        for event in record.get("events") or ()
        if event.get("type") == "Failed" and event.get("message")
    ]
    return f"{experiment} to be in force" + (f": {said[-1]:.300}" if said else "")


def _was_injected(found: Json) -> bool:
    return any((record.get("injectedCount") or 0) > 0 for record in _records(found))


def _records(found: Json) -> list[Json]:
    experiment = (found.get("status") or {}).get("experiment") or {}
    records: list[Json] = experiment.get("containerRecords") or []
    return records


async def _children(kube: Kube, experiment: ObjectRef, kind: str) -> list[Json]:
    """Those that a Schedule made; Chaos Mesh labels them with its name."""
    label = f"managed-by={experiment.name}"
    return await kube.list_objects(experiment.api_version, kind, experiment.namespace, label_selector=label)
