"""Faults in objects beside the pod template: what they plan in detail, and what they refuse."""

from typing import Any

import pytest
from tests.unit.faults import shop
from tests.unit.faults.cases_objects import node
from tests.unit.faults.planned import made, observed, patched
from tests.unit.faults.test_planners import FAULTS, inject, with_params

from reprise.domain import errors, plan
from reprise.domain.mutation import Delete
from reprise.faults import surge
from reprise.faults.mechanism import Json


def test_a_deleted_service_is_the_cause() -> None:
    injection = inject(FAULTS["service-deleted"])
    assert injection.mutations == (Delete(injection.causes[0].ref),)


@pytest.mark.parametrize("dns", [True, False])
def test_egress_reaches_nobody_but_the_resolvers(dns: bool) -> None:
    for seed in range(10):
        injection = inject(with_params("network-policy-egress-block", dns=dns), seed)
        spec = made(injection, "NetworkPolicy")["spec"]
        assert spec["policyTypes"] == ["Egress"]
        assert spec["podSelector"] == {"matchLabels": {"app": "checkout"}}
        first, *others = spec["egress"]
        (peer,) = first["to"]
        assert peer["podSelector"]["matchLabels"], "an empty selector would be everybody"
        assert [rule["ports"] for rule in others] == (
            [[{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]] if dns else []
        )


def test_egress_refuses_a_peer_that_exists() -> None:
    with pytest.raises(errors.InvalidInput, match="labels that no pod has"):
        inject(with_params("network-policy-egress-block", allow={"app": "cart"}))


# -- limits -----------------------------------------------------------------------------------------


def test_half_of_the_largest_limit() -> None:
    spec = made(inject(FAULTS["limit-range-rejecting"]), "LimitRange")["spec"]
    assert spec == {"limits": [{"type": "Container", "max": {"memory": "150Mi"}}]}
    cpu = shop.deployment("cart", resources={"limits": {"cpu": "1"}})
    injection = inject(with_params("limit-range-rejecting", resource="cpu"), observed=observed(cpu))
    assert made(injection, "LimitRange")["spec"]["limits"][0]["max"] == {"cpu": "500m"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max": "300Mi"}, r"less than a container of Deployment/cart states \(cart 300Mi\), found 300Mi"),
        ({"resource": "cpu"}, "found no limit of cpu"),
        ({"resource": "disk"}, "one of: cpu, memory; found 'disk'"),
        ({"max": "much"}, "params.max: expected a quantity"),
    ],
)
def test_limit_range_refuses(params: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(with_params("limit-range-rejecting", **params))


# -- disruption -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("demand", "value"), [("maxUnavailable", 0), ("minAvailable", 1)])
def test_a_budget_and_a_drain(demand: str, value: int) -> None:
    injection = inject(with_params("pod-disruption-budget-blocking", demand=demand))
    assert made(injection, "PodDisruptionBudget")["spec"] == {
        demand: value,
        "selector": {"matchLabels": {"app": "cart"}},
    }
    assert patched(injection) == {"Node/worker": ("spec.unschedulable", True)}
    assert [cause.ref.kind for cause in injection.causes] == ["PodDisruptionBudget"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (node("worker", unschedulable=True), "Node/worker to be open, found it cordoned"),
        (shop.pod(shop.deployment("cart")), "a running pod of Deployment/cart whose node can be drained"),
    ],
)
def test_budget_refuses(extra: Json, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(FAULTS["pod-disruption-budget-blocking"], observed=observed(extra))


# -- autoscaling ------------------------------------------------------------------------------------


def test_autoscaler_gives_the_replicas_back() -> None:
    injection = inject(FAULTS["horizontal-pod-autoscaler-misconfigured"])
    spec = made(injection, "HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 3}
    workload = observed().ref("Deployment", "cart")
    assert injection.recover == (plan.RestoreReplicas(workload, 1), plan.WaitAvailable(workload))


SCALED = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "mine", "namespace": shop.NAMESPACE},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}},
}


@pytest.mark.parametrize(
    ("params", "extra", "message"),
    [
        ({"resource": "cpu"}, (), "found no cpu for: cart"),
        ({"resource": "disk"}, (), "one of: cpu, memory"),
        ({"utilization": 0}, (), "1 to 100, found 0"),
        ({"max_replicas": 50}, (), "2 to 10, found 50"),
        ({}, (shop.deployment("cart", replicas=3),), r"more than Deployment/cart has now \(3\), found 3"),
        ({}, (SCALED,), "to have no autoscaler, found mine"),
    ],
)
def test_autoscaler_refuses(params: dict[str, Any], extra: tuple[Json, ...], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(with_params("horizontal-pod-autoscaler-misconfigured", **params), observed=observed(*extra))


# -- admission --------------------------------------------------------------------------------------


def test_policy_binds_this_namespace_only() -> None:
    for seed in range(20):
        injection = inject(FAULTS["admission-policy-rejecting"], seed)
        policy = made(injection, "ValidatingAdmissionPolicy")
        binding = made(injection, "ValidatingAdmissionPolicyBinding")
        assert binding["spec"]["policyName"] == policy["metadata"]["name"]
        assert binding["spec"]["matchResources"]["namespaceSelector"] == {
            "matchLabels": {"kubernetes.io/metadata.name": "otel-demo"}
        }
        (cause,) = injection.causes
        assert cause.ref.name == policy["metadata"]["name"]
        assert [e.name for e in cause.equivalents] == [binding["metadata"]["name"]]


@pytest.mark.parametrize(
    ("demand", "met"),
    [
        ("digest", {"image": "demo@sha256:" + "a" * 64}),
        ("cpu", {"resources": {"limits": {"cpu": "1"}}}),
        ("non-root", {"securityContext": {"runAsNonRoot": True}}),
    ],
)
def test_what_the_target_has_is_not_demanded(demand: str, met: Json) -> None:
    fault = with_params("admission-policy-rejecting", demand=demand)
    assert inject(fault).mutations
    with pytest.raises(errors.InvalidInput, match=f"lack, one of: .*; found '{demand}'"):
        inject(fault, observed=observed(shop.deployment("cart", **met)))


def test_labels_are_not_demanded_of_pods_that_have_them() -> None:
    labelled = shop.deployment("cart")
    labelled["spec"]["template"]["metadata"]["labels"]["team"] = "shop"
    with pytest.raises(errors.InvalidInput, match="found 'owner-label'"):
        inject(with_params("admission-policy-rejecting", demand="owner-label"), observed=observed(labelled))


# -- the API server ---------------------------------------------------------------------------------


def test_surge_is_bounded_and_may_list_pods_only() -> None:
    injection = inject(with_params("api-server-request-surge", requests_per_second=7))
    kinds = [m.ref.kind for m in injection.mutations]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "Deployment"], "an account before its pods"
    assert made(injection, "Role")["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
    ]
    pod = made(injection, "Deployment")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == made(injection, "ServiceAccount")["metadata"]["name"]
    (container,) = pod["containers"]
    assert container["env"] == [{"name": "SYNC_PER_SECOND", "value": "7"}]
    assert container["resources"]["limits"]["cpu"] == "400m"
    compile(container["command"][-1], "client", "exec")
    assert container["command"][-1] == surge._CLIENT
    with pytest.raises(errors.InvalidInput, match=r"1 to 200, found 500.*1 to 4, found 9"):
        inject(with_params("api-server-request-surge", requests_per_second=500, replicas=9))
