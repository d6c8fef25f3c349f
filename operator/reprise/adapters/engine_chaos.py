"""Experiments of Chaos Mesh: are they in force, and are they gone."""

from reprise.adapters.kube import Kube
from reprise.domain.entities import ObjectRef


async def injected(kube: Kube, experiment: ObjectRef) -> str:
    """What the experiment lacks to be in force; "" when it is, or when there is none (any more)."""
    found = await kube.get(experiment)
    if found is None:
        return ""
    conditions = {c["type"]: c for c in (found.get("status") or {}).get("conditions") or ()}
    if conditions.get("AllInjected", {}).get("status") == "True":
        return ""
    records = ((found.get("status") or {}).get("experiment") or {}).get("containerRecords") or ()
    said = [str(event.get("message")) for record in records for event in record.get("events") or ()]
    why = f": {said[-1]}" if said and said[-1] != "None" else ""
    return f"{experiment} to be injected{why}"
