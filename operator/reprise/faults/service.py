"""Faults in a Service: whom it selects, and which port it sends to."""

from collections.abc import Mapping
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import Patch, SetField
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed


def _selector(service: Json) -> dict[str, str]:
    selector = service["spec"].get("selector") or {}
    if not selector:
        raise errors.InvalidInput(
            f"expected Service/{service['metadata']['name']} to select pods, found no selector"
        )
    return dict(selector)


def pod_labels(observed: Observed) -> list[Mapping[str, str]]:
    """The labels of every pod template of the namespace's Deployments, and of every pod there now."""
    return [
        deployment["spec"]["template"]["metadata"].get("labels") or {}
        for deployment in observed.all("Deployment").values()
    ] + [pod["metadata"].get("labels") or {} for pod in observed.all("Pod").values()]


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether the equality selector selects something with these labels."""
    return selector.items() <= labels.items()


# -- service-selector-invalid -----------------------------------------------------------------------


@dataclass(frozen=True)
class SelectorParameters:
    """key: the label whose wanted value is changed; the selector's first by default.
    value: the value that no pod has; by default one like the present."""

    key: str | None = None
    value: str | None = None


def _plan_selector(target: str, params: SelectorParameters, seed: int, observed: Observed) -> Injection:
    selector = _selector(observed.get("Service", target))
    key = params.key or sorted(selector)[0]
    if key not in selector:
        raise errors.InvalidInput(
            f"params.key: expected one of: {', '.join(sorted(selector))}; found {params.key!r}"
        )
    current = selector[key]
    rng = seeded.chooser(seed, SELECTOR.name, target)
    value = params.value or seeded.pick(
        rng,
        [f"{current}-service", f"{current}-v2", f"{current}-server", f"{current}-app"],
        {labels.get(key, "") for labels in pod_labels(observed)},
        "label value",
    )
    if any(matches(selector | {key: value}, labels) for labels in pod_labels(observed)):
        raise errors.InvalidInput(f"params.value: expected a value that no pod has, found {value!r}")
    ref = observed.ref("Service", target)
    return Injection(
        mutations=(Patch(ref, (SetField(("spec", "selector", key), value),)),), causes=(Cause(ref),)
    )


def _selector_symptoms(target: str, params: SelectorParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("nothing behind the Service", alert="ServiceWithoutEndpoints"),)


SELECTOR = Mechanism(
    name="service-selector-invalid",
    summary="A Service selects a label that no pod carries, so that it has no endpoints.",
    parameters=SelectorParameters,
    targets=frozenset({"Service"}),
    plan=_plan_selector,
    symptoms=_selector_symptoms,
)


# -- service-target-port-wrong ----------------------------------------------------------------------


@dataclass(frozen=True)
class TargetPortParameters:
    """port: the name of the Service's port; its only one by default.
    target_port: the number to send to; by default one near the right one that no container serves."""

    port: str | None = None
    target_port: int | None = None

    def problems(self) -> list[str]:
        if self.target_port is not None and not 1 <= self.target_port <= 65535:
            return [f"target_port: expected 1 to 65535, found {self.target_port}"]
        return []


def _plan_target_port(target: str, params: TargetPortParameters, seed: int, observed: Observed) -> Injection:
    service = observed.get("Service", target)
    selector = _selector(service)
    ports = {entry.get("name", ""): entry for entry in service["spec"]["ports"]}
    name = params.port if params.port is not None else next(iter(ports)) if len(ports) == 1 else None
    if name is None or name not in ports:
        raise errors.InvalidInput(
            f"params.port: expected one of: {', '.join(sorted(ports))}; found {params.port!r}"
        )
    entry = ports[name]
    served = {
        port["containerPort"]
        for deployment in observed.all("Deployment").values()
        if matches(selector, deployment["spec"]["template"]["metadata"].get("labels") or {})
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for port in container.get("ports", ())
    }
    current = entry.get("targetPort", entry["port"])
    wrong = params.target_port or _near(current, entry["port"], served, seed, target)
    if wrong in served or wrong == current:
        raise errors.InvalidInput(
            f"params.target_port: expected a port that no container behind Service/{target} serves, "
            f"found {wrong}"
        )
    ref = observed.ref("Service", target)
    # NB: ports of a Service with one port need no name; the number is then what finds the entry.
    item = paths.Item("name", name) if name else paths.Item("port", str(entry["port"]))
    return Injection(
        mutations=(Patch(ref, (SetField(("spec", "ports", item, "targetPort"), wrong),)),),
        causes=(Cause(ref),),
    )


def _near(current: int | str, port: int, served: set[int], seed: int, target: str) -> int:
    base = current if isinstance(current, int) else port
    candidates = [str(base + step) for step in (1, 2, 8, 10, 100) if base + step <= 65535] or [str(base - 1)]
    rng = seeded.chooser(seed, TARGET_PORT.name, target)
    return int(seeded.pick(rng, candidates, {str(number) for number in served}, "port number"))


def _target_port_symptoms(target: str, params: TargetPortParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


TARGET_PORT = Mechanism(
    name="service-target-port-wrong",
    summary="A Service sends to a port on which nothing listens.",
    parameters=TargetPortParameters,
    targets=frozenset({"Service"}),
    plan=_plan_target_port,
    symptoms=_target_port_symptoms,
)

MECHANISMS = (SELECTOR, TARGET_PORT)
