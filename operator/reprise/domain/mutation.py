"""Changes to objects of the cluster, each with what is needed to take it back.

A mutation says what to do; a PlannedMutation adds the before-image. Both survive a round trip through JSON,
because a plan is stored before anything is applied.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from reprise.domain import errors, paths
from reprise.domain.entities import ObjectRef

Json = dict[str, Any]


@dataclass(frozen=True)
class SetField:
    """Put `value` at `path`; paths.ABSENT removes the field."""

    path: paths.Path
    value: Any


@dataclass(frozen=True)
class Create:
    """Make this object. There must be none of its name."""

    manifest: Json

    @property
    def ref(self) -> ObjectRef:
        meta = self.manifest["metadata"]
        return ObjectRef(
            self.manifest["apiVersion"], self.manifest["kind"], meta.get("namespace", ""), meta["name"]
        )


@dataclass(frozen=True)
class Patch:
    """Set fields of an object that exists."""

    ref: ObjectRef
    changes: tuple[SetField, ...]


@dataclass(frozen=True)
class Delete:
    """Remove an object that exists."""

    ref: ObjectRef


Mutation = Create | Patch | Delete


@dataclass(frozen=True)
class OldField:
    """What was at a path: the value or paths.ABSENT, and for a list entry its index."""

    value: Any
    at: int | None = None


@dataclass(frozen=True)
class BeforePatch:
    """The object's uid and the old values, in the order of the patch's changes."""

    uid: str
    fields: tuple[OldField, ...]


@dataclass(frozen=True)
class BeforeCreate:
    """Nothing was there."""


@dataclass(frozen=True)
class BeforeDelete:
    """The whole object, cleaned so that it can be created again."""

    uid: str
    manifest: Json


Before = BeforePatch | BeforeCreate | BeforeDelete


@dataclass(frozen=True)
class PlannedMutation:
    """A mutation with its before-image; the two are of the same family (Patch with BeforePatch, ...)."""

    mutation: Mutation
    before: Before

    @property
    def ref(self) -> ObjectRef:
        return self.mutation.ref


def describe(mutation: Mutation) -> str:
    """One line for people."""
    match mutation:
        case Create():
            return f"create {mutation.ref}"
        case Delete():
            return f"delete {mutation.ref}"
        case Patch():
            return f"change {mutation.ref}: " + ", ".join(paths.text(c.path) for c in mutation.changes)
        case _:
            assert_never(mutation)


# -- JSON -------------------------------------------------------------------------------------------


def _ref_to_json(ref: ObjectRef) -> list[str]:
    return [ref.api_version, ref.kind, ref.namespace, ref.name]


def _value_to_json(value: Any) -> Json:
    return {} if value is paths.ABSENT else {"value": value}


def _value_from_json(data: Json) -> Any:
    return data.get("value", paths.ABSENT)


def to_json(planned: PlannedMutation) -> Json:
    """The mutation and its before-image as JSON."""
    match planned.mutation, planned.before:
        case Create(manifest), BeforeCreate():
            return {"create": manifest}
        case Delete(ref), BeforeDelete(uid, manifest):
            return {"delete": _ref_to_json(ref), "uid": uid, "manifest": manifest}
        case Patch(ref, changes), BeforePatch(uid, fields):
            return {
                "patch": _ref_to_json(ref),
                "uid": uid,
                "changes": [
                    {
                        "path": paths.to_json(change.path),
                        "new": _value_to_json(change.value),
                        "old": _value_to_json(old.value),
                        "at": old.at,
                    }
                    for change, old in zip(changes, fields, strict=True)
                ],
            }
        case _:
            raise TypeError(f"a {type(planned.mutation).__name__} with a {type(planned.before).__name__}")


def from_json(data: Any) -> PlannedMutation:
    """The inverse of to_json. Raises Corrupt."""
    try:
        if "create" in data:
            return PlannedMutation(Create(data["create"]), BeforeCreate())
        if "delete" in data:
            return PlannedMutation(
                Delete(ObjectRef(*data["delete"])), BeforeDelete(data["uid"], data["manifest"])
            )
        return PlannedMutation(
            Patch(
                ObjectRef(*data["patch"]),
                tuple(
                    SetField(paths.from_json(c["path"]), _value_from_json(c["new"])) for c in data["changes"]
                ),
            ),
            BeforePatch(
                data["uid"], tuple(OldField(_value_from_json(c["old"]), c["at"]) for c in data["changes"])
            ),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise errors.Corrupt(f"expected a stored mutation, found data that is none: {exc!r}") from exc
