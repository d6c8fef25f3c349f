"""Families of faults that are felt outside of the application's namespace. Such a run is alone."""

from collections.abc import Iterator

from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family
from reprise.faults.families.template import Ways, points


def _names() -> Iterator[Point]:
    for name in shop.CALLED:
        for how in ("rewrite", "template", "forward"):
            shows = shop.feels(name, required=True)
            yield Point("Service", name, name, shop.NOTICE[name], shows, {"how": how}, how)


_DEMANDS = tuple((demand, {"demand": demand}) for demand in ("cpu", "digest", "non-root", "owner-label"))
_BUDGETS: Ways = (("maxUnavailable", {}), ("minAvailable", {"demand": "minAvailable"}))
_DRAIN = "Users notice nothing: the drain of a node does not end."
FAMILIES: tuple[Family, ...] = (
    family(
        "coredns-misconfigured", "a name that is not resolved", "hard", "names cluster", _names(), alone=True
    ),
    family(
        "node-cordoned",
        "no open node",
        "easy",
        "scheduling nodes",
        points("KubePodUnschedulable"),
        alone=True,
    ),
    family(
        "node-tainted",
        "no node without a taint",
        "medium",
        "scheduling nodes",
        points("KubePodUnschedulable"),
        alone=True,
    ),
    family(
        "pod-preempted",
        "place taken by priority",
        "hard",
        "scheduling priority",
        points("KubePodUnschedulable"),
        alone=True,
    ),
    family(
        "admission-policy-rejecting",
        "not admitted",
        "medium",
        "policy admission",
        points("KubeReplicaFailure", ways=_DEMANDS),
        alone=True,
    ),
    family(
        "pod-disruption-budget-blocking",
        "a drain that does not end",
        "medium",
        "scheduling policy",
        points("KubePdbDisruptionBlocked", ways=_BUDGETS, notice=_DRAIN),
        alone=True,
        expected_seconds=75,
    ),
)
