"""Is the application where it was? Fingerprints of a namespace, and what differs between two of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors, paths
from reprise.domain.entities import EntityId

Json = dict[str, Any]

# Metadata that the API server sets and rewrites on its own.
SERVER_SET_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_VOLATILE_ANNOTATIONS = (
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "kubectl.kubernetes.io/last-applied-configuration",
    "node.alpha.kubernetes.io/ttl",
)
# Of longer texts the fingerprint keeps the digest, so that a whole application fits into one Secret.
_LONG_CHARACTERS = 120


@dataclass(frozen=True)
class Fingerprint:
    """Every object of a namespace, normalised and flattened: entity id → {path text → value or digest}."""

    objects: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, order=True)
class Difference:
    """One place where the application is not what it was."""

    entity: str
    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        place = f"{self.entity}: {self.path}" if self.path else self.entity
        return f"{place}: expected {self.expected}, found {self.found}"


def normalise(manifest: Json) -> Json:
    """The object without what changes by itself: status, server-set metadata, controller annotations."""
    out = {key: value for key, value in manifest.items() if key != "status"}
    meta = {k: v for k, v in manifest.get("metadata", {}).items() if k not in SERVER_SET_METADATA}
    annotations = {
        k: v for k, v in (meta.pop("annotations", None) or {}).items() if k not in _VOLATILE_ANNOTATIONS
    }
    if annotations:
        meta["annotations"] = annotations
    # Owners come back under a new uid when they are made again; their name is what counts.
    if "ownerReferences" in meta:
        meta["ownerReferences"] = [
            {k: v for k, v in owner.items() if k != "uid"} for owner in meta["ownerReferences"]
        ]
    out["metadata"] = meta
    return out


def flatten(value: Any, place: str = "") -> Json:
    """Leaves of a JSON value by the text of their path; long strings as digests, empty containers as such.

    Entries of lists are found by name where names tell them apart; their order is then a leaf of its own.
    """
    out: Json = {}
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            out |= flatten(entry, paths.join(place, key))
    elif isinstance(value, list) and value:
        names = [entry.get("name") if isinstance(entry, dict) else None for entry in value]
        by_name = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
        for index, entry in enumerate(value):
            segment = paths.Item("name", str(names[index])) if by_name else paths.Item("", str(index))
            out |= flatten(entry, paths.join(place, segment))
        if by_name and len(names) > 1:
            out[f"{place}[order]"] = _short(",".join(str(name) for name in names))
    else:
        out[place] = _short(value) if isinstance(value, str) else value
    return out


def _short(text: str) -> str:
    return text if len(text) <= _LONG_CHARACTERS else f"sha256:{digest(text)} ({len(text)} characters)"


def digest(text: str) -> str:
    """16 hex digits of the sha256: enough to tell two values apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(manifests: Iterable[tuple[EntityId, Json]]) -> Fingerprint:
    """Fingerprint already-normalised objects."""
    return Fingerprint({str(entity): flatten(manifest) for entity, manifest in manifests})


def compare(expected: Fingerprint, found: Fingerprint) -> tuple[Difference, ...]:
    """What differs, sorted. Empty when the application is where it was."""
    differences: list[Difference] = []
    for entity in sorted({*expected.objects, *found.objects}):
        before, after = expected.objects.get(entity), found.objects.get(entity)
        if before is None:
            differences.append(Difference(entity, "", "no such object", "it exists"))
        elif after is None and _trimmed(entity, before):
            continue
        elif after is None:
            differences.append(Difference(entity, "", "the object to exist", "nothing"))
        else:
            for path in sorted({*before, *after}):
                old, new = _shown(before, path), _shown(after, path)
                if old != new:
                    differences.append(Difference(entity, path, old, new))
    return tuple(differences)


def _trimmed(entity: str, before: Mapping[str, Any]) -> bool:
    """Whether this was an emptied ReplicaSet: a Deployment itself drops the oldest of its history."""
    return "/ReplicaSet/" in entity and before.get("spec.replicas") == 0


def _shown(fields: Mapping[str, Any], path: str) -> str:
    return json.dumps(fields[path], sort_keys=True) if path in fields else "nothing"


def to_json(value: Fingerprint) -> Json:
    return {"version": 1, "objects": {key: dict(fields) for key, fields in value.objects.items()}}


def from_json(data: Any) -> Fingerprint:
    """The inverse of to_json. Raises Corrupt."""
    if not isinstance(data, dict) or data.get("version") != 1 or not isinstance(data.get("objects"), dict):
        raise errors.Corrupt("expected a stored fingerprint of version 1, found other data")
    return Fingerprint(data["objects"])
