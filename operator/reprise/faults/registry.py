"""All mechanisms by name, and what can be said about a scenario's faults without a cluster."""

from collections.abc import Collection, Mapping
from typing import Any

from reprise.domain import errors
from reprise.domain.scenario import Fault, Scenario
from reprise.domain.symptoms import Symptom
from reprise.faults import (
    admission,
    autoscaling,
    chaos,
    configuration,
    container_resources,
    container_start,
    coredns,
    credentials,
    deletion,
    disruption,
    feature_flag,
    harmless,
    harmless_objects,
    init_container,
    istio,
    kafka,
    limits,
    network_policy,
    nodes,
    parameters,
    pod_identity,
    pod_placement,
    pod_volumes,
    postgresql,
    postgresql_client,
    preemption,
    probes,
    quota,
    rollout,
    service,
    surge,
    valkey,
    workload,
)
from reprise.faults.mechanism import Injection, Mechanism, Observed, Requirement

_FAMILIES = (
    workload,
    service,
    network_policy,
    quota,
    feature_flag,
    valkey,
    kafka,
    postgresql,
    postgresql_client,
    harmless,
    harmless_objects,
    init_container,
    container_resources,
    container_start,
    probes,
    pod_placement,
    pod_volumes,
    pod_identity,
    rollout,
    admission,
    autoscaling,
    configuration,
    coredns,
    credentials,
    deletion,
    disruption,
    istio,
    limits,
    nodes,
    preemption,
    surge,
    chaos,
)
MECHANISMS: Mapping[str, Mechanism[Any]] = {
    mechanism.name: mechanism for family in _FAMILIES for mechanism in family.MECHANISMS
}


def check(fault: Fault, *, decoy: bool = False) -> tuple[str, ...]:
    """Every problem of a fault (or decoy) that shows without a cluster; each begins with its field."""
    mechanism = MECHANISMS.get(fault.mechanism)
    known = ", ".join(sorted(name for name, one in MECHANISMS.items() if one.harmless is decoy))
    if mechanism is None:
        return (f"mechanism: expected one of: {known}; found {fault.mechanism!r}",)
    problems: list[str] = []
    if mechanism.harmless is not decoy:
        problems.append(
            f"mechanism: expected {'a harmless one for a decoy' if decoy else 'one that breaks something'}, "
            f"one of: {known}; found {fault.mechanism!r}"
        )
    if fault.kind not in mechanism.targets:
        kinds = " or ".join(sorted(mechanism.targets))
        problems.append(f"target.kind: expected {kinds} for {mechanism.name}, found {fault.kind!r}")
    try:
        parameters.read(mechanism.parameters, fault.params)
    except errors.InvalidInput as exc:
        problems.extend(exc.problems)
    return tuple(problems)


def check_names(names: Collection[str]) -> None:
    """Raises InvalidInput when one of the names is no mechanism's."""
    if unknown := sorted(set(names) - set(MECHANISMS)):
        raise errors.InvalidInput(
            f"expected some of: {', '.join(sorted(MECHANISMS))}; found {', '.join(unknown)}"
        )


def inject(fault: Fault, seed: int, observed: Observed) -> Injection:
    """What the fault or decoy does to this application.

    Raises InvalidInput (every problem), NotFound, and Unsupported where this application lacks what it needs.
    """
    mechanism = MECHANISMS.get(fault.mechanism)
    problems = check(fault, decoy=mechanism is not None and mechanism.harmless)
    if problems or mechanism is None:
        raise errors.InvalidInput(problems)
    made: Injection = mechanism.plan(
        fault.name, parameters.read(mechanism.parameters, fault.params), seed, observed
    )
    return made


def default_symptoms(fault: Fault) -> tuple[Symptom, ...]:
    """What the mechanism shows when the scenario names no symptom. Empty for one that cannot be planned."""
    mechanism = MECHANISMS.get(fault.mechanism)
    if mechanism is None:
        return ()
    try:
        params = parameters.read(mechanism.parameters, fault.params)
    except errors.InvalidInput:
        return ()
    return mechanism.symptoms(fault.name, params)


def requirements(scenario: Scenario) -> frozenset[Requirement]:
    """What a cluster must have to host the scenario."""
    return frozenset().union(*(mechanism.requires for mechanism in _used(scenario)))


def cluster_wide(scenario: Scenario) -> bool:
    """Whether what the scenario changes is felt outside of the application's namespace."""
    return any(mechanism.cluster_wide for mechanism in _used(scenario))


def _used(scenario: Scenario) -> list[Mechanism[Any]]:
    return [
        MECHANISMS[f.mechanism] for f in (*scenario.faults, *scenario.decoys) if f.mechanism in MECHANISMS
    ]
