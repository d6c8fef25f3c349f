"""Pods and containers that end, and that run out of CPU or time: PodChaos, StressChaos, TimeChaos."""

import re
from dataclasses import dataclass

from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Symptom
from reprise.faults import template
from reprise.faults.chaos_experiment import Lasting, Momentary, calls_fail, inject
from reprise.faults.mechanism import Injection, Mechanism, Observed, Requirement

_TARGETS = frozenset({"Deployment"})
_NEEDS = frozenset({Requirement.CHAOS_MESH})


# -- pod-chaos-* ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KillParameters(Momentary):
    """schedule: when pods are killed again. grace_seconds: what they get to end; 0 is at once."""

    grace_seconds: int = 0

    def problems(self) -> list[str]:
        wrong = [] if self.grace_seconds >= 0 else ["grace_seconds: expected 0 or more, found less"]
        return super().problems() + wrong


def _grace(seconds: int) -> dict[str, int]:
    """NB: Chaos Mesh writes its objects anew without fields that are 0; saying 0 would look like a change."""
    return {"gracePeriod": seconds} if seconds else {}


def _plan_kill(target: str, params: KillParameters, seed: int, observed: Observed) -> Injection:
    spec = {"action": "pod-kill", **_grace(params.grace_seconds)}
    return inject(POD_KILL.name, "PodChaos", target, params, seed, observed, spec)


def _kill_symptoms(target: str, params: KillParameters) -> tuple[Symptom, ...]:
    return (EventSymptom("a pod is ended", reason="Killing", kind="Pod", name_prefix=f"{target}-"),)


POD_KILL = Mechanism(
    name="pod-chaos-pod-kill",
    summary="All pods of a Deployment are killed; by a schedule, again and again.",
    parameters=KillParameters,
    targets=_TARGETS,
    plan=_plan_kill,
    symptoms=_kill_symptoms,
    requires=_NEEDS,
)


@dataclass(frozen=True, kw_only=True)
class FailureParameters(Lasting):
    """Nothing to choose but when."""


def _plan_failure(target: str, params: FailureParameters, seed: int, observed: Observed) -> Injection:
    return inject(POD_FAILURE.name, "PodChaos", target, params, seed, observed, {"action": "pod-failure"})


POD_FAILURE = Mechanism(
    name="pod-chaos-pod-failure",
    summary="The containers of all pods of a Deployment run a program that does nothing.",
    parameters=FailureParameters,
    targets=_TARGETS,
    plan=_plan_failure,
    symptoms=calls_fail,
    requires=_NEEDS,
)


@dataclass(frozen=True, kw_only=True)
class ContainerKillParameters(Momentary):
    """schedule: when the container is killed again. container: which; the one called like the Deployment when
    not given. grace_seconds: what it gets to end."""

    container: str | None = None
    grace_seconds: int = 0


def _plan_container(target: str, params: ContainerKillParameters, seed: int, observed: Observed) -> Injection:
    container = template.container_name(observed.get("Deployment", target), params.container)
    spec = {
        "action": "container-kill",
        "containerNames": [container],
        **_grace(params.grace_seconds),
    }
    return inject(CONTAINER_KILL.name, "PodChaos", target, params, seed, observed, spec)


def _restart_symptoms(target: str, params: ContainerKillParameters) -> tuple[Symptom, ...]:
    if params.schedule is not None:
        return (AlertSymptom("a container keeps ending", alert="KubePodCrashLooping"),)
    restarts = f'kube_pod_container_status_restarts_total{{namespace=$namespace,pod=~"{target}-.*"}}'
    return (MetricSymptom("a container was restarted", query=f"increase({restarts}[1m]) > 0"),)


CONTAINER_KILL = Mechanism(
    name="pod-chaos-container-kill",
    summary="A container of all pods of a Deployment is killed; by a schedule, again and again.",
    parameters=ContainerKillParameters,
    targets=_TARGETS,
    plan=_plan_container,
    symptoms=_restart_symptoms,
    requires=_NEEDS,
)


# -- stress-chaos-* ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CpuParameters(Lasting):
    """workers: processes that calculate without end. load: per cent of a core that each takes."""

    workers: int = 2
    load: int = 100
    container: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if self.workers < 1:
            found.append(f"workers: expected 1 or more, found {self.workers}")
        if not 1 <= self.load <= 100:
            found.append(f"load: expected 1 to 100, found {self.load}")
        return found


def _plan_cpu(target: str, params: CpuParameters, seed: int, observed: Observed) -> Injection:
    container = template.container_name(observed.get("Deployment", target), params.container)
    spec = {
        "containerNames": [container],
        "stressors": {"cpu": {"workers": params.workers, "load": params.load}},
    }
    return inject(STRESS_CPU.name, "StressChaos", target, params, seed, observed, spec)


def _cpu_symptoms(target: str, params: CpuParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("it uses far more CPU", alert="HighCpuUsage", labels={"service_name": target}),)


STRESS_CPU = Mechanism(
    name="stress-chaos-cpu",
    summary="Processes in a container calculate without end, and take its CPU.",
    parameters=CpuParameters,
    targets=_TARGETS,
    plan=_plan_cpu,
    symptoms=_cpu_symptoms,
    requires=_NEEDS,
)


# -- time-chaos-skew --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TimeParameters(Lasting):
    """offset: by how much the clock of the container's processes is wrong, such as -2h or 10m."""

    offset: str = "-2h"
    container: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if not re.fullmatch(r"[-+]?(\d+(ms|s|m|h))+", self.offset):
            found.append(f"offset: expected a duration such as -2h, found {self.offset!r}")
        return found


def _plan_time(target: str, params: TimeParameters, seed: int, observed: Observed) -> Injection:
    container = template.container_name(observed.get("Deployment", target), params.container)
    spec = {"containerNames": [container], "timeOffset": params.offset, "clockIds": ["CLOCK_REALTIME"]}
    return inject(TIME_SKEW.name, "TimeChaos", target, params, seed, observed, spec)


TIME_SKEW = Mechanism(
    name="time-chaos-skew",
    summary="The processes of a container see a wrong time.",
    parameters=TimeParameters,
    targets=_TARGETS,
    plan=_plan_time,
    symptoms=calls_fail,
    requires=_NEEDS,
)

MECHANISMS = (CONTAINER_KILL, POD_FAILURE, POD_KILL, STRESS_CPU, TIME_SKEW)
