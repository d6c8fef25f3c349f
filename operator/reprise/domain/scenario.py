"""One incident as its author wrote it. The file format and its checks live in adapters.scenario_files."""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from reprise.domain.entities import EntityId
from reprise.domain.symptoms import Symptom

# Kinds without a namespace that a scenario may name.
CLUSTER_SCOPED = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)


class Injector(enum.Enum):
    """Whether objects of the fault injector itself stay in the agent's view."""

    HIDDEN = "hidden"
    VISIBLE = "visible"


class Difficulty(enum.Enum):
    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


@dataclass(frozen=True)
class Fault:
    """One mechanism used on one object of the application.

    equivalents: further `Kind/name` or `namespace/Kind/name` that count as naming this fault's root cause.
    """

    mechanism: str
    kind: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    equivalents: tuple[str, ...] = ()


@dataclass(frozen=True)
class TruthPolicy:
    """owned: the ReplicaSets and Pods made from a guilty pod template count as naming their Deployment.
    experiments: so do the injector's experiments that hit it; only where agents see them.
    """

    owned: bool = True
    experiments: bool = False


@dataclass(frozen=True)
class Noise:
    """restarts: how many workloads that no Service selects get new pods, chosen by the seed."""

    restarts: int = 0


@dataclass(frozen=True)
class Scenario:
    """An incident. No faults makes it a control: nothing is broken and the right answer is empty.

    decoys: harmless changes that look suspicious; naming one is a false positive.
    expected_seconds: how long its proof is expected to take at the short profile.
    """

    name: str
    title: str
    symptom: str
    difficulty: Difficulty
    tags: tuple[str, ...]
    application: str
    faults: tuple[Fault, ...]
    symptoms: tuple[Symptom, ...]
    truth_policy: TruthPolicy = TruthPolicy()
    injector: Injector = Injector.HIDDEN
    decoys: tuple[Fault, ...] = ()
    noise: Noise = Noise()
    expected_seconds: int = 120

    @property
    def control(self) -> bool:
        return not self.faults

    def matches(self, tags: Collection[str] = (), mechanisms: Collection[str] = ()) -> bool:
        """Whether it has all of these tags and, where mechanisms are named, one of them."""
        used = {fault.mechanism for fault in self.faults}
        return set(tags) <= set(self.tags) and (not mechanisms or not used.isdisjoint(mechanisms))


def entity(text: str, namespace: str) -> EntityId:
    """An equivalent as a scenario writes it; `Kind/name` is the application's if such have a namespace.

    Raises InvalidInput.
    """
    found = EntityId.parse(text)
    if found.namespace or found.kind in CLUSTER_SCOPED:
        return found
    return EntityId(namespace, found.kind, found.name)
