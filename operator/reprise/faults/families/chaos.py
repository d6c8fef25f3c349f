"""Families of Chaos Mesh's experiments and of a service mesh."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reprise.domain.symptoms import EventSymptom, Symptom
from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family
from reprise.faults.families.template import points

_HTTP = ("email", "frontend", "frontend-proxy", "image-provider", "llm", "quote", "shipping")


def _shown(
    workloads: Iterable[str],
    shows: Mapping[str, tuple[Symptom, ...]],
    params: Mapping[str, Any],
    way: str = "",
) -> Iterator[Point]:
    for name in workloads:
        yield Point("Deployment", name, name, shop.NOTICE[name], shows[name], params, way)


_FELT = {name: shop.feels(name, required=True) for name in shop.WORKLOADS if name != "flagd"}
_LATE = {name: (shop.alert("HighRequestLatency", shop.CALLER[name]),) for name in shop.CALLED}


def _kills() -> Iterator[Point]:
    for name in shop.WORKLOADS:
        killed = EventSymptom(f"pods of {name} are ended", "Killing", "Pod", f"{name}-")
        shows = {name: (killed, *shop.feels(name))}
        yield from _shown([name], shows, {"schedule": "@every 12s"}, "again and again")


def _partitions() -> Iterator[Point]:
    yield from _shown(_FELT, _FELT, {}, "from everybody")
    for caller, callee in shop.edges():
        shows = {caller: shop.cut(caller, callee)}
        yield from _shown([caller], shows, {"peer": callee}, f"from {callee}")


def _shaped(params: Mapping[str, Any]) -> Iterator[Point]:
    """Slow or lossy packets: of everything that a callee sends, or of what one caller asks one callee."""
    # The load generator stands for users, and users are not measured.
    named = [name for name in shop.CALLED if shop.CALLER[name] != "load-generator"]
    yield from _shown(named, _LATE, params, "to everybody")
    for caller, callee in shop.edges():
        if caller not in shop.CONSUMERS:
            shows = {caller: (shop.alert("HighRequestLatency", caller),)}
            yield from _shown([caller], shows, {**params, "peer": callee}, f"to {callee}")


def _names(mechanism_params: Mapping[str, Any]) -> Iterator[Point]:
    yield from _shown(shop.CALLERS, _FELT, mechanism_params, "every name")


def _one_name() -> Iterator[Point]:
    for caller, callee in shop.edges():
        shows = {caller: shop.cut(caller, callee)}
        yield from _shown([caller], shows, {"pattern": f"{callee}*"}, f"the name {callee}")


_CLOCK = {"payment": (shop.alert("HighRequestErrorRate", "checkout"),)}
_POSTGRESQL = {"postgresql": (shop.alert("HighRequestErrorRate", "product-catalog"),)}
_SLOW_DISK = {"postgresql": (shop.alert("HighRequestLatency", "product-catalog"),)}
_AD_FAILS = {"ad": (shop.alert("HighRequestErrorRate", "ad"),)}
_AD_SLOW = {"ad": (shop.alert("HighRequestLatency", "ad"),)}
_METHOD = {"class_name": "oteldemo.AdService", "method": "getAdsByCategory"}
_DATA = {"volume_path": "/var/lib/postgresql/data"}
# A share of a core that no service of the shop takes by itself, and that leaves something for the others.
_LOAD = {"workers": 1, "load": 60}
FAMILIES: tuple[Family, ...] = (
    family(
        "pod-chaos-pod-failure",
        "a process that does nothing",
        "medium",
        "chaos-mesh pod",
        _shown(_FELT, _FELT, {}),
    ),
    family("pod-chaos-pod-kill", "pods that are ended", "medium", "chaos-mesh pod flapping", _kills()),
    family(
        "pod-chaos-container-kill",
        "containers that are ended",
        "easy",
        "chaos-mesh container flapping",
        points("KubePodCrashLooping", ways=(("again and again", {"schedule": "@every 20s"}),)),
        expected_seconds=90,
    ),
    family("network-chaos-partition", "cut off", "medium", "chaos-mesh network", _partitions()),
    family(
        "stress-chaos-cpu",
        "a processor taken",
        "medium",
        "chaos-mesh cpu",
        points("HighCpuUsage", ways=(("", _LOAD),)),
        expected_seconds=120,
    ),
    family(
        "stress-chaos-memory",
        "memory taken",
        "medium",
        "chaos-mesh memory",
        # Kafka's limit is a large part of a small node's memory.
        points("ContainerMemoryNearLimit", [n for n in shop.LIMITED if n != "kafka"]),
        expected_seconds=90,
    ),
    family(
        "time-chaos-skew",
        "another year",
        "hard",
        "chaos-mesh time",
        _shown(_CLOCK, _CLOCK, {"offset": "131400h"}),
    ),
    family(
        "network-chaos-delay",
        "a slow line",
        "medium",
        "chaos-mesh network latency",
        _shaped({"latency": "2s"}),
    ),
    family(
        "network-chaos-loss",
        "a line that loses packets",
        "hard",
        "chaos-mesh network latency",
        _shaped({"percent": 70}),
    ),
    family(
        "network-chaos-corrupt",
        "a line that damages packets",
        "hard",
        "chaos-mesh network latency",
        _shaped({"percent": 60}),
    ),
    family(
        "network-chaos-bandwidth",
        "a thin line",
        "medium",
        "chaos-mesh network latency",
        _shaped({"rate": "2kbps"}),
    ),
    family("http-chaos-abort", "requests cut off", "medium", "chaos-mesh http", _shown(_HTTP, _FELT, {})),
    family(
        "http-chaos-delay",
        "requests that are late",
        "medium",
        "chaos-mesh http latency",
        _shown([name for name in _HTTP if name != "frontend-proxy"], _LATE, {"delay": "3s"}),
    ),
    family("dns-chaos-error", "names not found", "hard", "chaos-mesh dns", (*_names({}), *_one_name())),
    family("dns-chaos-random", "names that lead anywhere", "hard", "chaos-mesh dns", _names({})),
    family(
        "io-chaos-fault", "files that fail", "hard", "chaos-mesh io", _shown(_POSTGRESQL, _POSTGRESQL, _DATA)
    ),
    family(
        "io-chaos-latency",
        "a slow disk",
        "hard",
        "chaos-mesh io latency",
        _shown(_SLOW_DISK, _SLOW_DISK, _DATA),
    ),
    family(
        "jvm-chaos-exception",
        "a method that throws",
        "medium",
        "chaos-mesh jvm",
        _shown(_AD_FAILS, _AD_FAILS, _METHOD),
    ),
    family(
        "jvm-chaos-latency",
        "a slow method",
        "medium",
        "chaos-mesh jvm latency",
        _shown(_AD_SLOW, _AD_SLOW, _METHOD),
    ),
    family(
        "istio-mtls-strict", "mutual TLS demanded", "medium", "mesh policy", _shown(shop.CALLED, _FELT, {})
    ),
    family(
        "istio-authorization-denied",
        "callers refused",
        "medium",
        "mesh policy",
        _shown(shop.CALLED, _FELT, {}),
    ),
)
