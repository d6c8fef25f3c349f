"""Faults by what a container may use: too little memory, CPU or disk, or no limit at all."""

from dataclasses import dataclass
from typing import Any

from reprise.domain import errors, paths
from reprise.domain.mutation import SetField
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import quota, template
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_MEBI = 2**20
_SHARE = 8  # of the present limit; interpreters and databases need more than that to start
_SMALLEST_MIB = 8  # below that the container cannot even be made
_WITHOUT_LIMIT = "12Mi"


def _target(target: str, container: str | None, observed: Observed) -> tuple[Json, paths.Path]:
    """The Deployment, and where the resources of its container are."""
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    name = template.container_name(deployment, container)
    return deployment, (*template.container_path(name), "resources")


def _quantity_problems(field: str, text: str | None) -> list[str]:
    if text is None:
        return []
    try:
        value = quota.quantity(text)
    except errors.InvalidInput as exc:
        return [f"{field}: {exc}"]
    return [] if value else [f"{field}: expected more than nothing, found {text!r}"]


def _limit(deployment: Json, resources: paths.Path, resource: str, value: str) -> list[SetField]:
    """The new limit; a request that is stated must come down with it, for it may not exceed the limit."""
    target = deployment["metadata"]["name"]
    present = paths.get(deployment, (*resources, "limits", resource))
    if present is not paths.ABSENT and quota.quantity(value) >= quota.quantity(str(present)):
        raise errors.InvalidInput(
            f"params: expected less {resource} than the present limit of Deployment/{target}, {present}; "
            f"found {value}"
        )
    changes = [template.setting(deployment, (*resources, "limits", resource), value)]
    request = paths.get(deployment, (*resources, "requests", resource))
    if request is not paths.ABSENT and quota.quantity(str(request)) > quota.quantity(value):
        changes.append(SetField((*resources, "requests", resource), value))
    return changes


# -- container-resources-insufficient ---------------------------------------------------------------


@dataclass(frozen=True)
class ResourcesParameters:
    """container: whose; the one called like the Deployment when not given.
    memory: the new limit; an eighth of the present one when neither it nor `cpu` is given, but at least 8Mi,
    with less than which the container cannot even be made.
    cpu: the new limit; not touched when not given."""

    container: str | None = None
    memory: str | None = None
    cpu: str | None = None

    def problems(self) -> list[str]:
        return _quantity_problems("memory", self.memory) + _quantity_problems("cpu", self.cpu)


def _plan_resources(target: str, params: ResourcesParameters, seed: int, observed: Observed) -> Injection:
    deployment, resources = _target(target, params.container, observed)
    wanted = {"memory": params.memory, "cpu": params.cpu}
    if params.memory is None and params.cpu is None:
        wanted["memory"] = _too_little(paths.get(deployment, (*resources, "limits", "memory")))
    given = {resource: value for resource, value in wanted.items() if value is not None}
    changes: list[SetField] = []
    tried: Any = deployment
    for resource, value in given.items():
        changes += _limit(tried, resources, resource, value)
        tried = paths.put(tried, changes[-1].path, changes[-1].value)
    return template.template_fault(observed.ref("Deployment", target), observed, *changes)


def _too_little(limit: object) -> str:
    if limit is paths.ABSENT:
        return _WITHOUT_LIMIT
    return f"{max(_SMALLEST_MIB, int(quota.quantity(str(limit)) / _MEBI / _SHARE))}Mi"


def _resources_symptoms(target: str, params: ResourcesParameters) -> tuple[Symptom, ...]:
    labels = {"service_name": target}
    if params.cpu is not None and params.memory is None:
        return (AlertSymptom("a container is throttled", alert="CpuThrottlingHigh", labels=labels),)
    return (
        AlertSymptom("a container keeps ending", alert="KubePodCrashLooping", labels=labels),
        AlertSymptom(
            "a container is killed for memory", alert="KubeContainerOomKilled", labels=labels, required=False
        ),
    )


RESOURCES = Mechanism(
    name="container-resources-insufficient",
    summary="A container's limits are smaller than what it needs: it is killed for memory, or hardly runs.",
    parameters=ResourcesParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_resources,
    symptoms=_resources_symptoms,
)


# -- container-limits-removed -----------------------------------------------------------------------


@dataclass(frozen=True)
class LimitsParameters:
    """container: whose limits; the one called like the Deployment when not given."""

    container: str | None = None


def _plan_limits(target: str, params: LimitsParameters, seed: int, observed: Observed) -> Injection:
    deployment, resources = _target(target, params.container, observed)
    limits = (*resources, "limits")
    if not paths.get(deployment, limits) or paths.get(deployment, limits) is paths.ABSENT:
        raise errors.InvalidInput(
            f"expected limits on the container of Deployment/{target}, found none to remove"
        )
    return template.template_fault(
        observed.ref("Deployment", target), observed, SetField(limits, paths.ABSENT)
    )


def _limits_symptoms(target: str, params: LimitsParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom(
            "a container lost its memory limit",
            alert="KubeContainerWithoutMemoryLimit",
            labels={"service_name": target},
        ),
    )


LIMITS = Mechanism(
    name="container-limits-removed",
    summary="A container's limits are gone, so that it may take all of its node.",
    parameters=LimitsParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_limits,
    symptoms=_limits_symptoms,
)


# -- ephemeral-storage-exceeded ---------------------------------------------------------------------


@dataclass(frozen=True)
class StorageParameters:
    """limit: the container's limit of ephemeral storage: what it writes beside its volumes, and its log.
    container: whose; the one called like the Deployment when not given."""

    limit: str = "4Mi"
    container: str | None = None

    def problems(self) -> list[str]:
        return _quantity_problems("limit", self.limit)


def _plan_storage(target: str, params: StorageParameters, seed: int, observed: Observed) -> Injection:
    deployment, resources = _target(target, params.container, observed)
    changes = _limit(deployment, resources, "ephemeral-storage", params.limit)
    return template.template_fault(observed.ref("Deployment", target), observed, *changes)


def _storage_symptoms(target: str, params: StorageParameters) -> tuple[Symptom, ...]:
    # NB: a program that ends well when it is told to leaves its evicted pod as succeeded; no alert tells.
    return (
        EventSymptom("a pod is evicted", reason="Evicted", kind="Pod", name_prefix=f"{target}-"),
        AlertSymptom(
            "a pod was evicted", alert="KubePodEvicted", labels={"service_name": target}, required=False
        ),
    )


STORAGE = Mechanism(
    name="ephemeral-storage-exceeded",
    summary="A container writes more than its limit of ephemeral storage, so that its pod is evicted again "
    "and again.",
    parameters=StorageParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_storage,
    symptoms=_storage_symptoms,
)

MECHANISMS = (LIMITS, RESOURCES, STORAGE)
