"""A Service is deleted: its name leads nowhere, while the pods that stood behind it run on."""

from dataclasses import dataclass

from reprise.domain.mutation import Delete
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults.mechanism import Cause, Injection, Mechanism, Observed


@dataclass(frozen=True)
class DeletionParameters:
    """Nothing to choose."""


def _plan(target: str, params: DeletionParameters, seed: int, observed: Observed) -> Injection:
    observed.get("Service", target)
    ref = observed.ref("Service", target)
    return Injection(mutations=(Delete(ref),), causes=(Cause(ref),))


def _symptoms(target: str, params: DeletionParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


DELETION = Mechanism(
    name="service-deleted",
    summary="A Service is deleted, so that its name is not found and its pods get no requests.",
    parameters=DeletionParameters,
    targets=frozenset({"Service"}),
    plan=_plan,
    symptoms=_symptoms,
)

MECHANISMS = (DELETION,)
