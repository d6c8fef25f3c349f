"""A LimitRange whose maximum is below what a workload's containers state: its next pod is refused."""

from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.plan import RemovePods, RetryCreation, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, quota, seeded, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

_RESOURCES = ("cpu", "memory")
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class LimitRangeParameters:
    """resource: `memory` or `cpu`, one that the target limits.
    max: the most that a container may state; half of the target's largest limit by default.
    name: the LimitRange's; a plausible one by default."""

    resource: str = "memory"
    max: str | None = None
    name: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.resource not in _RESOURCES:
            found.append(f"resource: expected one of: {', '.join(_RESOURCES)}; found {self.resource!r}")
        if self.max is not None:
            try:
                quota.quantity(self.max)
            except errors.InvalidInput as exc:
                found.append(f"max: {exc}")
        return found


def _plan(target: str, params: LimitRangeParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    spec = deployment["spec"]["template"]["spec"]
    stated = {
        container["name"]: str(limit)
        for container in (*spec["containers"], *spec.get("initContainers", ()))
        if (limit := ((container.get("resources") or {}).get("limits") or {}).get(params.resource))
        is not None
    }
    shown = ", ".join(f"{name} {limit}" for name, limit in stated.items()) or "none"
    if not stated:
        # A container that states nothing takes the maximum as its own limit and is let in.
        raise errors.InvalidInput(
            f"params.resource: expected one that a container of Deployment/{target} limits, "
            f"found no limit of {params.resource}"
        )
    largest = max(quota.quantity(limit) for limit in stated.values())
    if params.max is not None:
        highest = params.max
    elif params.resource == "memory":
        highest = f"{max(1, int(largest / 2 / _MEBIBYTE))}Mi"
    else:
        highest = f"{max(1, int(largest * 500))}m"
    if quota.quantity(highest) >= largest:
        raise errors.InvalidInput(
            f"params.max: expected less than a container of Deployment/{target} states ({shown}), "
            f"found {highest}"
        )
    rng = seeded.chooser(seed, LIMIT_RANGE.name, target)
    name = params.name or seeded.pick(
        rng,
        ["container-limits", "namespace-limits", "resource-limits", "limits", "mem-limit-range"],
        observed.all("LimitRange"),
        "name for a LimitRange",
    )
    ref, workload = observed.ref("LimitRange", name), observed.ref("Deployment", target)
    manifest: Json = {
        **created.head(ref),
        "spec": {"limits": [{"type": "Container", "max": {params.resource: highest}}]},
    }
    return Injection(
        mutations=(Create(manifest),),
        causes=(Cause(ref),),
        settle=(RemovePods(workload),),
        recover=(RetryCreation(workload), WaitAvailable(workload)),
    )


def _symptoms(target: str, params: LimitRangeParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom("its pods are refused", alert="KubeReplicaFailure", labels={"service_name": target}),
    )


LIMIT_RANGE = Mechanism(
    name="limit-range-rejecting",
    summary="A LimitRange allows containers less than the target's state, so that its next pod is refused.",
    parameters=LimitRangeParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
)

MECHANISMS = (LIMIT_RANGE,)
