"""Faults by a container's probes: they ask where nothing answers."""

from dataclasses import dataclass
from typing import Any

from reprise.domain import errors
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded, service, template
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_PORT_OF_THE_PORTLESS = 8080
_STEPS = (1, 2, 8, 10, 100)


@dataclass(frozen=True)
class ProbeParameters:
    """container: whose probe; the one called like the Deployment when not given.
    port: the port that is asked; by default one near the right one that no container of the pod serves, or
    with `path` the container's first.
    path: a path to GET that the container does not serve; by default the port is only connected to."""

    container: str | None = None
    port: int | None = None
    path: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.port is not None and not 1 <= self.port <= 65535:
            found.append(f"port: expected 1 to 65535, found {self.port}")
        if self.path is not None and not self.path.startswith("/"):
            found.append(f"path: expected a path such as /healthz, found {self.path!r}")
        return found


def action(
    mechanism: str, deployment: Json, container: str, params: ProbeParameters, seed: int
) -> dict[str, Any]:
    """What a failing probe does: connect to a port that nobody serves, or GET a path that is not there."""
    target = deployment["metadata"]["name"]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    served = {port["containerPort"] for one in containers for port in one.get("ports", ())}
    own = next(one for one in containers if one["name"] == container).get("ports") or [
        {"containerPort": _PORT_OF_THE_PORTLESS}
    ]
    first = int(own[0]["containerPort"])
    if params.path is not None:
        return {"httpGet": {"path": params.path, "port": params.port or first}}
    if params.port in served:
        raise errors.InvalidInput(
            f"params.port: expected a port that no container of Deployment/{target} serves, found "
            f"{params.port}; give a path to ask at a port that is served"
        )
    near = [str(first + step) for step in _STEPS if first + step <= 65535] or [str(first - 1)]
    port = params.port or int(
        seeded.pick(seeded.chooser(seed, mechanism, target), near, {str(one) for one in served}, "port")
    )
    return {"tcpSocket": {"port": port}}


def _put(
    kind: str, mechanism: str, target: str, params: ProbeParameters, timing: dict[str, int], seed: int,
    observed: Observed,
) -> Injection:  # fmt: skip
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    container = template.container_name(deployment, params.container)
    probe = {**action(mechanism, deployment, container, params, seed), **timing}
    change = template.setting(deployment, (*template.container_path(container), kind), probe)
    return template.template_fault(observed.ref("Deployment", target), observed, change)


# -- readiness-probe-wrong --------------------------------------------------------------------------


def _plan_readiness(target: str, params: ProbeParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    if not any(
        (selector := one["spec"].get("selector")) and service.matches(selector, labels)
        for one in observed.all("Service").values()
    ):
        raise errors.InvalidInput(
            f"expected a Service that sends to Deployment/{target}, found none: nobody asks whether its pods "
            "are ready"
        )
    timing = {"periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3}
    return _put("readinessProbe", READINESS.name, target, params, timing, seed, observed)


def _readiness_symptoms(target: str, params: ProbeParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom(
            "nothing behind the Service", alert="ServiceWithoutEndpoints", labels={"service_name": target}
        ),
        AlertSymptom(
            "a container runs and is not ready",
            alert="KubeContainerNotReady",
            labels={"service_name": target},
            required=False,
        ),
    )


READINESS = Mechanism(
    name="readiness-probe-wrong",
    summary="A readiness probe asks where nothing answers, so that a pod which works gets no requests.",
    parameters=ProbeParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_readiness,
    symptoms=_readiness_symptoms,
)


# -- liveness-probe-killing -------------------------------------------------------------------------


def _plan_liveness(target: str, params: ProbeParameters, seed: int, observed: Observed) -> Injection:
    timing = {"periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 2}
    return _put("livenessProbe", LIVENESS.name, target, params, timing, seed, observed)


def _liveness_symptoms(target: str, params: ProbeParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom(
            "a container keeps ending", alert="KubePodCrashLooping", labels={"service_name": target}
        ),
    )


LIVENESS = Mechanism(
    name="liveness-probe-killing",
    summary="A liveness probe asks where nothing answers: a working container is killed again and again.",
    parameters=ProbeParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_liveness,
    symptoms=_liveness_symptoms,
)

MECHANISMS = (LIVENESS, READINESS)
