"""What is to be done to one object so that a mutation is in force, or is taken back: three-way comparisons.

The three ways: what was there before, what we put there, what is there now. What is neither is somebody
else's and is never overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reprise.domain import mutation, paths
from reprise.domain.mutation import (
    BeforeCreate,
    BeforeDelete,
    BeforePatch,
    Create,
    Delete,
    Json,
    Patch,
    PlannedMutation,
)


@dataclass(frozen=True)
class Done:
    """Nothing is left to do. `conflict` says what somebody else did, where that is why."""

    conflict: str = ""


@dataclass(frozen=True)
class Wait:
    """The cluster is at it."""

    reason: str


@dataclass(frozen=True)
class Make:
    """Create this object."""

    manifest: Json


@dataclass(frozen=True)
class Write:
    """Replace the object by this one, which carries the resourceVersion that was read."""

    manifest: Json


@dataclass(frozen=True)
class Remove:
    """Delete the object with this uid."""

    uid: str


Move = Done | Wait | Make | Write | Remove


def forward(planned: PlannedMutation, found: Json | None) -> Move:
    """What brings the mutation about. Done without a conflict means that it is in force."""
    match planned.mutation, planned.before:
        case Create(manifest), BeforeCreate():
            if found is None:
                return Make(manifest)
            if _leaving(found):
                return Wait(f"{planned.ref} of before is being deleted")
            if covers(manifest, found):
                return Done()
            return Done(f"{planned.ref}: expected no such object, found one that somebody else made")
        case Delete(), BeforeDelete(uid):
            if found is None:
                return Done()
            if found["metadata"]["uid"] != uid:
                return Done(f"{planned.ref}: expected the object with uid {uid}, found one made since")
            return Wait(f"{planned.ref} is being deleted") if _leaving(found) else Remove(uid)
        case Patch(_, changes), BeforePatch(uid, fields):
            if found is None or found["metadata"]["uid"] != uid:
                return Done(f"{planned.ref}: expected the object with uid {uid}, found another or none")
            steps = [
                (change.path, old.value, change.value, None)
                for change, old in zip(changes, fields, strict=True)
            ]
            return _set(planned, found, steps)
        case _:
            raise TypeError(f"{mutation.describe(planned.mutation)} has a before-image of another family")


def backward(planned: PlannedMutation, found: Json | None) -> Move:
    """What takes the mutation back. Done without a conflict means that no trace of it is left."""
    match planned.mutation, planned.before:
        case Create(manifest), BeforeCreate():
            if found is None:
                return Done()
            if _leaving(found):
                return Wait(f"{planned.ref} is being deleted")
            if covers(manifest, found):
                return Remove(found["metadata"]["uid"])
            return Done(
                f"{planned.ref}: expected it as it was made, found it changed; look at it and delete it"
            )
        case Delete(), BeforeDelete(uid, manifest):
            if found is None:
                return Make(manifest)
            if _leaving(found):
                return Wait(f"{planned.ref} is being deleted")
            if found["metadata"]["uid"] == uid or covers(manifest, found):
                return Done()
            return Done(
                f"{planned.ref}: expected nothing or the old object, found one that somebody else made"
            )
        case Patch(_, changes), BeforePatch(_, fields):
            if found is None:
                return Done(f"{planned.ref}: expected the object to take a change back, found none")
            steps = [
                (change.path, change.value, old.value, old.at)
                for change, old in zip(changes, fields, strict=True)
            ]
            return _set(planned, found, steps[::-1])
        case _:
            raise TypeError(f"{mutation.describe(planned.mutation)} has a before-image of another family")


def _set(
    planned: PlannedMutation, found: Json, steps: Sequence[tuple[paths.Path, Any, Any, int | None]]
) -> Move:
    """steps: (path, value to come from, value to go to, list position). All fields or none."""
    changed, conflicts = found, []
    for path, source, goal, at in steps:
        current = paths.get(changed, path)
        if current == goal and type(current) is type(goal):
            continue
        if current != source:
            conflicts.append(
                f"{planned.ref}: {paths.text(path)}: expected {_shown(source)} or {_shown(goal)}, "
                f"found {_shown(current)}, which somebody else put there"
            )
            continue
        changed = paths.put(changed, path, goal, at)
    if conflicts:
        return Done("; ".join(conflicts))
    return Done() if changed is found else Write(changed)


def covers(wanted: Any, found: Any) -> bool:
    """Whether everything wanted is found; the API server may have added defaults to maps."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and covers(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(covers(one, other) for one, other in zip(wanted, found, strict=True))
        )
    return bool(wanted == found)


def _leaving(found: Json) -> bool:
    return bool(found["metadata"].get("deletionTimestamp"))


def _shown(value: Any) -> str:
    text = "nothing" if value is paths.ABSENT else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
