"""What every mechanism is: a pure planner from target, parameters, seed and observed objects to mutations."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Mutation
from reprise.domain.plan import Step
from reprise.domain.symptoms import Symptom

Json = dict[str, Any]
P = TypeVar("P")

# The kinds that scenarios may name as targets, and the API versions that they are addressed by.
API_VERSIONS: Mapping[str, str] = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Pod": "v1",
    "ReplicaSet": "apps/v1",
    "ResourceQuota": "v1",
    "Service": "v1",
}


class Requirement(enum.Enum):
    """What a cluster must have before a mechanism can work on it."""

    NETWORK_POLICY = "enforcement of NetworkPolicy"
    TWO_NODES = "two nodes that take pods"
    METRICS_SERVER = "metrics-server"
    CHAOS_MESH = "Chaos Mesh"


@dataclass(frozen=True)
class Cause:
    """An object that is a root cause once the mutations are in force.

    owned: ReplicaSets and Pods made from its guilty template carry the same wrong value.
    """

    ref: ObjectRef
    owned: bool = False


@dataclass(frozen=True)
class Injection:
    """What a mechanism wants done, and how users are made to feel it and to recover from it."""

    mutations: tuple[Mutation, ...]
    causes: tuple[Cause, ...]
    settle: tuple[Step, ...] = ()
    recover: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Observed:
    """What the application's namespace holds, by kind (those in API_VERSIONS) and name."""

    namespace: str
    objects: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> Json:
        """The object. Raises NotFound, naming what there is."""
        known = self.objects.get(kind, {})
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise errors.NotFound(
                f"expected {self.namespace}/{kind}/{name} to exist, found only: {there}; "
                "deploy the application or correct the scenario's target"
            )
        return known[name]

    def all(self, kind: str) -> Mapping[str, Json]:
        """Every object of the kind by name."""
        return self.objects.get(kind, {})

    def ref(self, kind: str, name: str) -> ObjectRef:
        return ObjectRef(API_VERSIONS[kind], kind, self.namespace, name)


@dataclass(frozen=True)
class Mechanism(Generic[P]):
    """A kind of fault.

    parameters: a frozen dataclass; parameters.py reads it from a scenario. Its method `problems()`, where it
    has one, lists what is wrong with the values.
    targets: the kinds that it can be used on.
    plan: (target name, parameters, seed, observed) → Injection; raises InvalidInput or NotFound.
    symptoms: what shows by default: (target name) → symptoms.
    """

    name: str
    summary: str
    parameters: type[P]
    targets: frozenset[str]
    plan: Callable[[str, P, int, Observed], Injection]
    symptoms: Callable[[str], tuple[Symptom, ...]]
    requires: frozenset[Requirement] = frozenset()
