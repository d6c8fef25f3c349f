"""Addresses in environment variables: who calls whom, and who calls nobody."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.rules import changes
from reprise.agents.triage.world import World, containers, template

# host:port, perhaps within a URL or a `key=host:port` list
_ADDRESS = re.compile(
    r"(?:^|[=;,@/\s])(?P<host>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*):(?P<port>\d{1,5})(?=$|[/;,\s?])"
)
_REFERENCE = re.compile(r"\$\((\w+)\)")
_LOCAL = frozenset({"localhost"})
# A host that many workloads share and nobody serves was never there: not what broke today.
_SHARED = 3


class Address(NamedTuple):
    """One `host:port` in one variable of one workload."""

    workload: Json
    variable: str
    host: str
    port: int


def addresses(world: World) -> Iterator[Address]:
    """Every address in every workload's environment, `$(OTHER)` references put in."""
    for workload in world.workloads:
        for container in containers(template(workload)):
            values = {env["name"]: env["value"] for env in container.get("env") or () if "value" in env}
            for name, value in values.items():
                text = _REFERENCE.sub(lambda m, v=values: v.get(m[1], m[0]), value)  # type: ignore[misc]
                for found in _ADDRESS.finditer(text):
                    yield Address(workload, name, found["host"], int(found["port"]))


def service_of(world: World, host: str) -> Json | None:
    """The Service of the application's namespace that a host names."""
    name, _, rest = host.partition(".")
    if rest and rest.split(".")[0] != world.namespace:
        return None
    return next((s for s in world.services if s["metadata"]["name"] == name), None)


def _key(workload: Json) -> tuple[str, str]:
    return workload["kind"], workload["metadata"]["name"]


def dependencies(world: World) -> Iterator[tuple[Json, Json, Json]]:
    """(caller, callee, Service) for every workload that is told a Service's name: environment, arguments."""
    names = {service["metadata"]["name"]: service for service in world.services}
    told_by: dict[tuple[str, str], set[str]] = {}
    for address in addresses(world):
        told_by.setdefault(_key(address.workload), set()).add(address.host.partition(".")[0])
    for caller in world.workloads:
        told = told_by.get(_key(caller), set())
        for container in containers(template(caller)):
            # `FRONTEND_HOST=frontend`: a host on its own
            told |= {env.get("value", "") for env in container.get("env") or ()}
            told |= {*(container.get("command") or ()), *(container.get("args") or ())}
        for name in sorted(told & set(names)):
            for callee in world.selected_workloads(names[name]):
                if callee["metadata"]["name"] != caller["metadata"]["name"]:
                    yield caller, callee, names[name]


def callers(world: World) -> dict[str, set[str]]:
    """workload -> the workloads that are configured to call it, by name."""
    found: dict[str, set[str]] = {}
    for caller, callee, _ in dependencies(world):
        found.setdefault(callee["metadata"]["name"], set()).add(caller["metadata"]["name"])
    return found


def _serves(service: Json, port: int) -> bool:
    """A Service without ports (ExternalName) forwards them all."""
    ports = {one["port"] for one in service["spec"].get("ports") or ()}
    return not ports or port in ports


def _changed(world: World, address: Address) -> bool:
    """Whether the last roll-out, within the window, changed this variable."""
    if address.workload["kind"] != "Deployment":
        return False
    changed = changes.recent_differences(world, address.workload)
    return any(what.startswith(f"env {address.variable} of ") for what in changed)


def points_nowhere(world: World) -> Iterator[Hypothesis]:
    """An address whose Service does not exist, or has no such port.

    Who is wrong: the caller whose address was changed lately; else the Service, when a workload of that name
    is there or several callers agree on the port; else the caller.
    """
    found = [address for address in addresses(world) if not _elsewhere(address.host)]
    users = Counter(host for _, host in {(_key(a.workload), a.host) for a in found})
    agreed = Counter((host, port) for _, host, port in {(_key(a.workload), a.host, a.port) for a in found})
    workloads = {workload["metadata"]["name"] for workload in world.workloads}
    for address in found:
        service = service_of(world, address.host)
        if service is None and "." in address.host:
            continue  # another namespace's or the world's: not visible from here
        name = address.workload["metadata"]["name"]
        entity, affects = world.entity(address.workload["kind"], name), name
        if service is None:
            why, confidence = f"no Service is called {address.host}", 0.9
        elif not _serves(service, address.port):
            why, confidence = f"Service {address.host} has no port {address.port}", 0.88
        else:
            continue
        agreeing = agreed[address.host, address.port] > 1
        if _changed(world, address):
            confidence = 0.95
            why += ", and it was changed lately"
        elif (service is None and address.host in workloads) or (service is not None and agreeing):
            entity, affects = world.entity("Service", address.host), address.host
        elif users[address.host] >= _SHARED:
            confidence = 0.3
        yield Hypothesis(
            entity,
            "points-nowhere",
            confidence,
            f"{address.variable} of {name} is {address.host}:{address.port}, but {why}",
            frozenset({affects}),
        )


def _elsewhere(host: str) -> bool:
    """Not a name that this cluster would have to know."""
    return host in _LOCAL or re.fullmatch(r"[\d.]+", host) is not None
