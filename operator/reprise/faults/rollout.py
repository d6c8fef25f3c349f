"""A roll-out that does not get on, while the old pods serve."""

from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import SetField
from reprise.domain.plan import WaitPodsMade
from reprise.domain.symptoms import AlertSymptom, MetricSymptom, Symptom
from reprise.faults import probes, template
from reprise.faults.mechanism import Injection, Mechanism, Observed

# -- rollout-progress-deadline-exceeded -------------------------------------------------------------


@dataclass(frozen=True)
class RolloutParameters(probes.ProbeParameters):
    """container, port, path: the readiness probe that the new revision does not pass, as for
    readiness-probe-wrong.
    deadline_seconds: after how long the Deployment says that it makes no progress."""

    deadline_seconds: int = 30

    def problems(self) -> list[str]:
        found = super().problems()
        if not 10 <= self.deadline_seconds <= 3600:
            found.append(f"deadline_seconds: expected 10 to 3600, found {self.deadline_seconds}")
        return found


def _plan_rollout(target: str, params: RolloutParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        raise errors.InvalidInput(
            f"expected Deployment/{target} to roll out pod by pod, found the strategy Recreate: no old pod "
            "would keep serving"
        )
    container = template.container_name(deployment, params.container)
    probe = {
        **probes.action(ROLLOUT.name, deployment, container, params, seed),
        "periodSeconds": 5,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    }
    ref = observed.ref("Deployment", target)
    return template.template_fault(
        ref,
        observed,
        template.setting(deployment, (*template.container_path(container), "readinessProbe"), probe),
        SetField(("spec", "progressDeadlineSeconds"), params.deadline_seconds),
        # Old pods stay: users notice nothing, but whoever rolls out gets no further.
        settle=(WaitPodsMade(ref),),
    )


def _rollout_symptoms(target: str, params: RolloutParameters) -> tuple[Symptom, ...]:
    condition = f'deployment="{target}", condition="Progressing", status="false"'
    return (
        AlertSymptom(
            "the roll-out does not proceed", alert="KubeDeploymentRolloutStuck", labels={"deployment": target}
        ),
        MetricSymptom(
            "the deadline has passed",
            query=f"kube_deployment_status_condition{{namespace=$namespace, {condition}}} == 1",
            required=False,
        ),
    )


ROLLOUT = Mechanism(
    name="rollout-progress-deadline-exceeded",
    summary="A new revision never gets ready: the old pods keep serving, and the roll-out runs into its "
    "deadline.",
    parameters=RolloutParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_rollout,
    symptoms=_rollout_symptoms,
)

MECHANISMS = (ROLLOUT,)
