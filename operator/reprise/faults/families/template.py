"""Families of faults in a Deployment's pod template."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reprise.domain.symptoms import EventSymptom
from reprise.faults.families import shop
from reprise.faults.families.environment import ENVIRONMENT
from reprise.faults.families.family import Family, Point, family

Ways = Sequence[tuple[str, Mapping[str, Any]]]
_ONE: Ways = (("", {}),)
_FLAGD_UI: Ways = (("its user interface", {"container": "flagd-ui"}),)


def points(
    alert: str, workloads: Iterable[str] = shop.WORKLOADS, ways: Ways = _ONE, notice: str | None = None
) -> Iterator[Point]:
    """Every workload in every way; what shows first is this alert."""
    for workload in workloads:
        for way, params in ways:
            yield Point(
                kind="Deployment",
                name=workload,
                hurts=workload,
                notice=notice or shop.NOTICE[workload],
                symptoms=shop.away(alert, workload),
                params=params,
                way=way,
            )


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in shop.WORKLOADS if name not in names)


def _images() -> Iterator[Point]:
    yield from points("KubeContainerWaiting")
    yield from points("KubeContainerWaiting", ["flagd"], _FLAGD_UI)
    for workload in shop.WORKLOADS:
        # A name without a registry and a repository, as somebody types it from memory.
        ways = (("only a name", {"image": f"{workload}-service:2.2.0"}),)
        yield from points("KubeContainerWaiting", [workload], ways)


def _probes(alert: str, workloads: Sequence[str], path: str) -> Iterator[Point]:
    yield from points(alert, workloads, (("a port that nobody serves", {}),))
    # NB: the image provider answers every path.
    paths = (("a path that is not there", {"path": path}),)
    yield from points(alert, [name for name in workloads if name != "image-provider"], paths)
    yield from points(alert, ["flagd"], _FLAGD_UI)


_CRASHES: Ways = (
    ("settings that are not mounted", {}),
    ("a program that is not there", {"script": "set -e; migrate --path /migrations up; echo migrated"}),
    (
        "a name that is not found",
        {"script": "set -e; getent hosts feature-store; echo feature store found"},
    ),
)
_NODES: Ways = (
    ("a label that no node has", {}),
    ("another processor", {"selector": {"kubernetes.io/arch": "s390x"}}),
    ("another operating system", {"selector": {"kubernetes.io/os": "windows"}}),
)
# An eighth of these limits would still do.
_MEMORY: Mapping[str, str] = {
    "ad": "24Mi",
    "fraud-detection": "24Mi",
    "frontend": "24Mi",
    "kafka": "128Mi",
    "recommendation": "24Mi",
}
_CPU = {"kafka": "50m"}


def _memory() -> Iterator[Point]:
    # An empty Valkey does with less memory than a container can be made with.
    for workload in _without("valkey-cart"):
        params = {"memory": _MEMORY[workload]} if workload in _MEMORY else {}
        yield from points("KubePodCrashLooping", [workload], (("memory", params),))


def _cpu() -> Iterator[Point]:
    # Valkey needs next to none, PostgreSQL makes its database with nothing else.
    for workload in _without("valkey-cart", "postgresql"):
        yield from points("CpuThrottlingHigh", [workload], (("cpu", {"cpu": _CPU.get(workload, "20m")}),))


def _apart() -> Iterator[Point]:
    for caller, callee in shop.edges():
        for one, other in ((caller, callee), (callee, caller)):
            ways = ((f"apart from {other}", {"apart_from": other}),)
            yield from points("KubePodUnschedulable", [one], ways)


def _storage() -> Iterator[Point]:
    for workload, limit in (("postgresql", "8Mi"), ("kafka", "64Ki")):
        # NB: whoever ends well when it is told to leaves no failed pod, and no alert.
        evicted = EventSymptom(f"pods of {workload} are evicted", "Evicted", "Pod", f"{workload}-")
        shows = (evicted, shop.alert("KubePodEvicted", workload, required=False), *shop.feels(workload))
        yield Point("Deployment", workload, workload, shop.NOTICE[workload], shows, {"limit": limit})


def _resolving() -> Iterator[Point]:
    for workload in shop.CALLERS:
        if workload in shop.STARTS_AFTER:  # it does not get past its init container
            yield from points("KubePodNotReady", [workload])
        else:
            yield Point(
                "Deployment",
                workload,
                workload,
                shop.NOTICE[workload],
                shop.feels(workload, required=True),
            )


_STUCK = "Users notice nothing: the new revision does not come, the old one serves."
FAMILIES: tuple[Family, ...] = (
    family("container-image-nonexistent", "an image that is not there", "easy", "roll-out image", _images()),
    family(
        "container-image-wrong-architecture",
        "an image for another processor",
        "medium",
        "roll-out image architecture",
        points("KubePodCrashLooping"),
    ),
    family(
        "container-command-invalid",
        "a program that is not there",
        "easy",
        "roll-out command",
        (*points("KubePodCrashLooping"), *points("KubePodCrashLooping", ["flagd"], _FLAGD_UI)),
    ),
    ENVIRONMENT,
    family("workload-scaled-to-zero", "no replicas", "easy", "scaling", points("DeploymentScaledToZero")),
    family(
        "readiness-probe-wrong",
        "never ready",
        "medium",
        "roll-out probe",
        _probes("KubeContainerNotReady", shop.SERVED, "/health/ready"),
    ),
    family(
        "liveness-probe-killing",
        "killed over and over",
        "medium",
        "roll-out probe",
        _probes("KubePodCrashLooping", shop.WORKLOADS, "/health/live"),
    ),
    family(
        "init-container-crashing",
        "an init container that fails",
        "medium",
        "roll-out init-container",
        points("KubePodCrashLooping", ways=_CRASHES),
    ),
    family(
        "init-container-hanging",
        "an init container that waits",
        "medium",
        "roll-out init-container",
        points("KubePodNotReady"),
    ),
    family(
        "container-resources-insufficient",
        "limits too small",
        "medium",
        "resources",
        (*_memory(), *_cpu()),
        expected_seconds=90,
    ),
    family(
        "container-limits-removed",
        "no limits any more",
        "medium",
        "resources policy",
        points(
            "KubeContainerWithoutMemoryLimit",
            shop.LIMITED,
            notice="Users notice nothing: a workload may take all memory of its node.",
        ),
    ),
    family(
        "ephemeral-storage-exceeded",
        "evicted for disk",
        "hard",
        "resources disk",
        _storage(),
        expected_seconds=120,
    ),
    family(
        "node-selector-unmatched",
        "no node suits",
        "easy",
        "scheduling",
        points("KubePodUnschedulable", ways=_NODES),
    ),
    family("pod-anti-affinity-unschedulable", "to be kept apart", "medium", "scheduling affinity", _apart()),
    family(
        "persistent-volume-claim-unbound",
        "a claim that is not bound",
        "hard",
        "scheduling storage",
        points("KubePodUnschedulable"),
    ),
    family(
        "persistent-volume-claim-missing",
        "a claim that is not there",
        "medium",
        "scheduling storage",
        points("KubePodUnschedulable"),
    ),
    family(
        "service-account-missing",
        "no ServiceAccount",
        "medium",
        "roll-out identity admission",
        points("KubeReplicaFailure"),
    ),
    family("dns-policy-default", "no Service has a name", "hard", "roll-out dns", _resolving()),
    family(
        "rollout-progress-deadline-exceeded",
        "a roll-out that is stuck",
        "medium",
        "roll-out probe deadline",
        # NB: two brokers would be of two clusters.
        (
            *points("KubeDeploymentRolloutStuck", _without("kafka"), notice=_STUCK),
            *points(
                "KubeDeploymentRolloutStuck",
                _without("kafka", "image-provider"),
                (("a path that is not there", {"path": "/health/ready"}),),
                notice=_STUCK,
            ),
        ),
        expected_seconds=150,
    ),
)
