"""A whole injection, worked out and stored before anything is applied.

Mutations are done once. Steps are conditions that the engine brings about and looks at again at every call,
because controllers work on their own time: pods must be replaced, old replicas must stop serving, new ones
must be ready. Whether a step is done is read from the cluster alone, so that a crash between any two lines
loses nothing.
"""

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors, mutation, truth
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import PlannedMutation


@dataclass(frozen=True)
class RetireOldReplicas:
    """No pod made from an older template of the Deployment is left serving, as a rolling update would.

    made: the new template's pods are there, too; not to be had where they are refused.
    """

    deployment: ObjectRef
    made: bool = True


@dataclass(frozen=True)
class WaitPodsMade:
    """There is a pod of the Deployment's present template, ready or not."""

    deployment: ObjectRef


@dataclass(frozen=True)
class RecyclePods:
    """Every pod of the Deployment is younger than the last change of the object `after`.

    one_by_one: each goes only while all replicas are available; not where new pods are refused.
    """

    deployment: ObjectRef
    after: ObjectRef
    one_by_one: bool = False


@dataclass(frozen=True)
class RecycleUsers:
    """The same, and later than every pod of the Deployment `servers`: who starts while an old server still
    answers keeps that answer."""

    deployment: ObjectRef
    servers: ObjectRef
    after: ObjectRef


@dataclass(frozen=True)
class RemovePods:
    """The Deployment has no pod: what it has is deleted, until its new ones are refused.

    What refuses them may come into force a moment after it is written; a pod that is let in goes, too.
    """

    deployment: ObjectRef


@dataclass(frozen=True)
class ReplacePods:
    """The Deployment has none of the pods of these uids any more."""

    deployment: ObjectRef
    uids: tuple[str, ...]


@dataclass(frozen=True)
class WaitPodsGone:
    """The Deployment has no pod any more."""

    deployment: ObjectRef


@dataclass(frozen=True)
class RetryCreation:
    """The Deployment's ReplicaSet does not sit in the back-off that follows refused pods."""

    deployment: ObjectRef


@dataclass(frozen=True)
class WaitAvailable:
    """The Deployment has rolled out, and all of its replicas are available."""

    deployment: ObjectRef


@dataclass(frozen=True)
class DropNewReplicaSets:
    """The Deployment has no emptied ReplicaSet other than those of these uids and the current one."""

    deployment: ObjectRef
    known_uids: tuple[str, ...]


@dataclass(frozen=True)
class RestoreReplicas:
    """The Deployment has this many replicas again, which an autoscaler changed meanwhile."""

    deployment: ObjectRef
    replicas: int


@dataclass(frozen=True)
class WaitInjected:
    """The Chaos Mesh experiment says that it is in force on everything it selects."""

    experiment: ObjectRef


@dataclass(frozen=True)
class WaitReleased:
    """The Chaos Mesh experiment is gone, and so are those of the kind `made` that a Schedule made."""

    experiment: ObjectRef
    made: str


@dataclass(frozen=True)
class ReplaceBackedOff:
    """No container of the Deployment's pods sits in the back-off that follows many ends."""

    deployment: ObjectRef


Step = (
    RetireOldReplicas
    | WaitPodsMade
    | RecyclePods
    | RecycleUsers
    | ReplacePods
    | RemovePods
    | WaitPodsGone
    | RetryCreation
    | WaitAvailable
    | DropNewReplicaSets
    | RestoreReplicas
    | WaitInjected
    | WaitReleased
    | ReplaceBackedOff
)
_STEPS: dict[str, type[Step]] = {kind.__name__: kind for kind in typing.get_args(Step)}


@dataclass(frozen=True)
class Plan:
    """What a run will do to the application and how it will be undone.

    settle: steps after the mutations; recover: steps after they have been taken back.
    truth: the root causes with their declared equivalents; `Engine.truth` adds what only the cluster knows.
    owned_causes: the Deployments whose ReplicaSets and Pods count as naming them.
    decoys: what was changed only to look suspicious. noise: workloads whose pods were replaced as noise.
    """

    scenario: str
    namespace: str
    seed: int
    mutations: tuple[PlannedMutation, ...]
    settle: tuple[Step, ...]
    recover: tuple[Step, ...]
    truth: truth.Truth
    owned_causes: tuple[ObjectRef, ...] = ()
    decoys: tuple[ObjectRef, ...] = ()
    noise: tuple[ObjectRef, ...] = ()


def _ref(ref: ObjectRef) -> list[str]:
    return [ref.api_version, ref.kind, ref.namespace, ref.name]


def _step_to_json(step: Step) -> dict[str, Any]:
    """Each field under its name; a step's fields are references, numbers and tuples of strings."""
    fields = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
    return {
        "step": type(step).__name__,
        **{name: _ref(value) if isinstance(value, ObjectRef) else value for name, value in fields.items()},
    }


def _step_from_json(data: dict[str, Any]) -> Step:
    kind = _STEPS[data["step"]]
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        value = data[field.name]
        if hints[field.name] is ObjectRef:
            value = ObjectRef(*value)
        elif isinstance(value, list):
            value = tuple(value)
        values[field.name] = value
    return kind(**values)


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON, with a version so that an operator of another release refuses it."""
    return {
        "version": 2,
        "scenario": plan.scenario,
        "namespace": plan.namespace,
        "seed": plan.seed,
        "mutations": [mutation.to_json(planned) for planned in plan.mutations],
        "settle": [_step_to_json(step) for step in plan.settle],
        "recover": [_step_to_json(step) for step in plan.recover],
        "truth": truth.to_json(plan.truth),
        "owned_causes": [_ref(ref) for ref in plan.owned_causes],
        "decoys": [_ref(ref) for ref in plan.decoys],
        "noise": [_ref(ref) for ref in plan.noise],
    }


def from_json(data: Any) -> Plan:
    """The inverse of to_json. Raises Corrupt."""
    try:
        if data["version"] != 2:
            raise errors.Corrupt(f"expected a stored plan of version 2, found version {data['version']!r}")
        return Plan(
            scenario=data["scenario"],
            namespace=data["namespace"],
            seed=data["seed"],
            mutations=tuple(mutation.from_json(entry) for entry in data["mutations"]),
            settle=tuple(_step_from_json(entry) for entry in data["settle"]),
            recover=tuple(_step_from_json(entry) for entry in data["recover"]),
            truth=truth.from_json(data["truth"]),
            owned_causes=tuple(ObjectRef(*entry) for entry in data["owned_causes"]),
            decoys=tuple(ObjectRef(*entry) for entry in data["decoys"]),
            noise=tuple(ObjectRef(*entry) for entry in data["noise"]),
        )
    except (KeyError, TypeError, ValueError, errors.InvalidInput) as exc:
        raise errors.Corrupt(f"expected a stored plan, found data that is none: {exc!r}") from exc
