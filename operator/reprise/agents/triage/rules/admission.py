"""Pods that were never made, because admission said no: who said it is in the message."""

import re
from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.world import World, about, event_text

_QUOTA = re.compile(r"(?:exceeded|failed) quota: ([^,:\s]+)")
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'")
_ACCOUNT = re.compile(r'error looking up service account \S+: serviceaccount "([^"]+)" not found')
# The message names what is limited and how, but not the LimitRange.
_RANGE = re.compile(
    r"(maximum|minimum) ([\w./-]+) usage per (Container|Pod|PersistentVolumeClaim) is ([^,\s]+)"
)
_BOUNDS = {"maximum": "max", "minimum": "min"}


def denied(world: World) -> Iterator[Hypothesis]:
    """What a ReplicaSet's failure or a FailedCreate event names as the one who refused."""
    blamed: dict[str, tuple[str, set[str], str]] = {}
    for kind, name, message in _refusals(world):
        owner = world.owner(_named(world, kind, name))
        for rule, entity in _named_in(world, message, owner):
            blamed.setdefault(entity, (rule, set(), message))[1].add(owner[1])
    for entity, (rule, victims, message) in sorted(blamed.items()):
        yield Hypothesis(entity, rule, 0.95, message[:300], frozenset(victims))


def _named_in(world: World, message: str, owner: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """(rule, entity) for everything that the refusal is blamed on."""
    if found := _QUOTA.search(message):
        yield "quota-exceeded", world.entity("ResourceQuota", found[1])
    if found := _POLICY.search(message):
        yield "admission-policy-denies", f"ValidatingAdmissionPolicy/{found[1]}"
    if _ACCOUNT.search(message):
        yield "service-account-missing", world.entity(*owner)
    for bound, resource, kind, value in _RANGE.findall(message):
        for one in world.limit_ranges:
            if any(_states(limit, bound, resource, kind, value) for limit in one["spec"].get("limits") or ()):
                yield "limit-range-denies", world.entity("LimitRange", one["metadata"]["name"])


def _states(limit: Json, bound: str, resource: str, kind: str, value: str) -> bool:
    return limit.get("type") == kind and (limit.get(_BOUNDS[bound]) or {}).get(resource) == value


def _refusals(world: World) -> Iterator[tuple[str, str, str]]:
    """(kind, name, message) of what could not make its pods, and still cannot."""
    short = {
        rs["metadata"]["name"]
        for rs in world.replica_sets
        if rs.get("status", {}).get("replicas", 0) < rs["spec"].get("replicas", 0)
    }
    for rs in world.replica_sets:
        for condition in rs.get("status", {}).get("conditions") or ():
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                yield "ReplicaSet", rs["metadata"]["name"], str(condition.get("message", ""))
    for event in world.events:
        of = about(event)
        if event.get("reason") != "FailedCreate":
            continue
        if of.get("kind") == "ReplicaSet" and of.get("name") not in short:
            continue  # it got its pods in the end
        yield (
            str(of.get("kind")),
            str(of.get("name")),
            event_text(event),
        )


def _named(world: World, kind: str, name: str) -> dict[str, object]:
    found = next((rs for rs in world.replica_sets if rs["metadata"]["name"] == name), None)
    return {"kind": kind, **found} if found else {"kind": kind, "metadata": {"name": name}}
