"""Every node that takes a workload's pods is closed, so that a pod which is replaced has nowhere to run.

Pods that run already are left alone; only the target's are replaced.
"""

import re
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import RecyclePods, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import placement, seeded, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed


def _injection(target: str, changes: dict[ObjectRef, SetField], observed: Observed) -> Injection:
    workload = observed.ref("Deployment", target)
    return Injection(
        mutations=tuple(Patch(ref, (change,)) for ref, change in changes.items()),
        causes=tuple(Cause(ref) for ref in changes),
        settle=tuple(RecyclePods(workload, after=ref) for ref in changes),
        recover=(WaitAvailable(workload),),
    )


def _target(target: str, observed: Observed) -> Json:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    return deployment


def _unschedulable(target: str, params: object) -> tuple[Symptom, ...]:
    return (
        AlertSymptom("no node takes its pod", alert="KubePodUnschedulable", labels={"service_name": target}),
    )


# -- node-cordoned ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CordonParameters:
    """Nothing to choose."""


def _plan_cordon(target: str, params: CordonParameters, seed: int, observed: Observed) -> Injection:
    nodes = placement.nodes_for(_target(target, observed), observed)
    return _injection(target, {ref: SetField(("spec", "unschedulable"), True) for ref in nodes}, observed)


CORDON = Mechanism(
    name="node-cordoned",
    summary="Every node that takes the target's pods is cordoned; a pod that is replaced stays pending.",
    parameters=CordonParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_cordon,
    symptoms=_unschedulable,
    cluster_wide=True,
)


# -- node-tainted -----------------------------------------------------------------------------------

_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_TAINTS = (
    ("dedicated", "batch"),
    ("dedicated", "monitoring"),
    ("node.example.com/maintenance", "planned"),
    ("node.example.com/pool", "reserved"),
    ("workload", "gpu"),
)


@dataclass(frozen=True)
class TaintParameters:
    """key: the taint's; a plausible one by default, with its value. value: the taint's; none by default."""

    key: str | None = None
    value: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.key is not None and not _KEY.match(self.key):
            found.append(f"key: expected a label key, found {self.key!r}")
        if self.value is not None and not _VALUE.match(self.value):
            found.append(f"value: expected a label value, found {self.value!r}")
        if self.value is not None and self.key is None:
            found.append(f"key: expected one for the value {self.value!r}, found nothing")
        return found


def _plan_taint(target: str, params: TaintParameters, seed: int, observed: Observed) -> Injection:
    deployment = _target(target, observed)
    rng = seeded.chooser(seed, TAINT.name, target)
    key, value = (params.key, params.value or "") if params.key else rng.choice(_TAINTS)
    taint = {"key": key, **({"value": value} if value else {}), "effect": "NoSchedule"}
    nodes = placement.nodes_for(deployment, observed)
    changes: dict[ObjectRef, SetField] = {}
    for ref in nodes:
        node = observed.find(ref)
        taints = (node.get("spec") or {}).get("taints") or []
        if any(entry["key"] == key for entry in taints):
            raise errors.InvalidInput(f"params.key: expected a key that no taint of {ref} has, found {key!r}")
        changes[ref] = template.setting(node, ("spec", "taints", paths.Item("key", key)), taint)
    closed = observed
    for ref in nodes:
        node = observed.find(ref)
        closed = closed.replaced(ref, {**node, "spec": {**(node.get("spec") or {}), "taints": [taint]}})
    try:
        placement.nodes_for(deployment, closed)
    except errors.InvalidInput:
        return _injection(target, changes, observed)
    raise errors.InvalidInput(
        f"params.key: expected a taint that pods of Deployment/{target} do not tolerate, found {key!r}"
    )


TAINT = Mechanism(
    name="node-tainted",
    summary="Every node that takes the target's pods has a taint; a pod that is replaced stays pending.",
    parameters=TaintParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_taint,
    symptoms=_unschedulable,
    cluster_wide=True,
)

MECHANISMS = (CORDON, TAINT)
