"""The application's lock: a Lease that one run at a time holds, and who waits for whom."""

import copy
from collections.abc import Container, Iterable

from reprise.adapters.kube import Json, Kube
from reprise.adapters.wire import benchmark_run, model
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.run import Mode, Run
from reprise.domain.run_status import Phase
from reprise.handlers.runtime import RUN_LABEL, SYSTEM_NAMESPACE


def _ref(namespace: str) -> ObjectRef:
    return ObjectRef("coordination.k8s.io/v1", "Lease", SYSTEM_NAMESPACE, f"application-{namespace}")


async def all_runs(kube: Kube) -> list[Json]:
    """Every run of the cluster as the API server has it."""
    return await kube.list_objects(model.API_VERSION, benchmark_run.KIND)


async def acquire(kube: Kube, run: Run) -> str:
    """Take the lock, from a holder that is gone or over too. Returns the uid that holds it now."""
    ref = _ref(run.spec.application.namespace)
    fresh: Json = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": {RUN_LABEL: run.ref.uid}},
        "spec": {"holderIdentity": run.ref.uid},
    }
    try:
        await kube.create(fresh)
        return run.ref.uid
    except errors.Conflict:
        held = await kube.get(ref)
    if held is None:
        raise errors.Conflict(f"{ref} was released between two looks; tried again")
    holder = str((held.get("spec") or {}).get("holderIdentity", ""))
    if holder == run.ref.uid:
        return holder
    if _is_active(holder, await all_runs(kube)):
        return holder
    taken = copy.deepcopy(held)
    taken["spec"] = {"holderIdentity": run.ref.uid}
    taken["metadata"]["labels"] = {RUN_LABEL: run.ref.uid}
    await kube.replace(taken)  # with the resourceVersion just read: of two takers one gets Conflict
    return run.ref.uid


async def release(kube: Kube, run: Run) -> None:
    """Give the lock back if it is this run's. Releasing twice is fine."""
    ref = _ref(run.spec.application.namespace)
    held = await kube.get(ref)
    if held is None or (held.get("spec") or {}).get("holderIdentity") != run.ref.uid:
        return
    try:
        # NB: the uid makes sure that it is the very Lease just read; a take-over keeps the uid, so the holder
        # is compared by resourceVersion through a replace first.
        await kube.replace({**held, "spec": {"holderIdentity": ""}})
        await kube.delete(ref, uid=held["metadata"]["uid"])
    except (errors.Conflict, errors.NotFound):
        return


def _is_active(uid: str, runs: Iterable[Json]) -> bool:
    for item in runs:
        if item["metadata"]["uid"] == uid:
            return not phase_of(item).terminal
    return False


def phase_of(item: Json) -> Phase:
    return Phase((item.get("status") or {}).get("phase") or Phase.PENDING)


def ahead(run: Run, runs: Iterable[Json], cluster_wide: Container[str] = ()) -> str:
    """The run that this one waits for: the active one, else the oldest that is pending. "" when none.

    cluster_wide: the names of scenarios that are felt in the whole cluster; their runs are in the way of
    every other one, whatever its application.
    """

    def order(item: Json) -> tuple[str, str]:
        return str(item["metadata"]["creationTimestamp"]), str(item["metadata"]["uid"])

    def in_the_way(item: Json) -> bool:
        same = _application_namespace(item) == run.spec.application.namespace
        return same or run.spec.scenario in cluster_wide or scenario_of(item) in cluster_wide

    others = [
        item
        for item in runs
        if item["metadata"]["uid"] != run.ref.uid
        and not phase_of(item).terminal
        and not is_replay(item)
        and in_the_way(item)
    ]
    own = (model.format_time(run.created_at).replace(".000Z", "Z"), run.ref.uid)
    active = [item for item in others if phase_of(item) is not Phase.PENDING]
    # A pending run that is being deleted takes no turn.
    older = [item for item in others if order(item) < own and "deletionTimestamp" not in item["metadata"]]
    for item in sorted(active, key=order) or sorted(older, key=order):
        return f"{item['metadata']['namespace']}/{item['metadata']['name']} ({phase_of(item)})"
    return ""


def is_replay(item: Json) -> bool:
    """A replay uses no application."""
    return bool((item.get("spec") or {}).get("mode") == Mode.REPLAY)


def scenario_of(item: Json) -> str:
    """The name of the scenario that a run asks for."""
    return str((item.get("spec") or {}).get("scenario") or "")


def _application_namespace(item: Json) -> str:
    application = (item.get("spec") or {}).get("application") or {}
    return str(application.get("namespace") or "otel-demo")
