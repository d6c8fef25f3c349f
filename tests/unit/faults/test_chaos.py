"""Mechanisms of Chaos Mesh: the objects that they make, and what they refuse."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.faults import cases_chaos, shop

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Create
from reprise.domain.plan import ReplaceBackedOff, WaitAvailable, WaitInjected, WaitReleased
from reprise.domain.scenario import Fault
from reprise.faults import chaos, parameters
from reprise.faults.mechanism import Injection, Observed, Requirement

MECHANISMS = {mechanism.name: mechanism for mechanism in chaos.MECHANISMS}
NAMES = sorted(MECHANISMS)


def inject(fault: Fault, seed: int = 0, observed: Observed | None = None) -> Injection:
    mechanism = MECHANISMS[fault.mechanism]
    read = parameters.read(mechanism.parameters, fault.params)
    made: Injection = mechanism.plan(fault.name, read, seed, observed or shop.observed())
    return made


def made(name: str, target: str = "cart", **params: Any) -> dict[str, Any]:
    [mutation] = inject(Fault(name, "Deployment", target, params)).mutations
    assert isinstance(mutation, Create)
    return mutation.manifest


def test_each_has_a_case() -> None:
    assert set(cases_chaos.FAULTS) == set(MECHANISMS)


@pytest.mark.parametrize("name", NAMES)
def test_the_workload_is_the_cause_and_the_experiment_is_awaited(name: str) -> None:
    injection = inject(cases_chaos.FAULTS[name])
    [mutation] = injection.mutations
    assert isinstance(mutation, Create)
    deployment = ObjectRef("apps/v1", "Deployment", "otel-demo", "cart")
    assert [(cause.ref, cause.owned) for cause in injection.causes] == [(deployment, True)]
    assert mutation.ref.namespace == "chaos-mesh"
    assert injection.settle == (WaitInjected(mutation.ref),)
    assert injection.recover == (
        WaitReleased(mutation.ref, mutation.ref.kind),
        ReplaceBackedOff(deployment),
        WaitAvailable(deployment),
    )
    assert "duration" not in mutation.manifest["spec"]
    assert Requirement.CHAOS_MESH in MECHANISMS[name].requires


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_of_the_target_is_selected_and_no_other(name: str) -> None:
    [mutation] = inject(cases_chaos.FAULTS[name]).mutations
    assert isinstance(mutation, Create)
    spec = mutation.manifest["spec"]
    assert spec["mode"] == "all"
    assert spec["selector"] == {"namespaces": ["otel-demo"], "labelSelectors": {"app": "cart"}}


@pytest.mark.parametrize("name", NAMES)
def test_repeated_it_is_a_schedule_that_holds_the_same(name: str) -> None:
    fault = cases_chaos.FAULTS[name]
    [once] = inject(fault).mutations
    assert isinstance(once, Create)
    lasting = not name.endswith("-kill")
    timing = {"schedule": "@every 30s"} | ({"duration": "20s"} if lasting else {})
    injection = inject(Fault(name, "Deployment", "cart", {**fault.params, **timing}))
    [again] = injection.mutations
    assert isinstance(again, Create)
    assert again.ref == ObjectRef("chaos-mesh.org/v1alpha1", "Schedule", "chaos-mesh", once.ref.name)
    spec = again.manifest["spec"]
    assert (spec["schedule"], spec["type"], spec["concurrencyPolicy"]) == (
        "@every 30s",
        once.ref.kind,
        "Forbid",
    )
    field = once.ref.kind.removesuffix("Chaos").lower() + "Chaos"
    assert spec[field] == once.manifest["spec"] | ({"duration": "20s"} if lasting else {})
    assert WaitReleased(again.ref, once.ref.kind) in injection.recover


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("pod-chaos-pod-kill", {}, {"action": "pod-kill", "gracePeriod": None}),
        ("pod-chaos-pod-kill", {"grace_seconds": 5}, {"action": "pod-kill", "gracePeriod": 5}),
        ("pod-chaos-pod-failure", {}, {"action": "pod-failure"}),
        ("pod-chaos-container-kill", {}, {"action": "container-kill", "containerNames": ["cart"]}),
        ("stress-chaos-cpu", {"workers": 3}, {"stressors": {"cpu": {"workers": 3, "load": 100}}}),
        ("stress-chaos-memory", {}, {"stressors": {"memory": {"workers": 1, "size": "250880KB"}}}),
        (
            "stress-chaos-memory",
            {"workers": 2},
            {"stressors": {"memory": {"workers": 2, "size": "125440KB"}}},
        ),
        ("stress-chaos-memory", {"size": "64MB"}, {"stressors": {"memory": {"workers": 1, "size": "64MB"}}}),
        ("time-chaos-skew", {"offset": "10m"}, {"timeOffset": "10m", "clockIds": ["CLOCK_REALTIME"]}),
        ("network-chaos-partition", {}, {"action": "partition", "direction": "both"}),
        (
            "network-chaos-delay",
            {"latency": "500ms"},
            {"delay": {"latency": "500ms", "jitter": "100ms", "correlation": "0"}, "direction": "to"},
        ),
        ("network-chaos-loss", {"percent": 70}, {"loss": {"loss": "70", "correlation": "0"}}),
        (
            "network-chaos-bandwidth",
            {"rate": "64kbit"},
            {"bandwidth": {"rate": "64kbit", "limit": 20000, "buffer": 5000}},
        ),
        ("http-chaos-abort", {}, {"target": "Request", "port": 8080, "path": "*", "abort": True}),
        ("http-chaos-delay", {"method": "POST", "port": 81}, {"port": 81, "method": "POST", "delay": "3s"}),
        ("dns-chaos-error", {"pattern": "kafka*"}, {"action": "error", "patterns": ["kafka*"]}),
        (
            "io-chaos-latency",
            {"volume_path": "/data/"},
            {"action": "latency", "volumePath": "/data", "path": "/data/**/*", "delay": "1s", "percent": 100},
        ),
        ("io-chaos-fault", {"volume_path": "/data", "errno": 28}, {"action": "fault", "errno": 28}),
        (
            "jvm-chaos-latency",
            {"class_name": "A", "method": "b"},
            {"action": "latency", "class": "A", "method": "b", "latency": 3000, "port": 9277},
        ),
    ],
)
def test_parameters_become_the_experiment(
    name: str, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    spec = made(name, **params)["spec"]
    assert {key: spec.get(key) for key in expected} == expected


def test_a_peer_is_selected_as_the_target_is() -> None:
    spec = made("network-chaos-partition", peer="flagd", direction="to")["spec"]
    assert spec["direction"] == "to"
    assert spec["target"]["selector"] == {"namespaces": ["otel-demo"], "labelSelectors": {"app": "flagd"}}


def test_of_a_partition_either_end_may_be_named() -> None:
    """Nothing that an agent can look at tells where the packets are dropped."""
    fault = Fault("network-chaos-partition", "Deployment", "cart", {"peer": "flagd"})
    (cause,) = inject(fault).causes
    assert [ref.name for ref in cause.equivalents] == ["flagd"]
    (alone,) = inject(Fault("network-chaos-partition", "Deployment", "cart")).causes
    assert alone.equivalents == ()


def zeros(value: Any) -> list[Any]:
    """Values that Go calls empty, anywhere in it."""
    match value:
        case dict():
            return [zero for entry in value.values() for zero in zeros(entry)]
        case list() if value:
            return [zero for entry in value for zero in zeros(entry)]
        case _:
            return [] if value else [value]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_that_chaos_mesh_leaves_out_when_it_writes_the_object(name: str) -> None:
    [mutation] = inject(cases_chaos.FAULTS[name]).mutations
    assert isinstance(mutation, Create)
    assert zeros(mutation.manifest) == []


def test_names_mean_nothing_and_differ_by_seed_and_namespace() -> None:
    fault = cases_chaos.FAULTS["pod-chaos-pod-failure"]
    other = shop.observed()
    other = Observed("otel-demo-2", other.objects, other.cluster, other.system)
    names = {inject(fault, seed).mutations[0].ref.name for seed in range(50)}
    assert len(names) == 50
    assert inject(fault, 3, other).mutations[0].ref.name not in names


def test_the_annotation_of_a_failed_pod_can_be_told_from_the_applications() -> None:
    # As Chaos Mesh makes it; past 63 characters it would leave out the part that redaction knows.
    made_by_schedule = made("pod-chaos-pod-failure")["metadata"]["name"] + "-x7k2p"
    longest = "product-reviews"
    assert len(f"chaos-mesh-{made_by_schedule}-pod-failure-{longest}-normal-image") <= 63


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        (
            "pod-chaos-pod-failure",
            {"schedule": "every day", "duration": "1s"},
            "schedule: expected five cron",
        ),
        ("pod-chaos-pod-failure", {"schedule": "@every 30s"}, "duration: expected one with a schedule"),
        ("pod-chaos-pod-failure", {"duration": "30s"}, "duration: expected none without a schedule"),
        ("pod-chaos-pod-kill", {"schedule": "@every 9s", "duration": "1s"}, "duration: expected none"),
        ("pod-chaos-pod-kill", {"grace_seconds": -1}, "grace_seconds: expected 0 or more"),
        ("pod-chaos-container-kill", {"container": "sidecar"}, "params.container: expected one of: cart"),
        ("stress-chaos-cpu", {"workers": 0}, "workers: expected 1 or more"),
        ("stress-chaos-cpu", {"load": 101}, "load: expected 1 to 100"),
        ("stress-chaos-memory", {"size": "much"}, "size: expected a size"),
        ("time-chaos-skew", {"offset": "yesterday"}, "offset: expected a duration"),
        ("network-chaos-partition", {"direction": "up"}, "direction: expected one of"),
        ("network-chaos-delay", {"direction": "both"}, "peer: expected a Deployment"),
        ("network-chaos-delay", {"latency": "slow"}, "latency: expected a duration"),
        ("network-chaos-loss", {"percent": 0}, "percent: expected 1 to 100"),
        ("network-chaos-bandwidth", {"rate": "8"}, "rate: expected a rate"),
        ("http-chaos-delay", {"delay": "x"}, "delay: expected a duration"),
        ("http-chaos-patch", {"body": "[1]"}, "body: expected a JSON object"),
        ("dns-chaos-error", {"pattern": "*.svc"}, "pattern: expected `\\*` at the end"),
        ("io-chaos-fault", {"volume_path": "data"}, "volume_path: expected an absolute path"),
        ("io-chaos-fault", {"volume_path": "/d", "errno": 0}, "errno: expected 1 to 133"),
        ("jvm-chaos-stress", {}, "cpu_count: expected it or memory_type"),
        ("jvm-chaos-stress", {"memory_type": "disk"}, "memory_type: expected one of"),
        ("jvm-chaos-latency", {"class_name": "A"}, "params.method: expected a string, found nothing"),
    ],
)
def test_what_is_wrong_is_said(name: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidInput, match=words):
        made(name, **params)


def test_a_missing_target_or_peer_is_named() -> None:
    with pytest.raises(errors.NotFound, match="otel-demo/Deployment/nobody"):
        made("pod-chaos-pod-kill", target="nobody")
    with pytest.raises(errors.NotFound, match="otel-demo/Deployment/nobody"):
        made("network-chaos-partition", peer="nobody")


def test_several_ports_ask_for_one() -> None:
    two = [{"name": "a", "containerPort": 1}, {"name": "b", "containerPort": 2}]
    observed = shop.observed(shop.deployment("twin", ports=two))
    with pytest.raises(errors.InvalidInput, match="names 2 ports: 1, 2"):
        inject(Fault("http-chaos-abort", "Deployment", "twin"), observed=observed)


def _measured(*uses: str) -> Observed:
    """`cart`, with a limit of 300 MiB, in as many pods as uses are given."""
    pods = [shop.pod(shop.replica_set(shop.deployment("cart")), str(n)) for n in range(1, len(uses) + 1)]
    return shop.observed(*(shop.usage(pod, use) for pod, use in zip(pods, uses, strict=True)))


@pytest.mark.parametrize(
    ("uses", "kibibytes"),
    [(("100Mi",), 185 * 1024), (("102400Ki", "200Mi"), 85 * 1024), (("104857600", "50Mi"), 185 * 1024)],
)
def test_memory_is_filled_to_a_twentieth_below_the_limit_of_the_fullest_pod(
    uses: tuple[str, ...], kibibytes: int
) -> None:
    [experiment] = inject(
        Fault("stress-chaos-memory", "Deployment", "cart"), observed=_measured(*uses)
    ).mutations
    assert isinstance(experiment, Create)
    assert experiment.manifest["spec"]["stressors"]["memory"]["size"] == f"{kibibytes}KB"


def _without_usage() -> Observed:
    observed = shop.observed()
    return replace(observed, objects={**observed.objects, "PodMetrics": {}})


@pytest.mark.parametrize(
    ("target", "observed", "expected"),
    [
        ("free", shop.observed(shop.deployment("free", resources={})), "has no memory limit"),
        ("cart", _without_usage(), "metrics-server does not say what 'cart' uses"),
        ("cart", _measured("290Mi"), "'cart' uses 290 MiB of 300 already"),
    ],
)
def test_memory_that_cannot_be_reckoned_asks_for_a_size(
    target: str, observed: Observed, expected: str
) -> None:
    with pytest.raises(errors.InvalidInput, match=rf"params.size: expected a size.*{expected}"):
        inject(Fault("stress-chaos-memory", "Deployment", target), observed=observed)
    [experiment] = inject(
        Fault("stress-chaos-memory", "Deployment", target, {"size": "9MB"}), observed=observed
    ).mutations
    assert isinstance(experiment, Create)
