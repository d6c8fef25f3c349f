"""Every mechanism as a table: what it plans, what it refuses."""

import importlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.faults import shop

from reprise.domain import errors, paths, plan
from reprise.domain.mutation import Create, Patch
from reprise.domain.scenario import Fault
from reprise.faults import feature_flag, quota, registry
from reprise.faults.mechanism import Injection, Json, Observed

# What would tell an agent that somebody made the fault on purpose.
TELLING = re.compile(
    r"(?<!de)fault|chaos|inject|bench|deny|block|break|attack|test|wrong|bad|fake|reprise", re.I
)
# Every `cases_*.py` beside this file holds a family: FAULTS, one fault of each mechanism; where needed EXTRA,
# more objects to be there; INDIRECT, mechanisms whose root cause is not (only) what they change; UNSUPPORTED,
# those that this application cannot host, with a part of the reason.
CASES = [
    importlib.import_module(f"tests.unit.faults.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("cases_*.py"))
]
FAULTS: Mapping[str, Fault] = {name: fault for case in CASES for name, fault in case.FAULTS.items()}


EXTRA: tuple[Json, ...] = tuple(m for case in CASES for m in getattr(case, "EXTRA", ()))
INDIRECT = frozenset(name for case in CASES for name in getattr(case, "INDIRECT", ()))
UNSUPPORTED = {name: why for case in CASES for name, why in getattr(case, "UNSUPPORTED", {}).items()}
PLANNED = sorted(set(FAULTS) - set(UNSUPPORTED))


def inject(fault: Fault, seed: int = 0, observed: Observed | None = None) -> Injection:
    return registry.inject(fault, seed, observed or shop.observed(*EXTRA))


def change(injection: Injection) -> tuple[str, Any]:
    """The one changed field: its path's text and the new value."""
    (mutation,) = injection.mutations
    assert isinstance(mutation, Patch)
    (only,) = mutation.changes
    return paths.text(only.path), only.value


def created(injection: Injection) -> Json:
    (mutation,) = injection.mutations
    assert isinstance(mutation, Create)
    return mutation.manifest


def test_every_mechanism_is_in_the_tables() -> None:
    assert set(FAULTS) == set(registry.MECHANISMS)


@pytest.mark.parametrize("name", PLANNED)
def test_plans_repeat_with_the_seed_and_tell_nothing(name: str) -> None:
    assert inject(FAULTS[name], seed=5) == inject(FAULTS[name], seed=5)
    for seed in range(30):
        for mutation in inject(FAULTS[name], seed).mutations:
            match mutation:
                case Create(manifest):
                    assert set(manifest["metadata"]) <= {"name", "namespace", "labels"}, (
                        "nothing of ours on it"
                    )
                    # An experiment is not shown; what is seen of it elsewhere is its name.
                    hidden = manifest["apiVersion"].startswith("chaos-mesh.org/")
                    text = manifest["metadata"]["name"] if hidden else json.dumps(manifest)
                case Patch(_, changes):
                    text = str(changes)
                case _:
                    text = ""
            if not registry.MECHANISMS[name].composes:  # the application's own text
                assert not TELLING.search(
                    text.replace("chaos-mesh", "").replace("Chaos", "").replace('["Deny"]', "")
                ), text


@pytest.mark.parametrize("name", PLANNED)
def test_causes_are_what_is_changed(name: str) -> None:
    made = inject(FAULTS[name])
    changed = [mutation.ref for mutation in made.mutations]
    if registry.MECHANISMS[name].harmless:
        assert made.causes == ()
    elif name in INDIRECT:
        assert made.causes
    else:
        assert [cause.ref for cause in made.causes] == changed


@pytest.mark.parametrize(("name", "why"), sorted(UNSUPPORTED.items()))
def test_what_the_application_lacks_is_said(name: str, why: str) -> None:
    with pytest.raises(errors.Unsupported, match=re.escape(why)):
        inject(FAULTS[name])


@pytest.mark.parametrize(
    ("name", "path", "pattern"),
    [
        (
            "container-image-nonexistent",
            "spec.template.spec.containers[name=cart].image",
            r"registry\.example/demo:2\.2\.0-cart-[0-9a-f]{7}",
        ),
        (
            "environment-variable-wrong",
            "spec.template.spec.containers[name=cart].env[name=VALKEY_ADDR].value",
            r"valkey-cart:(6380|6389|6479)",
        ),
        ("workload-scaled-to-zero", "spec.replicas", "0"),
        ("service-selector-invalid", "spec.selector.app", r"cart-(service|v2|server|app)"),
        (
            "service-target-port-wrong",
            "spec.ports[name=tcp-service].targetPort",
            r"(8081|8082|8088|8090|8180)",
        ),
        ("feature-flag", 'data["demo.flagd.json"]', r"(?s).*"),
    ],
)
def test_patches(name: str, path: str, pattern: str) -> None:
    found_path, value = change(inject(FAULTS[name]))
    assert found_path == path
    assert re.fullmatch(pattern, str(value)), value


def steps(injection: Injection) -> tuple[list[str], list[str]]:
    return (
        [type(step).__name__ for step in injection.settle],
        [type(step).__name__ for step in injection.recover],
    )


ROLL = (["RetireOldReplicas"], ["RetireOldReplicas", "WaitAvailable", "DropNewReplicaSets"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("container-image-nonexistent", ROLL),
        ("environment-variable-wrong", ROLL),
        ("workload-scaled-to-zero", (["WaitPodsGone"], ["WaitAvailable"])),
        (
            "resource-quota-insufficient",
            (["RecyclePods", "WaitPodsGone"], ["RetryCreation", "WaitAvailable"]),
        ),
        ("feature-flag", (["RecyclePods", "WaitAvailable"], ["RecyclePods", "WaitAvailable"])),
        ("network-policy-ingress-block", ([], [])),
        ("service-selector-invalid", ([], [])),
        ("service-target-port-wrong", ([], [])),
    ],
)
def test_steps(name: str, expected: tuple[list[str], list[str]]) -> None:
    assert steps(inject(FAULTS[name])) == expected


def test_replica_sets_of_before_are_kept() -> None:
    made = inject(FAULTS["container-image-nonexistent"])
    assert plan.DropNewReplicaSets(made.causes[0].ref, ("replicaset-cart-abc",)) in made.recover


def test_policy_never_allows_all_and_its_peer_exists_nowhere() -> None:
    for seed in range(20):
        manifest = created(inject(FAULTS["network-policy-ingress-block"], seed))
        assert manifest["spec"]["policyTypes"] == ["Ingress"]
        assert manifest["spec"]["podSelector"] == {"matchLabels": {"app": "frontend"}}
        (rule,) = manifest["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
        (peer,) = rule["from"]
        wanted = peer["podSelector"]["matchLabels"]
        assert wanted
        for name in ("cart", "checkout", "frontend", "flagd"):
            labels = shop.deployment(name)["spec"]["template"]["metadata"]["labels"]
            assert not wanted.items() <= labels.items()


def test_names_vary_with_the_seed_and_avoid_what_is_there() -> None:
    fault = FAULTS["resource-quota-insufficient"]
    names = {created(inject(fault, seed))["metadata"]["name"] for seed in range(40)}
    assert len(names) > 2
    taken = [
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name, "namespace": "otel-demo"}}
        for name in sorted(names)[1:]
    ]
    assert created(inject(fault, 0, shop.observed(*taken)))["metadata"]["name"] == sorted(names)[0]


