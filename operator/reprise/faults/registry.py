"""All mechanisms by name, and what can be said about a scenario's faults without a cluster."""

from collections.abc import Mapping
from typing import Any

from reprise.domain import errors
from reprise.domain.scenario import Fault, Scenario
from reprise.domain.symptoms import Symptom
from reprise.faults import feature_flag, network_policy, parameters, quota, service, workload
from reprise.faults.mechanism import Injection, Mechanism, Observed, Requirement

MECHANISMS: Mapping[str, Mechanism[Any]] = {
    mechanism.name: mechanism
    for mechanism in (
        workload.ENVIRONMENT,
        workload.IMAGE,
        workload.SCALE,
        service.SELECTOR,
        service.TARGET_PORT,
        network_policy.INGRESS_BLOCK,
        quota.QUOTA,
        feature_flag.FLAG,
    )
}


def check(fault: Fault) -> tuple[str, ...]:
    """Every problem of a fault that shows without a cluster; each begins with the field it is about."""
    mechanism = MECHANISMS.get(fault.mechanism)
    if mechanism is None:
        known = ", ".join(sorted(MECHANISMS))
        return (f"mechanism: expected one of: {known}; found {fault.mechanism!r}",)
    problems: list[str] = []
    if fault.kind not in mechanism.targets:
        kinds = " or ".join(sorted(mechanism.targets))
        problems.append(f"target.kind: expected {kinds} for {mechanism.name}, found {fault.kind!r}")
    try:
        parameters.read(mechanism.parameters, fault.params)
    except errors.InvalidInput as exc:
        problems.extend(exc.problems)
    return tuple(problems)


def inject(fault: Fault, seed: int, observed: Observed) -> Injection:
    """What the fault does to this application. Raises InvalidInput (every problem) and NotFound."""
    problems = check(fault)
    if problems:
        raise errors.InvalidInput(problems)
    mechanism = MECHANISMS[fault.mechanism]
    made: Injection = mechanism.plan(
        fault.name, parameters.read(mechanism.parameters, fault.params), seed, observed
    )
    return made


def default_symptoms(fault: Fault) -> tuple[Symptom, ...]:
    """What the mechanism shows when the scenario names no symptom. Empty for an unknown mechanism."""
    mechanism = MECHANISMS.get(fault.mechanism)
    return mechanism.symptoms(fault.name) if mechanism else ()


def requirements(scenario: Scenario) -> frozenset[Requirement]:
    """What a cluster must have to host the scenario."""
    return frozenset().union(
        *(MECHANISMS[f.mechanism].requires for f in scenario.faults if f.mechanism in MECHANISMS)
    )
