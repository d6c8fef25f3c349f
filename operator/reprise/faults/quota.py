"""A ResourceQuota that is smaller than what the namespace uses already."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.plan import RecyclePods, RetryCreation, WaitAvailable, WaitPodsGone
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, seeded, service
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")
_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}
_COUNTED = ("pods", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory", "cpu", "memory")


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number of its base unit. Raises InvalidInput."""
    match = _QUANTITY.match(text)
    if not match:
        raise errors.InvalidInput(f"expected a quantity such as 500m or 1Gi, found {text!r}")
    return Decimal(match[1]) * _FACTORS[match[2] or ""]


@dataclass(frozen=True)
class QuotaParameters:
    """hard: the quota's limits, less than the namespace uses now. name: the quota's; plausible by default."""

    hard: Mapping[str, str]
    name: str | None = None

    def problems(self) -> list[str]:
        found = [] if self.hard else ["hard: expected at least one limit, found none"]
        for resource, text in self.hard.items():
            if resource not in _COUNTED:
                found.append(f"hard: expected some of: {', '.join(_COUNTED)}; found {resource!r}")
            if not _QUANTITY.match(text):
                found.append(f"hard.{resource}: expected a quantity such as 500m or 1Gi, found {text!r}")
        return found


def _plan_quota(target: str, params: QuotaParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    if not deployment["spec"].get("replicas", 1):
        raise errors.InvalidInput(
            f"expected Deployment/{target} to have replicas, found 0: nothing to refuse"
        )
    specs = [
        pod["spec"]
        for pod in observed.all("Pod").values()
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]
    used = {resource: sum((_use(spec, resource) for spec in specs), Decimal(0)) for resource in params.hard}
    selector = deployment["spec"]["selector"]["matchLabels"]
    own = [
        pod["spec"]
        for pod in observed.all("Pod").values()
        if service.matches(selector, pod["metadata"].get("labels") or {})
    ]
    one = deployment["spec"]["template"]["spec"]
    silent = sorted(
        f"{container['name']} ({resource})"
        for container in (*one["containers"], *one.get("initContainers", ()))
        for resource in params.hard
        if resource != "pods" and not _states(container, resource)
    )
    if silent:
        # It would be refused for saying nothing, whatever the quota's size: another fault than this one.
        raise errors.InvalidInput(
            f"params.hard: expected resources that every container of Deployment/{target} states, found none "
            f"for: {', '.join(silent)}; use pods"
        )
    # The replaced pod frees what it used; what is left plus a new pod must be too much.
    refused = [
        resource
        for resource, hard in params.hard.items()
        if used[resource] - sum((_use(spec, resource) for spec in own), Decimal(0)) + _use(one, resource)
        > quantity(hard)
    ]
    if not refused:
        shown = ", ".join(f"{resource} {value.normalize():f}" for resource, value in used.items())
        raise errors.InvalidInput(
            f"params.hard: expected less than the namespace uses, so that a new pod of Deployment/{target} "
            f"is refused; used now: {shown}; found {dict(params.hard)}"
        )
    rng = seeded.chooser(seed, QUOTA.name, target)
    name = params.name or seeded.pick(
        rng,
        ["compute-resources", "namespace-limits", "team-quota", "compute-quota", "mem-cpu-limits"],
        observed.all("ResourceQuota"),
        "name for a ResourceQuota",
    )
    ref, workload = observed.ref("ResourceQuota", name), observed.ref("Deployment", target)
    manifest: Json = {
        **created.head(ref),
        "spec": {"hard": dict(params.hard)},
    }
    return Injection(
        mutations=(Create(manifest),),
        causes=(Cause(ref),),
        settle=(RecyclePods(workload, after=ref), WaitPodsGone(workload)),
        recover=(RetryCreation(workload), WaitAvailable(workload)),
    )


def _use(pod_spec: Json, resource: str) -> Decimal:
    """What a pod counts for against a quota: the sum of its containers, or its largest init container."""
    if resource == "pods":
        return Decimal(1)
    where, _, name = resource.rpartition(".")
    return max(
        sum((_container_use(c, where, name) for c in pod_spec["containers"]), Decimal(0)),
        max((_container_use(c, where, name) for c in pod_spec.get("initContainers", ())), default=Decimal(0)),
    )


def _states(container: Json, resource: str) -> bool:
    where, _, name = resource.rpartition(".")
    resources = container.get("resources") or {}
    stated = set(resources.get("limits") or {})
    return name in (stated if where == "limits" else stated | set(resources.get("requests") or {}))


def _container_use(container: Json, where: str, name: str) -> Decimal:
    resources = container.get("resources") or {}
    limit = (resources.get("limits") or {}).get(name)
    # A request that is not given takes the limit's value.
    value = limit if where == "limits" else (resources.get("requests") or {}).get(name, limit)
    return quantity(str(value)) if value is not None else Decimal(0)


def _quota_symptoms(target: str, params: QuotaParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom(
            "replicas are missing", alert="KubeDeploymentReplicasMismatch", labels={"deployment": target}
        ),
    )


QUOTA = Mechanism(
    name="resource-quota-insufficient",
    summary="A ResourceQuota is smaller than what the namespace uses, so that a replaced pod is refused.",
    parameters=QuotaParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_quota,
    symptoms=_quota_symptoms,
)

MECHANISMS = (QUOTA,)
