"""A HorizontalPodAutoscaler that asks for a utilisation which no pod can have."""

from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.plan import RestoreReplicas, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed, Requirement

_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True)
class AutoscalerParameters:
    """resource: `memory` or `cpu`; every container of the target must request it.
    utilization: the percentage of the request that pods shall use.
    max_replicas: how many replicas the workload grows to.
    name: the autoscaler's; the target's by default."""

    resource: str = "memory"
    utilization: int = 3
    max_replicas: int = 3
    name: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.resource not in _RESOURCES:
            found.append(f"resource: expected one of: {', '.join(_RESOURCES)}; found {self.resource!r}")
        if not 1 <= self.utilization <= 100:
            found.append(f"utilization: expected 1 to 100, found {self.utilization}")
        if not 2 <= self.max_replicas <= 10:
            found.append(f"max_replicas: expected 2 to 10, found {self.max_replicas}")
        return found


def _plan(target: str, params: AutoscalerParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    workload = observed.ref("Deployment", target)
    replicas = deployment["spec"].get("replicas", 1)
    if replicas >= params.max_replicas:
        raise errors.InvalidInput(
            f"params.max_replicas: expected more than Deployment/{target} has now ({replicas}), "
            f"found {params.max_replicas}"
        )
    silent = [
        container["name"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
        if not any(
            params.resource in ((container.get("resources") or {}).get(stated) or {})
            for stated in ("requests", "limits")  # a request that is not given takes the limit's value
        )
    ]
    if silent:
        raise errors.InvalidInput(
            f"params.resource: expected one that every container of Deployment/{target} requests, because "
            f"the utilisation is a share of that; found no {params.resource} for: {', '.join(silent)}"
        )
    taken = observed.all("HorizontalPodAutoscaler")
    for name, found in taken.items():
        scaled = found["spec"]["scaleTargetRef"]
        if (scaled["kind"], scaled["name"]) == ("Deployment", target):
            raise errors.InvalidInput(f"expected Deployment/{target} to have no autoscaler, found {name}")
    name = params.name or (target if target not in taken else f"{target}-hpa")
    ref = observed.ref("HorizontalPodAutoscaler", name)
    manifest: Json = {
        **created.head(ref),
        "spec": {
            "scaleTargetRef": {"apiVersion": workload.api_version, "kind": "Deployment", "name": target},
            "minReplicas": replicas,
            "maxReplicas": params.max_replicas,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": params.resource,
                        "target": {"type": "Utilization", "averageUtilization": params.utilization},
                    },
                }
            ],
        },
    }
    return Injection(
        mutations=(Create(manifest),),
        causes=(Cause(ref),),
        recover=(RestoreReplicas(workload, replicas), WaitAvailable(workload)),
    )


def _symptoms(target: str, params: AutoscalerParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("an autoscaler is at its maximum", alert="KubeHpaMaxedOut"),)


AUTOSCALER = Mechanism(
    name="horizontal-pod-autoscaler-misconfigured",
    summary="An autoscaler wants a utilisation so low that the workload grows to its maximum under any load.",
    parameters=AutoscalerParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
    requires=frozenset({Requirement.METRICS_SERVER}),
)

MECHANISMS = (AUTOSCALER,)
