"""What every mechanism is: a pure planner from target, parameters, seed and observed objects to mutations."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Mutation
from reprise.domain.plan import Step
from reprise.domain.symptoms import Symptom

Json = dict[str, Any]
P = TypeVar("P")

# What mechanisms may look at and change, and the API versions that it is addressed by: of the application's
# namespace, of the cluster, and of kube-system.
API_VERSIONS: Mapping[str, str] = {
    "AuthorizationPolicy": "security.istio.io/v1",
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "LimitRange": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PeerAuthentication": "security.istio.io/v1",
    "PersistentVolumeClaim": "v1",
    "Pod": "v1",
    "PodDisruptionBudget": "policy/v1",
    "ReplicaSet": "apps/v1",
    "ResourceQuota": "v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "Secret": "v1",
    "Service": "v1",
    "ServiceAccount": "v1",
}
CLUSTER_API_VERSIONS: Mapping[str, str] = {
    "Namespace": "v1",
    "Node": "v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
    "ValidatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding": "admissionregistration.k8s.io/v1",
}
SYSTEM_API_VERSIONS: Mapping[str, str] = {"ConfigMap": "v1", "Deployment": "apps/v1"}
# What they may only look at: it is measured, and empty where nothing measures.
MEASURED_API_VERSIONS: Mapping[str, str] = {"PodMetrics": "metrics.k8s.io/v1beta1"}
SYSTEM_NAMESPACE = "kube-system"


class Requirement(enum.Enum):
    """What a cluster must have before a mechanism can work on it."""

    NETWORK_POLICY = "enforcement of NetworkPolicy"
    TWO_NODES = "two nodes that take pods"
    METRICS_SERVER = "metrics-server"
    CHAOS_MESH = "Chaos Mesh"
    NETEM = "a kernel with sch_netem"
    TBF = "a kernel with sch_tbf"
    TPROXY = "Chaos Mesh's tproxy"
    TODA = "Chaos Mesh's toda"
    BYTEMAN = "Chaos Mesh's byteman"
    CHAOS_DNS = "Chaos Mesh's DNS server"
    ISTIO = "Istio"


@dataclass(frozen=True)
class Cause:
    """An object that is a root cause once the mutations are in force.

    owned: ReplicaSets and Pods made from its guilty template carry the same wrong value.
    equivalents: other objects that carry it, such as the binding without which a policy does nothing.
    """

    ref: ObjectRef
    owned: bool = False
    equivalents: tuple[ObjectRef, ...] = ()


@dataclass(frozen=True)
class Injection:
    """What a mechanism wants done, and how users are made to feel it and to recover from it."""

    mutations: tuple[Mutation, ...]
    causes: tuple[Cause, ...]
    settle: tuple[Step, ...] = ()
    recover: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Observed:
    """What is there: objects of the application's namespace, `cluster`-scoped ones and those of kube-system
    (`system`), each by kind and name."""

    namespace: str
    objects: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    cluster: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    system: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> Json:
        """The object of the application or of the cluster. Raises NotFound, naming what there is."""
        return self.find(self.ref(kind, name))

    def all(self, kind: str) -> Mapping[str, Json]:
        """Every object of the kind by name."""
        return (self.cluster if kind in CLUSTER_API_VERSIONS else self.objects).get(kind, {})

    def ref(self, kind: str, name: str) -> ObjectRef:
        if kind in CLUSTER_API_VERSIONS:
            return ObjectRef(CLUSTER_API_VERSIONS[kind], kind, "", name)
        return ObjectRef(API_VERSIONS[kind], kind, self.namespace, name)

    def system_ref(self, kind: str, name: str) -> ObjectRef:
        """The reference of an object of kube-system."""
        return ObjectRef(SYSTEM_API_VERSIONS[kind], kind, SYSTEM_NAMESPACE, name)

    def find(self, ref: ObjectRef) -> Json:
        """The object. Raises NotFound, naming what there is."""
        known = self._scope(ref).get(ref.kind, {})
        if ref.name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise errors.NotFound(
                f"expected {ref} to exist, found only: {there}; "
                "deploy the application or correct the scenario's target"
            )
        return known[ref.name]

    def replaced(self, ref: ObjectRef, manifest: Json) -> "Observed":
        """The same with one object put in; a fault that is planned after another sees the other's work."""
        scope = self._scope(ref)
        new = {**scope, ref.kind: {**scope.get(ref.kind, {}), ref.name: manifest}}
        match ref.namespace:
            case "":
                return replace(self, cluster=new)
            case self.namespace:
                return replace(self, objects=new)
            case _:
                return replace(self, system=new)

    def _scope(self, ref: ObjectRef) -> Mapping[str, Mapping[str, Json]]:
        if not ref.namespace:
            return self.cluster
        return self.objects if ref.namespace == self.namespace else self.system


@dataclass(frozen=True)
class Mechanism(Generic[P]):
    """A kind of fault.

    parameters: a frozen dataclass; parameters.py reads it from a scenario. Its method `problems()`, where it
    has one, lists what is wrong with the values.
    targets: the kinds that it can be used on.
    plan: (target name, parameters, seed, observed) → Injection; raises InvalidInput, NotFound, Unsupported.
    symptoms: what shows by default: (target name, parameters) → symptoms.
    cluster_wide: what it changes is felt outside of the application's namespace, or shows in the drift report
    of another; such a run is alone on its cluster.
    composes: its change builds on what is there: two of its faults may edit one field, in their order.
    harmless: looks suspicious and breaks nothing; a decoy, never a cause.
    """

    name: str
    summary: str
    parameters: type[P]
    targets: frozenset[str]
    plan: Callable[[str, P, int, Observed], Injection]
    symptoms: Callable[[str, P], tuple[Symptom, ...]]
    requires: frozenset[Requirement] = frozenset()
    cluster_wide: bool = False
    composes: bool = False
    harmless: bool = False
