"""Services that lead nowhere."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.rules.pods import declared_ports
from reprise.agents.triage.world import World, template_labels


def selects_nothing(world: World) -> Iterator[Hypothesis]:
    """No pod and no workload has the labels. Where a workload selects almost so, the Service is wrong."""
    for service in world.services:
        spec, name = service.get("spec", {}), service["metadata"]["name"]
        selector = spec.get("selector") or {}
        if not selector or spec.get("type") == "ExternalName" or world.selected_workloads(service):
            continue
        if any(selector.items() <= (pod["metadata"].get("labels") or {}).items() for pod in world.pods):
            continue
        alike = [w for w in world.workloads if _alike(service, w)]
        yield Hypothesis(
            world.entity("Service", name),
            "selects-nothing",
            0.93 if alike else 0.65,
            f"selector {selector} matches no pod and no workload"
            + (f", though {alike[0]['kind']} {alike[0]['metadata']['name']} seems meant" if alike else ""),
            frozenset({name}),
        )


def _alike(service: Json, workload: Json) -> bool:
    """The same name, or a label value that the Service's own labels share."""
    name = service["metadata"]["name"]
    return name == workload["metadata"]["name"] or name in template_labels(workload).values()


def wrong_target_port(world: World) -> Iterator[Hypothesis]:
    """The port that a Service sends to is none that its pods declare."""
    for service in world.services:
        for workload in world.selected_workloads(service):
            declared = declared_ports(workload)
            if not declared:
                continue  # ports need not be declared; then nothing can be said
            for port in service["spec"].get("ports") or ():
                target = port.get("targetPort", port["port"])
                good = target in declared if isinstance(target, str) else target in declared.values()
                if not good:
                    yield Hypothesis(
                        world.entity("Service", service["metadata"]["name"]),
                        "wrong-target-port",
                        0.9,
                        f"targetPort {target} is none of {sorted(declared.values())} that "
                        f"{workload['kind']} {workload['metadata']['name']} declares",
                        frozenset({workload["metadata"]["name"]}),
                    )
