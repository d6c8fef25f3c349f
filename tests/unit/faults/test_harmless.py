"""Decoys: what they change, and that nothing is made that could hurt."""

from typing import Any

import pytest
from tests.unit.faults import cases_harmless, shop
from tests.unit.faults.cases_harmless import FAULTS
from tests.unit.faults.test_planners import change, created, inject, steps

from reprise.domain import errors
from reprise.domain.mutation import Patch
from reprise.domain.scenario import Fault
from reprise.faults import registry

ROLLED = (["WaitAvailable"], ["WaitAvailable", "DropNewReplicaSets"])


def decoy(mechanism: str, /, **params: Any) -> Fault:
    return Fault(mechanism, "Deployment", "cart", params)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_decoys_break_nothing_and_are_no_cause(name: str) -> None:
    mechanism = registry.MECHANISMS[name]
    assert mechanism.harmless
    assert inject(FAULTS[name]).causes == ()
    assert registry.default_symptoms(FAULTS[name]) == ()
    assert registry.check(FAULTS[name]) != ()  # not as a fault
    assert registry.check(FAULTS[name], decoy=True) == ()


def test_the_table_has_every_harmless_mechanism() -> None:
    assert set(cases_harmless.FAULTS) == {n for n, m in registry.MECHANISMS.items() if m.harmless}


@pytest.mark.parametrize(
    ("wanted", "path", "value"),
    [
        (decoy("label-changed", value="helm"), "metadata.labels", {"app.kubernetes.io/managed-by": "helm"}),
        (
            decoy("environment-variable-added"),
            "spec.template.spec.containers[name=cart].env[name=RELEASE_CHANNEL]",
            {"name": "RELEASE_CHANNEL", "value": "stable"},
        ),
        (
            decoy("log-level-changed"),
            "spec.template.spec.containers[name=cart].env[name=LOG_LEVEL]",
            {"name": "LOG_LEVEL", "value": "debug"},
        ),
        (
            decoy("log-level-changed", variable="LEVEL"),
            "spec.template.spec.containers[name=cart].env[name=LEVEL].value",
            "debug",
        ),
        (
            decoy("image-pull-policy-changed"),
            "spec.template.spec.containers[name=cart].imagePullPolicy",
            "Always",
        ),
        (decoy("replicas-raised"), "spec.replicas", 2),
    ],
)
def test_patches(wanted: Fault, path: str, value: Any) -> None:
    assert change(inject(wanted)) == (path, value)


@pytest.mark.parametrize(
    "name",
    ["cpu-limit-set", "environment-variable-added", "image-pull-policy-changed", "log-level-changed"],
)
def test_pods_are_rolled_as_usual(name: str) -> None:
    assert steps(inject(FAULTS[name])) == ROLLED


@pytest.mark.parametrize(
    ("image", "present", "policy"),
    [
        ("localhost/demo:1", "IfNotPresent", "Never"),
        ("registry.example/demo:1", "IfNotPresent", "Always"),
        ("registry.example/demo:1", "Always", "IfNotPresent"),
    ],
)
def test_images_are_found_by_the_other_rule_too(image: str, present: str, policy: str) -> None:
    cart = shop.deployment("cart", image=image, imagePullPolicy=present)
    assert change(inject(decoy("image-pull-policy-changed"), observed=shop.observed(cart)))[1] == policy


def test_a_cpu_limit_asks_for_no_cpu() -> None:
    """A request that is not given would take the limit's value, and the pod might find no node."""
    (patch,) = inject(decoy("cpu-limit-set")).mutations
    assert isinstance(patch, Patch)
    assert [(c.path[-2:], c.value) for c in patch.changes] == [
        (("limits", "cpu"), "2"),
        (("resources", "requests"), {"cpu": "10m"}),
    ]


def test_created_objects_allow_everything() -> None:
    policy = created(inject(decoy("network-policy-permissive")))["spec"]
    assert policy == {
        "podSelector": {"matchLabels": {"app": "cart"}},
        "policyTypes": ["Ingress"],
        "ingress": [{}],
    }
    # NB: a quota of memory refuses every pod that states none.
    quota = created(inject(decoy("resource-quota-generous")))["spec"]["hard"]
    assert set(quota) == {"pods", "services", "configmaps"}
    assert int(quota["pods"]) >= 200
    budget = created(inject(decoy("pod-disruption-budget-permissive")))["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "cart"}}}
    assert (
        created(inject(decoy("config-map-added", name="cart-options")))["metadata"]["name"] == "cart-options"
    )


AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "cart", "namespace": shop.NAMESPACE},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}},
}


@pytest.mark.parametrize(
    ("wanted", "instead", "message"),
    [
        (decoy("replicas-raised"), AUTOSCALER, "without an autoscaler"),
        (decoy("replicas-raised"), shop.deployment("cart", replicas=0), "found 0"),
        (decoy("replicas-raised", by=9), None, "1 to 3, found 9"),
        (decoy("environment-variable-added", variable="LEVEL"), None, "does not have, found 'LEVEL'"),
        (decoy("environment-variable-added", variable="A B"), None, "params.variable"),
        (decoy("log-level-changed", variable="LEVEL", level="info"), None, "another value than the present"),
        (decoy("label-changed", key="a b"), None, "params.key"),
        (decoy("cpu-limit-set", cpu="5m"), None, "at least 100m"),
        (
            decoy("cpu-limit-set"),
            shop.deployment("cart", resources={"limits": {"cpu": "1"}}),
            "no CPU limit, found one",
        ),
        (decoy("config-map-added", name="No"), None, "params.name"),
        (decoy("log-level-changed", container="x"), None, "params.container: expected one of: cart"),
    ],
)
def test_refuses(wanted: Fault, instead: shop.Json | None, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(wanted, observed=shop.observed(*([instead] if instead else ())))