def test_flag_changes_one_word_of_the_text() -> None:
    changed = feature_flag.switch(shop.FLAGS, "paymentFailure", "100%")
    expected = shop.FLAGS.replace(
        '"off": 0},\n      "defaultVariant": "off"', '"off": 0},\n      "defaultVariant": "100%"'
    )
    assert changed == expected
    assert expected != shop.FLAGS


def with_params(name: str, **params: Any) -> Fault:
    fault = FAULTS[name]
    return Fault(fault.mechanism, fault.kind, fault.name, {**fault.params, **params})


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("no-such", "Deployment", "cart"), "expected one of: .*container-image-nonexistent"),
        (Fault("workload-scaled-to-zero", "Service", "cart"), "target.kind: expected Deployment"),
        (
            Fault("workload-scaled-to-zero", "Deployment", "cart", {"replicas": 0}),
            "params.replicas: .*unknown",
        ),
        (Fault("environment-variable-wrong", "Deployment", "cart"), "params.variable: .*found nothing"),
        (
            with_params("environment-variable-wrong", variable="POD"),
            "one of: VALKEY_ADDR, LEVEL; found 'POD'",
        ),
        (with_params("environment-variable-wrong", variable="LEVEL"), "no host:port"),
        (with_params("environment-variable-wrong", variable="A B"), "the name of an environment variable"),
        (
            with_params("environment-variable-wrong", value="valkey-cart:6379"),
            "another value than the present",
        ),
        (with_params("environment-variable-wrong", value="frontend:8080"), "an address that nothing serves"),
        (with_params("environment-variable-wrong", container="x"), "params.container: expected one of: cart"),
        (with_params("container-image-nonexistent", image="UP PER"), "an image reference"),
        (with_params("container-image-nonexistent", image=7), "params.image: expected a string, found 7"),
        (with_params("service-selector-invalid", key="tier"), "params.key: expected one of: app"),
        (with_params("service-selector-invalid", value="frontend"), "a value that no pod has"),
        (with_params("service-target-port-wrong", port="http"), "params.port: expected one of: tcp-service"),
        (
            with_params("service-target-port-wrong", target_port=8080),
            "no container behind Service/cart serves",
        ),
        (with_params("service-target-port-wrong", target_port=0), "1 to 65535"),
        (with_params("service-target-port-wrong", target_port=True), "a whole number"),
        (with_params("network-policy-ingress-block", allow={"app": "cart"}), "labels that no pod has"),
        (with_params("resource-quota-insufficient", hard={}), "at least one limit"),
        (
            with_params("resource-quota-insufficient", hard={"gpus": "1", "cpu": "x"}),
            "found 'gpus'.*found 'x'",
        ),
        (
            with_params("resource-quota-insufficient", hard={"limits.memory": "4Gi"}),
            "used now: limits.memory",
        ),
        (
            with_params("feature-flag", flag="nope"),
            "one of: adFailure, paymentFailure, targeted; found 'nope'",
        ),
        (with_params("feature-flag", variant="on"), "one of: 100%, off; found 'on'"),
        (with_params("feature-flag", variant="off"), "another than the present"),
        (with_params("feature-flag", flag="targeted", variant="on"), "without targeting"),
        (with_params("feature-flag", key="x.json"), "params.key: expected one of: demo.flagd.json"),
    ],
)
def test_refuses(fault: Fault, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(fault)


@pytest.mark.parametrize("name", PLANNED)
def test_a_missing_target_is_named_with_what_there_is(name: str) -> None:
    fault = FAULTS[name]
    with pytest.raises(errors.NotFound, match=f"otel-demo/{fault.kind}/gone to exist, found only: "):
        inject(Fault(fault.mechanism, fault.kind, "gone", fault.params))


@pytest.mark.parametrize(
    "name", ["container-image-nonexistent", "environment-variable-wrong", "workload-scaled-to-zero"]
)
def test_a_workload_at_zero_hurts_nobody(name: str) -> None:
    with pytest.raises(errors.InvalidInput, match="found 0"):
        inject(FAULTS[name], observed=shop.observed(shop.deployment("cart", replicas=0)))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("localhost:5000/demo:2.2.0", r"localhost:5000/demo:2\.2\.0-[0-9a-f]{7}"),
        ("localhost:5000/demo", r"localhost:5000/demo:[0-9a-f]{7}"),
        ("demo@sha256:" + "a" * 64, r"demo:[0-9a-f]{7}"),
        ("demo:1@sha256:" + "a" * 64, r"demo:1-[0-9a-f]{7}"),
    ],
)
def test_image_references(image: str, expected: str) -> None:
    made = inject(
        FAULTS["container-image-nonexistent"], observed=shop.observed(shop.deployment("cart", image=image))
    )
    assert re.fullmatch(expected, change(made)[1])


@pytest.mark.parametrize(
    ("text", "value"), [("500m", "0.5"), ("1Gi", "1073741824"), ("1.5k", "1500"), ("3", "3")]
)
def test_quantities(text: str, value: str) -> None:
    assert quota.quantity(text) == Decimal(value)


def test_a_quota_that_refuses_for_silence_is_no_insufficient_quota() -> None:
    silent = shop.deployment("checkout")
    silent["spec"]["template"]["spec"]["initContainers"] = [{"name": "wait-for-kafka", "image": "x"}]
    with pytest.raises(
        errors.InvalidInput, match=r"found none for: wait-for-kafka \(limits.memory\); use pods"
    ):
        inject(FAULTS["resource-quota-insufficient"], observed=shop.observed(silent))
    by_count = with_params("resource-quota-insufficient", hard={"pods": "2"})
    assert created(inject(by_count, observed=shop.observed(silent)))["spec"] == {"hard": {"pods": "2"}}
