"""ITBench's generated ground truths: a list of objects."""

from collections.abc import Mapping
from typing import Any

from reprise.domain import itbench_names
from reprise.domain.entities import EntityId
from reprise.domain.itbench_notes import Notes, Outcome, kind_of
from reprise.domain.truth import RootCause

# Kinds that a fault makes beside the workload that it is meant for. The generator lists that workload too.
_MADE_FOR_A_WORKLOAD = frozenset({"HorizontalPodAutoscaler", "LimitRange", "NetworkPolicy", "ResourceQuota"})
_OF_THE_NAMESPACE = frozenset({"LimitRange", "ResourceQuota"})


def causes(spec: Mapping[str, Any], notes: Notes, keep_unknown: bool) -> list[RootCause]:
    """The root causes that the file names; everything else goes to `notes`."""
    entries = spec["entities"]
    if not isinstance(entries, list):
        notes.problem(f"expected a list, found {kind_of(entries)}", "entities")
        return []
    found: dict[int, EntityId] = {}
    for index, entry in enumerate(entries):
        entity = _entity(entry, index, notes, keep_unknown)
        if entity is not None:
            found[index] = entity
    for index, entity in list(found.items()):
        made = _made_for(entity, list(found.values()))
        if made is not None:
            text = f"{entity} carries nothing wrong, {made} beside it does; dropped as what the fault hits"
            notes.add(Outcome.REPAIRED, text, "entities", index)
            del found[index]
    return [RootCause(entity) for entity in found.values()]


def _entity(entry: Any, index: int, notes: Notes, keep_unknown: bool) -> EntityId | None:
    where = ("entities", index)
    metadata = entry.get("metadata") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(metadata, Mapping):
        notes.problem(f"expected an object with kind and metadata, found {kind_of(entry)}", *where)
        return None
    kind, name, namespace = entry.get("kind"), metadata.get("name"), metadata.get("namespace") or ""
    sound = True
    for value, place in ((kind, ("kind",)), (name, ("metadata", "name"))):
        if not isinstance(value, str) or not value:
            notes.problem(f"expected text, found {kind_of(value)}", *where, *place)
            sound = False
    if not isinstance(namespace, str):
        notes.problem(f"expected text, found {kind_of(namespace)}", *where, "metadata", "namespace")
        sound = False
    if not sound:
        return None
    resolved = itbench_names.resolve(str(kind), namespace, str(name), keep_unknown=keep_unknown)
    if resolved.injector:
        notes.resolution(resolved, *where)
        resolved = itbench_names.hit([str(name)], ())
    return notes.resolution(resolved, *where)


def _made_for(entity: EntityId, others: list[EntityId]) -> EntityId | None:
    """The object that the fault made for this workload, if the file lists one."""
    if entity.kind != "Deployment":
        return None
    alone = sum(other.kind == "Deployment" for other in others) == 1
    for other in others:
        if other.kind in _MADE_FOR_A_WORKLOAD and other.namespace == entity.namespace:
            named = other.name == entity.name or other.name.startswith(f"{entity.name}-")
            if named or (alone and other.kind in _OF_THE_NAMESPACE):
                return other
    return None
