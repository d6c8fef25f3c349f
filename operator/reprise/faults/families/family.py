"""What a family is, and when two of its incidents are distinct."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reprise.domain.scenario import Difficulty, Fault
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import registry
from reprise.faults.mechanism import Requirement

RULE = (
    "Two incidents are distinct when their mechanism, their target or a parameter that says in what way the "
    "target is broken differs. Names, numbers and labels that the run's seed chooses do not count, nor do "
    "decoys."
)
# What a cluster without image registries lacks, as far as is known beforehand; a run asks the cluster.
SELDOM = frozenset(
    {
        Requirement.NETEM,
        Requirement.TBF,
        Requirement.TPROXY,
        Requirement.TODA,
        Requirement.BYTEMAN,
        Requirement.CHAOS_DNS,
        Requirement.ISTIO,
    }
)
# Alerts about an object itself. What else is broken at the same time does not keep them from firing.
_OF_OBJECTS = frozenset(
    {
        "ContainerMemoryNearLimit",
        "CpuThrottlingHigh",
        "DeploymentScaledToZero",
        "KubeContainerNotReady",
        "KubeContainerWaiting",
        "KubeContainerWithoutMemoryLimit",
        "KubeDeploymentReplicasMismatch",
        "KubeDeploymentRolloutStuck",
        "KubeHpaMaxedOut",
        "KubePodCrashLooping",
        "KubePodEvicted",
        "KubePodNotReady",
        "KubePodUnschedulable",
        "KubeReplicaFailure",
        "ServiceWithoutEndpoints",
    }
)


@dataclass(frozen=True)
class Point:
    """One incident of a family.

    hurts: the workload that is broken or that nobody reaches; incidents are spread over these.
    way: how it is broken, where the family knows several. notice: what users notice.
    """

    kind: str
    name: str
    hurts: str
    notice: str
    symptoms: tuple[Symptom, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    way: str = ""

    def fault(self, mechanism: str) -> Fault:
        return Fault(mechanism, self.kind, self.name, self.params)

    def key(self, mechanism: str) -> str:
        """The same for two incidents that are not distinct."""
        return json.dumps([mechanism, self.kind, self.name, self.params], sort_keys=True)

    def shows_by_itself(self) -> bool:
        """Whether every required symptom is about the broken workload's own objects."""
        return all(_about(symptom, self.hurts) for symptom in self.symptoms if symptom.required)


def _about(symptom: Symptom, workload: str) -> bool:
    match symptom:
        case AlertSymptom():
            return symptom.alert in _OF_OBJECTS and workload in symptom.labels.values()
        case EventSymptom():
            return symptom.name_prefix == f"{workload}-"
        case _:
            return False


@dataclass(frozen=True)
class Family:
    """A mechanism over its ranges.

    difficulty: easy where the object that alarms says what is wrong, medium where that stands in another
    object or in the template, hard where only callers alarm or the cause is a part of a text.
    alone: it is felt by other workloads of the namespace; not combined with another fault.
    """

    mechanism: str
    title: str
    difficulty: Difficulty
    tags: tuple[str, ...]
    points: tuple[Point, ...]
    alone: bool = False
    expected_seconds: int = 60

    @property
    def requires(self) -> frozenset[Requirement]:
        return registry.MECHANISMS[self.mechanism].requires

    @property
    def cluster_wide(self) -> bool:
        return registry.MECHANISMS[self.mechanism].cluster_wide

    @property
    def seldom_supported(self) -> bool:
        """Whether it needs what clusters without image registries do not have."""
        return bool(self.requires & SELDOM)

    def targets(self) -> int:
        """How many workloads it can break."""
        return len({point.hurts for point in self.points})


def family(
    mechanism: str, title: str, difficulty: str, tags: str, points: Iterable[Point], **more: Any
) -> Family:
    """A family from a row of a table."""
    return Family(mechanism, title, Difficulty(difficulty), tuple(tags.split()), tuple(points), **more)
