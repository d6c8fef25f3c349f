"""Objects at a moment, and what differs between two such states: field by field, old and new."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reprise.domain import paths
from reprise.snapshot import reader
from reprise.snapshot.diff import noise

Json = dict[str, Any]
# (collection, namespace, name)
Key = tuple[str, str, str]


@dataclass(frozen=True)
class FieldChange:
    """One place; `old` or `new` is None where the field was not there (JSON's null is the text "null")."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class ObjectChange:
    """`what` is added, removed or changed. Fields are by part: spec (and data, rules …), metadata, status."""

    entity: str
    what: str
    spec: tuple[FieldChange, ...] = ()
    metadata: tuple[FieldChange, ...] = ()
    status: tuple[FieldChange, ...] = ()


def recorded(snapshot: reader.Snapshot) -> dict[Key, Json]:
    """Every object as it was recorded."""
    return {_key(item.head.name, item.object): item.object for item in snapshot.objects()}


def at(snapshot: reader.Snapshot, moment: dt.datetime) -> dict[Key, Json]:
    """Every object of the collections that have a history, as it was last seen up to a moment."""
    found: dict[Key, Json] = {}
    for seen in snapshot.history():
        if seen.type != "BASE" and seen.time > moment:
            continue
        key = _key(seen.name, seen.object)
        if seen.type == "DELETED":
            found.pop(key, None)
        else:
            found[key] = seen.object
    return found


def with_history(snapshot: reader.Snapshot) -> frozenset[str]:
    """The collections whose past is known."""
    return frozenset(
        path.removeprefix("history/").removesuffix(".jsonl") for path in snapshot.names("history/", ".jsonl")
    )


def _key(collection: str, obj: Mapping[str, Any]) -> Key:
    meta = obj["metadata"]
    return collection, meta.get("namespace", ""), meta["name"]


def stable_keys(objects: Mapping[Key, Json]) -> dict[Key, Key]:
    """Each key under names that mean the same in another snapshot. What works comes first among several."""
    found: dict[Key, Key] = {}
    taken: dict[Key, int] = {}
    for key, obj in sorted(objects.items(), key=lambda pair: (-_size(pair[1]), pair[0])):
        stable = (key[0], key[1], noise.stable_name(obj))
        taken[stable] = taken.get(stable, 0) + 1
        number = taken[stable]
        found[key] = (*stable[:2], stable[2] if number == 1 else f"{stable[2]}#{number}")
    return found


def _size(obj: Json) -> int:
    """Replicas: the ReplicaSet in use comes before those that were."""
    replicas = (obj.get("spec") or {}).get("replicas")
    return replicas if isinstance(replicas, int) else 0


def changes(before: Mapping[Key, Json], after: Mapping[Key, Json], across: bool) -> tuple[ObjectChange, ...]:
    """Everything that differs, by entity. `across`: the states are of two snapshots."""
    old, new = _compared(before, across), _compared(after, across)
    found = []
    for key in sorted({*old, *new}, key=lambda key: (key[1], key[0], key[2])):
        first, second = old.get(key), new.get(key)
        if first is None or second is None:
            entity = _entity(key, second or first or {})
            found.append(ObjectChange(entity, "added" if first is None else "removed"))
        else:
            change = _changed(_entity(key, second), first, second)
            if change.spec or change.metadata or change.status:
                found.append(change)
    return tuple(found)


def _compared(objects: Mapping[Key, Json], across: bool) -> dict[Key, Json]:
    names = stable_keys(objects) if across else {key: key for key in objects}
    return {
        names[key]: noise.normalise(obj, across)
        for key, obj in objects.items()
        if noise.is_compared(key[0], obj, across)
    }


def _entity(key: Key, obj: Json) -> str:
    kind = obj.get("kind", key[0])
    return f"{key[1]}/{kind}/{key[2]}" if key[1] else f"{kind}/{key[2]}"


def _changed(entity: str, old: Json, new: Json) -> ObjectChange:
    parts: dict[str, list[FieldChange]] = {"spec": [], "metadata": [], "status": []}
    for name in sorted({*old, *new}):
        part = parts[name if name in ("metadata", "status") else "spec"]
        part += fields(old.get(name, paths.ABSENT), new.get(name, paths.ABSENT), name)
    return ObjectChange(entity, "changed", *(tuple(parts[name]) for name in ("spec", "metadata", "status")))


def fields(old: Any, new: Any, place: str) -> list[FieldChange]:
    """The leaves that differ below a place. NB: compared as JSON text, for Python's True == 1."""
    first, second = flatten(old, place), flatten(new, place)
    return [
        FieldChange(path, first.get(path), second.get(path))
        for path in sorted({*first, *second})
        if first.get(path) != second.get(path)
    ]


def flatten(value: Any, place: str) -> dict[str, str]:
    """Leaves as JSON text by the text of their path.

    Entries of lists are found by `name` or `type` where these tell them apart. Text that holds a JSON
    document is taken apart too: flags live in ConfigMaps.
    """
    if value is paths.ABSENT:
        return {}
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return {place: json.dumps(value, ensure_ascii=False)}
    out: dict[str, str] = {}
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            out |= flatten(entry, paths.join(place, key))
    elif isinstance(value, list) and value:
        key = _list_key(value)
        for index, entry in enumerate(value):
            item = paths.Item(key, str(entry[key])) if key else paths.Item("", str(index))
            out |= flatten(entry, paths.join(place, item))
    else:
        out[place] = json.dumps(value, ensure_ascii=False)
    return out


def _list_key(entries: Iterable[Any]) -> str:
    found = list(entries)
    for key in ("name", "type"):
        names = [entry.get(key) if isinstance(entry, dict) else None for entry in found]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return key
    return ""
