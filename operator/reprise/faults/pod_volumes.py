"""Faults by a volume that a pod waits for: its claim cannot be bound, or is not there."""

import re
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import Create, Patch, SetField
from reprise.domain.plan import RetireOldReplicas
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, pod_placement, quota, seeded, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def _name_problems(field: str, name: str | None) -> list[str]:
    if name is None or _NAME.fullmatch(name):
        return []
    return [f"{field}: expected the name of an object such as cart-data, found {name!r}"]


def _claim_name(mechanism: str, target: str, name: str | None, seed: int, observed: Observed) -> str:
    claims = observed.all("PersistentVolumeClaim")
    if name in claims:
        raise errors.InvalidInput(f"params.claim: expected a claim that is not there, found {name!r}")
    rng = seeded.chooser(seed, mechanism, target)
    known = [f"{target}-data", f"data-{target}", f"{target}-storage", f"{target}-cache"]
    return name or seeded.pick(rng, known, claims, "name for a PersistentVolumeClaim")


def _mount(deployment: Json, container: str | None, claim: str) -> tuple[SetField, SetField]:
    """The template with the claim as a volume of the container."""
    name = template.container_name(deployment, container)
    spec = deployment["spec"]["template"]["spec"]
    volume = _free("data", [one["name"] for one in spec.get("volumes") or ()])
    volumes = (*template.POD_SPEC, "volumes", paths.Item("name", volume))
    mounts = (*template.container_path(name), "volumeMounts", paths.Item("name", volume))
    return (
        template.setting(
            deployment, volumes, {"name": volume, "persistentVolumeClaim": {"claimName": claim}}
        ),
        template.setting(deployment, mounts, {"name": volume, "mountPath": f"/var/lib/{claim}"}),
    )


def _free(name: str, taken: list[str]) -> str:
    """The name, with a number where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


# -- persistent-volume-claim-unbound ----------------------------------------------------------------


@dataclass(frozen=True)
class UnboundParameters:
    """claim: the PersistentVolumeClaim's name; plausible by default.
    storage_class: the StorageClass that it asks for, which must not exist; plausible by default.
    size: how much it asks for.
    container: who mounts it; the one called like the Deployment when not given."""

    claim: str | None = None
    storage_class: str | None = None
    size: str = "1Gi"
    container: str | None = None

    def problems(self) -> list[str]:
        found = _name_problems("claim", self.claim) + _name_problems("storage_class", self.storage_class)
        try:
            quota.quantity(self.size)
        except errors.InvalidInput as exc:
            found.append(f"size: {exc}")
        return found


def _plan_unbound(target: str, params: UnboundParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    claim = _claim_name(UNBOUND.name, target, params.claim, seed, observed)
    classes = observed.all("StorageClass")
    if params.storage_class in classes:
        raise errors.InvalidInput(
            f"params.storage_class: expected one that does not exist, found {params.storage_class!r}; "
            f"there are: {', '.join(sorted(classes))}"
        )
    storage_class = params.storage_class or seeded.pick(
        seeded.chooser(seed, UNBOUND.name, claim),
        ["fast-ssd", "premium-rwo", "gp3-encrypted", "nvme-local"],
        classes,
        "name of a StorageClass",
    )
    ref, workload = observed.ref("PersistentVolumeClaim", claim), observed.ref("Deployment", target)
    manifest: Json = {
        **created.head(ref),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": params.size}},
        },
    }
    return Injection(
        mutations=(Create(manifest), Patch(workload, _mount(deployment, params.container, claim))),
        # The class that does not exist is written in the claim; the Deployment names a claim that is there.
        causes=(Cause(ref),),
        settle=(RetireOldReplicas(workload),),
        recover=template.recovery(workload, observed),
    )


def _claim_symptoms(target: str) -> tuple[Symptom, ...]:
    return (
        *pod_placement.unschedulable_symptoms(target),
        AlertSymptom(
            "a claim is not bound",
            alert="KubePersistentVolumeClaimPending",
            labels={"service_name": target},
            required=False,
        ),
    )


def _unbound_symptoms(target: str, params: UnboundParameters) -> tuple[Symptom, ...]:
    return _claim_symptoms(target)


UNBOUND = Mechanism(
    name="persistent-volume-claim-unbound",
    summary="A pod mounts a new PersistentVolumeClaim of a StorageClass that does not exist, so that it is "
    "never bound.",
    parameters=UnboundParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_unbound,
    symptoms=_unbound_symptoms,
)


# -- persistent-volume-claim-missing ----------------------------------------------------------------


@dataclass(frozen=True)
class MissingParameters:
    """claim: the PersistentVolumeClaim that is mounted and not there; plausible by default.
    container: who mounts it; the one called like the Deployment when not given."""

    claim: str | None = None
    container: str | None = None

    def problems(self) -> list[str]:
        return _name_problems("claim", self.claim)


def _plan_missing(target: str, params: MissingParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    claim = _claim_name(MISSING.name, target, params.claim, seed, observed)
    changes = _mount(deployment, params.container, claim)
    return template.template_fault(observed.ref("Deployment", target), observed, *changes)


def _missing_symptoms(target: str, params: MissingParameters) -> tuple[Symptom, ...]:
    return _claim_symptoms(target)


MISSING = Mechanism(
    name="persistent-volume-claim-missing",
    summary="A pod mounts a PersistentVolumeClaim that does not exist, so that it cannot be scheduled.",
    parameters=MissingParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_missing,
    symptoms=_missing_symptoms,
)

MECHANISMS = (MISSING, UNBOUND)
