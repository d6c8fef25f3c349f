"""Families of faults in objects beside a workload: its Service, policies, quotas, an autoscaler."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family
from reprise.faults.families.template import points


def _unreached(
    kind: str, workloads: Iterable[str] = shop.CALLED, params: Mapping[str, Any] | None = None, way: str = ""
) -> Iterator[Point]:
    """Workloads that run and that nobody reaches, or that reach nobody: those who need them tell."""
    for name in workloads:
        shows = shop.feels(name, required=True)
        yield Point(kind, name, name, shop.NOTICE[name], shows, params or {}, way)


def _selectors() -> Iterator[Point]:
    for name in shop.SERVED:
        shows = (shop.alert("ServiceWithoutEndpoints", name), *shop.feels(name))
        yield Point("Service", name, name, shop.NOTICE[name], shows)


def _target_ports() -> Iterator[Point]:
    for name in shop.CALLED:
        params = {"port": "plaintext"} if name == "kafka" else {}
        yield from _unreached("Service", [name], params)


def _egress() -> Iterator[Point]:
    yield from _unreached("Deployment", shop.CALLERS, {"dns": True}, "calls time out")
    yield from _unreached("Deployment", shop.CALLERS, {"dns": False}, "no name is found")


def _quotas() -> Iterator[Point]:
    yield from points("KubeReplicaFailure", ways=(("pods", {"hard": {"pods": "14"}}),))
    for resource in ("limits.memory", "requests.memory"):
        ways = ((resource, {"hard": {resource: "2Gi"}}),)
        yield from points("KubeReplicaFailure", shop.LIMITED_ALL, ways)


# A second broker or database would be another one, with other data.
_GROWING = tuple(name for name in shop.LIMITED if name not in ("kafka", "postgresql"))
_GROWS = "Users notice nothing yet: a workload takes far more replicas than it needs."
FAMILIES: tuple[Family, ...] = (
    family(
        "service-selector-invalid", "a Service without endpoints", "medium", "network service", _selectors()
    ),
    family(
        "service-target-port-wrong",
        "a Service with a wrong port",
        "medium",
        "network service",
        _target_ports(),
    ),
    family("service-deleted", "no Service", "medium", "service names", _unreached("Service")),
    family(
        "network-policy-ingress-block",
        "reached by nobody",
        "medium",
        "network policy",
        _unreached("Deployment"),
    ),
    family("network-policy-egress-block", "reaches nobody", "hard", "network policy", _egress()),
    family(
        "resource-quota-insufficient",
        "refused by a quota",
        "medium",
        "scheduling policy quota",
        _quotas(),
        alone=True,
    ),
    family(
        "limit-range-rejecting",
        "refused by a LimitRange",
        "medium",
        "policy resources",
        points("KubeReplicaFailure", shop.LIMITED),
        alone=True,
    ),
    family(
        "horizontal-pod-autoscaler-misconfigured",
        "grows without need",
        "medium",
        "autoscaling resources",
        points("KubeHpaMaxedOut", _GROWING, notice=_GROWS),
        expected_seconds=120,
    ),
)
