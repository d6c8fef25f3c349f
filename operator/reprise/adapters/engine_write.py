"""Single writes to the application's objects, under a field manager that tells nothing; dry runs too."""

from reprise.adapters.kube import Json, Kube, ref_of
from reprise.domain import drift, errors, mutating
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import PlannedMutation

# Whoever reads managedFields sees the name that an edit by hand leaves.
FIELD_MANAGER = "kubectl-edit"
_TRIES = 5


async def write(kube: Kube, manifest: Json, *, dry_run: bool = False) -> Json:
    """Replace the object. Raises Conflict when it changed since it was read, InvalidInput when refused."""
    ref = ref_of(manifest)
    path = await kube.path(ref.api_version, ref.kind, ref.namespace, ref.name)
    return await kube.request("PUT", path, query=_query(dry_run), body=manifest)


async def make(kube: Kube, manifest: Json, *, dry_run: bool = False) -> Json:
    """Create the object. Raises Conflict when there is one of its name, InvalidInput when refused."""
    ref = ref_of(manifest)
    path = await kube.path(ref.api_version, ref.kind, ref.namespace)
    try:
        return await kube.request("POST", path, query=_query(dry_run), body=manifest)
    except errors.InvalidInput:
        if ref.kind != "Service" or manifest["spec"].get("clusterIP", "None") == "None":
            raise
    # Somebody else has the Service's old address by now: the name counts, so take another one.
    spec = {k: v for k, v in manifest["spec"].items() if k not in ("clusterIP", "clusterIPs")}
    return await kube.request("POST", path, query=_query(dry_run), body={**manifest, "spec": spec})


def recreatable(found: Json) -> Json:
    """The object without what the API server set, so that it can be created again."""
    metadata = {k: v for k, v in found["metadata"].items() if k not in drift.SERVER_SET_METADATA}
    return {**{k: v for k, v in found.items() if k != "status"}, "metadata": metadata}


async def bring(kube: Kube, planned: PlannedMutation, *, back: bool) -> mutating.Move:
    """Bring one mutation about (or take it back) as far as possible now.

    Returns where it stands: Done or Wait. Raises Conflict when somebody writes the object all the time,
    Refused and InvalidInput when the API server does not want it.
    """
    decide = mutating.backward if back else mutating.forward
    for _ in range(_TRIES):
        move = decide(planned, await kube.get(planned.ref))
        try:
            match move:
                case mutating.Done() | mutating.Wait():
                    return move
                case mutating.Make(manifest):
                    await make(kube, manifest)
                case mutating.Write(manifest):
                    await write(kube, manifest)
                case mutating.Remove(uid):
                    await kube.delete(planned.ref, uid=uid)
        except (errors.Conflict, errors.NotFound):
            if await _homeless(kube, planned):
                reason = f"{planned.ref}: expected its namespace to be there, found none; nothing to write to"
                return mutating.Done(reason)
            continue  # somebody was faster: read again and decide anew
    raise errors.Conflict(
        f"{planned.ref}: expected to write it within {_TRIES} tries, found it changed each time"
    )


async def _homeless(kube: Kube, planned: PlannedMutation) -> bool:
    """Whether the object's namespace has been deleted meanwhile, or is about to be."""
    if not planned.ref.namespace:
        return False
    namespace = await kube.get(ObjectRef("v1", "Namespace", "", planned.ref.namespace))
    return namespace is None or "deletionTimestamp" in namespace["metadata"]


def _query(dry_run: bool) -> list[tuple[str, str]]:
    return [("fieldManager", FIELD_MANAGER)] + ([("dryRun", "All")] if dry_run else [])
