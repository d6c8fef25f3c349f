"""Faults of a pod template: what exactly is changed, and what is refused."""

from typing import Any

import pytest
from tests.unit.faults import cases_template, shop
from tests.unit.faults.test_planners import ROLL, steps

from reprise.domain import errors, paths, plan
from reprise.domain.mutation import Create, Patch
from reprise.domain.scenario import Fault
from reprise.domain.symptoms import AlertSymptom
from reprise.faults import registry, template
from reprise.faults.mechanism import Injection, Json, Observed

NODE: Json = dict(cases_template.EXTRA[0])


def inject(fault: Fault, *extra: Json, seed: int = 0) -> Injection:
    return registry.inject(fault, seed, shop.observed(NODE, *extra))


def fault(name: str, target: str = "cart", **params: Any) -> Fault:
    return Fault(name, "Deployment", target, params)


def after(made: Injection, observed: Observed, target: str = "cart") -> Json:
    """The pod spec once the injection is in force."""
    found = observed.get("Deployment", target)
    for mutation in made.mutations:
        if isinstance(mutation, Patch):
            for change in mutation.changes:
                found = paths.put(found, change.path, change.value)
    spec: Json = found["spec"]["template"]["spec"]
    return spec


def spec_of(wanted: Fault, *extra: Json, seed: int = 0) -> Json:
    observed = shop.observed(NODE, *extra)
    return after(registry.inject(wanted, seed, observed), observed, wanted.name)


def cart(**more: Any) -> Json:
    """The cart with more in its pod spec."""
    one = shop.deployment("cart")
    one["spec"]["template"]["spec"].update(more)
    return one


ROLLED = set(cases_template.FAULTS) - {
    "rollout-progress-deadline-exceeded",
    "service-account-missing",
    "service-account-without-rights",
}


@pytest.mark.parametrize("name", sorted(ROLLED))
def test_old_replicas_are_retired_and_new_replica_sets_dropped(name: str) -> None:
    made = inject(cases_template.FAULTS[name])
    assert steps(made) == ROLL
    ref = made.mutations[-1].ref
    assert plan.DropNewReplicaSets(ref, ("replicaset-cart-abc",)) in made.recover


@pytest.mark.parametrize("name", sorted(set(cases_template.FAULTS) - set(cases_template.UNSUPPORTED)))
def test_what_is_made_from_the_template_carries_the_same_value(name: str) -> None:
    (cause,) = inject(cases_template.FAULTS[name]).causes
    assert cause.owned is (cause.ref.kind == "Deployment")


def test_setting_makes_the_way_to_the_value() -> None:
    document = {"spec": {"a": {}, "list": [{"name": "x"}]}}
    item = paths.Item("name", "y")
    assert template.setting(document, ("spec", "a", "b", "c"), 1).path == ("spec", "a", "b")
    assert template.setting(document, ("spec", "a", "b", "c"), 1).value == {"c": 1}
    assert template.setting(document, ("spec", "new", item), {"name": "y"}).value == [{"name": "y"}]
    assert template.setting(document, ("spec", "list", item), {"name": "y"}).path == ("spec", "list", item)


# -- init containers --------------------------------------------------------------------------------


def test_an_init_container_comes_last_and_runs_what_others_run() -> None:
    first = {"name": "wait-for-store", "image": "tools:1", "command": ["wait"]}
    for name in ("init-container-crashing", "init-container-hanging"):
        spec = spec_of(fault(name), cart(initContainers=[first]))
        assert spec["initContainers"][0] == first
        assert spec["initContainers"][1]["image"] == "tools:1"
        assert spec_of(fault(name))["initContainers"][0]["image"] == "registry.example/demo:2.2.0-cart"


def test_what_is_waited_for_does_not_exist() -> None:
    for seed in range(20):
        spec = spec_of(fault("init-container-hanging"), shop.service("vault"), seed=seed)
        assert spec["initContainers"][0]["name"] != "wait-for-vault"


# -- resources --------------------------------------------------------------------------------------


def resources(wanted: Fault, *extra: Json) -> Json:
    found: Json = spec_of(wanted, *extra)["containers"][0]["resources"]
    return found


def with_resources(**values: Any) -> Json:
    return shop.deployment("cart", resources=values)


@pytest.mark.parametrize(
    ("params", "there", "expected"),
    [
        ({}, {"limits": {"memory": "160Mi"}}, {"limits": {"memory": "20Mi"}}),
        ({}, {"limits": {"memory": "20Mi"}}, {"limits": {"memory": "8Mi"}}),
        ({}, {}, {"limits": {"memory": "12Mi"}}),
        ({"cpu": "5m"}, {}, {"limits": {"cpu": "5m"}}),
        (
            {"cpu": "5m", "memory": "5Mi"},
            {"limits": {"memory": "1Gi"}},
            {"limits": {"memory": "5Mi", "cpu": "5m"}},
        ),
        ({"cpu": "5m", "memory": "5Mi"}, {}, {"limits": {"memory": "5Mi", "cpu": "5m"}}),
        (
            {"memory": "5Mi"},
            {"limits": {"memory": "1Gi"}, "requests": {"memory": "64Mi"}},
            {"limits": {"memory": "5Mi"}, "requests": {"memory": "5Mi"}},
        ),
        (
            {"memory": "80Mi"},
            {"limits": {"memory": "1Gi"}, "requests": {"memory": "64Mi"}},
            {"limits": {"memory": "80Mi"}, "requests": {"memory": "64Mi"}},
        ),
    ],
)
def test_limits(params: Json, there: Json, expected: Json) -> None:
    assert resources(fault("container-resources-insufficient", **params), with_resources(**there)) == expected


def test_removed_limits_leave_the_requests() -> None:
    there = with_resources(limits={"memory": "1Gi"}, requests={"memory": "64Mi"})
    assert resources(fault("container-limits-removed"), there) == {"requests": {"memory": "64Mi"}}
    with pytest.raises(errors.InvalidInput, match="found none to remove"):
        inject(fault("container-limits-removed"), with_resources(limits={}))


def test_the_symptom_is_what_the_limit_brings_about() -> None:
    def first(**params: str) -> str:
        symptom = registry.default_symptoms(fault("container-resources-insufficient", **params))[0]
        assert isinstance(symptom, AlertSymptom)
        return symptom.alert

    assert first(cpu="5m") == "CpuThrottlingHigh"
    assert first(cpu="5m", memory="5Mi") == first() == "KubePodCrashLooping"


# -- how a container starts -------------------------------------------------------------------------


def test_the_command_keeps_its_arguments() -> None:
    wanted = fault("container-command-invalid", command="/app/other")
    there = shop.deployment("cart", command=["/app/run", "--fast"])
    assert spec_of(wanted, there)["containers"][0]["command"] == ["/app/other", "--fast"]
    assert spec_of(wanted)["containers"][0]["command"] == ["/app/other"]
    with pytest.raises(errors.InvalidInput, match="another program"):
        inject(fault("container-command-invalid", command="/app/run"), there)


def test_the_image_for_another_processor_is_one_that_every_node_has() -> None:
    wanted = fault("container-image-wrong-architecture")
    assert spec_of(wanted)["containers"][0]["image"] == "registry.example/demo-arm64:2.2.0"
    second = {**NODE, "metadata": {**NODE["metadata"], "name": "second"}}
    bare = {**second, "status": {"images": [{"names": ["registry.example/demo-amd64:1"]}]}}
    with pytest.raises(errors.Unsupported, match=r"such as registry\.example/demo-arm64:<tag>, found none"):
        inject(wanted, bare)
    control_plane = {**bare, "spec": {"taints": [{"key": "x", "effect": "NoSchedule"}]}}
    assert spec_of(wanted, control_plane)
    own = fault("container-image-wrong-architecture", image="registry.example/other:1")
    assert spec_of(own, bare)["containers"][0]["image"] == "registry.example/other:1"


# -- probes and roll-outs ---------------------------------------------------------------------------

PROBED = ("readiness-probe-wrong", "liveness-probe-killing", "rollout-progress-deadline-exceeded")


def probe(wanted: Fault, *extra: Json, seed: int = 0) -> Json:
    container = spec_of(wanted, *extra, seed=seed)["containers"][0]
    found: Json = container.get("readinessProbe") or container["livenessProbe"]
    return found


@pytest.mark.parametrize("name", PROBED)
def test_a_probe_asks_where_nothing_answers(name: str) -> None:
    for seed in range(20):
        assert probe(fault(name), seed=seed)["tcpSocket"]["port"] not in (8080,)
    assert probe(fault(name, path="/healthz"))["httpGet"] == {"path": "/healthz", "port": 8080}
    assert probe(fault(name, port=9000))["tcpSocket"] == {"port": 9000}
    with pytest.raises(errors.InvalidInput, match="found 8080; give a path"):
        inject(fault(name, port=8080))
    assert probe(fault(name), shop.deployment("cart", ports=[]))["tcpSocket"]["port"] > 8080


def test_readiness_matters_only_to_a_service() -> None:
    alone = shop.deployment("cart")
    alone["spec"]["template"]["metadata"]["labels"] = {"app": "nobody-asks"}
    with pytest.raises(errors.InvalidInput, match="expected a Service that sends to Deployment/cart"):
        inject(fault("readiness-probe-wrong"), alone)


def test_a_stuck_roll_out_keeps_the_old_pods() -> None:
    made = inject(fault("rollout-progress-deadline-exceeded", deadline_seconds=45))
    assert steps(made)[0] == ["WaitPodsMade"]
    (patch,) = made.mutations
    assert isinstance(patch, Patch)
    assert {paths.text(c.path): c.value for c in patch.changes}["spec.progressDeadlineSeconds"] == 45
    recreated = shop.deployment("cart")
    recreated["spec"]["strategy"] = {"type": "Recreate"}
    with pytest.raises(errors.InvalidInput, match="the strategy Recreate"):
        inject(fault("rollout-progress-deadline-exceeded"), recreated)


# -- placement --------------------------------------------------------------------------------------


def test_a_node_selector_keeps_what_was_asked_for_and_suits_no_node() -> None:
    there = cart(nodeSelector={"kubernetes.io/os": "linux"})
    found = spec_of(fault("node-selector-unmatched", selector={"pool": "edge"}), there)["nodeSelector"]
    assert found == {"kubernetes.io/os": "linux", "pool": "edge"}
    with pytest.raises(errors.InvalidInput, match="those of: worker-of-shop"):
        inject(fault("node-selector-unmatched", selector={"kubernetes.io/arch": "amd64"}))


def terms(wanted: Fault, *extra: Json) -> Any:
    affinity = spec_of(wanted, *extra)["affinity"]["podAntiAffinity"]
    return affinity["requiredDuringSchedulingIgnoredDuringExecution"]


def test_anti_affinity_leaves_no_topology() -> None:
    wanted = fault("pod-anti-affinity-unschedulable", apart_from="checkout")
    term = {"labelSelector": {"matchLabels": {"app": "checkout"}}, "topologyKey": "kubernetes.io/os"}
    assert terms(wanted) == [term]
    own = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cart"}}}
    before = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [own]}}
    assert terms(wanted, cart(affinity=before)) == [own, term]
    windows = {"kubernetes.io/os": "windows", "kubernetes.io/arch": "amd64"}
    other = {**NODE, "metadata": {"name": "second", "labels": windows}}
    assert terms(wanted, other)[0]["topologyKey"] == "kubernetes.io/arch"


# -- volumes ----------------------------------------------------------------------------------------


def test_an_unbound_claim_is_made_mounted_and_the_cause() -> None:
    made = inject(fault("persistent-volume-claim-unbound", claim="cart-data", storage_class="gold"))
    claim, patch = made.mutations
    assert isinstance(claim, Create)
    assert claim.manifest["spec"]["storageClassName"] == "gold"
    assert [cause.ref for cause in made.causes] == [claim.ref]
    assert isinstance(patch, Patch)
    spec = after(made, shop.observed())
    assert spec["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "cart-data"}}]
    assert spec["containers"][0]["volumeMounts"] == [{"name": "data", "mountPath": "/var/lib/cart-data"}]


def test_other_volumes_stay() -> None:
    there = cart(volumes=[{"name": "data", "emptyDir": {}}])
    spec = spec_of(fault("persistent-volume-claim-missing", claim="x"), there)
    assert [volume["name"] for volume in spec["volumes"]] == ["data", "data-2"]


def test_a_storage_class_that_exists_would_bind() -> None:
    gold = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gold"}}
    with pytest.raises(errors.InvalidInput, match="found 'gold'; there are: gold"):
        inject(fault("persistent-volume-claim-unbound", storage_class="gold"), gold)


# -- accounts and names -----------------------------------------------------------------------------


def test_no_pod_is_waited_for_where_none_can_be() -> None:
    made = inject(fault("service-account-missing"))
    assert made.settle == (plan.RetireOldReplicas(made.causes[0].ref, made=False),)


def binding(*subjects: Json) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "readers", "namespace": shop.NAMESPACE},
        "subjects": list(subjects),
    }


def test_rights_are_lost_by_this_account_only() -> None:
    own = {"kind": "ServiceAccount", "name": "shop", "namespace": shop.NAMESPACE}
    other = {"kind": "ServiceAccount", "name": "default", "namespace": shop.NAMESPACE}
    wanted = fault("service-account-without-rights")
    for subjects, left in (([other, own], [other]), ([own], paths.ABSENT)):
        made = inject(wanted, cart(serviceAccountName="shop"), binding(*subjects))
        (patch,) = made.mutations
        assert isinstance(patch, Patch)
        assert patch.changes[0].value == left
        assert made.causes[0].ref.kind == "RoleBinding"
    with pytest.raises(errors.Unsupported, match="RoleBinding of ServiceAccount/shop"):
        inject(wanted, cart(serviceAccountName="shop"), binding(other))


def test_dns_of_the_node_is_a_change() -> None:
    assert spec_of(fault("dns-policy-default"))["dnsPolicy"] == "Default"
    with pytest.raises(errors.InvalidInput, match="found Default"):
        inject(fault("dns-policy-default"), cart(dnsPolicy="Default"))


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("init-container-crashing", {"name": "cart"}, "that no container of Deployment/cart has"),
        ("init-container-crashing", {"name": "Load"}, "the name of a container"),
        ("init-container-hanging", {"host": "frontend"}, "found 'frontend', a Service's"),
        ("init-container-hanging", {"host": "a b"}, "a host name"),
        ("container-resources-insufficient", {"memory": "lots"}, "memory: expected a quantity"),
        ("container-resources-insufficient", {"cpu": "0"}, "cpu: expected more than nothing"),
        ("container-resources-insufficient", {"memory": "300Mi"}, "expected less memory than the present"),
        ("container-resources-insufficient", {"container": "x"}, "params.container: expected one of: cart"),
        ("ephemeral-storage-exceeded", {"limit": "x"}, "limit: expected a quantity"),
        ("container-command-invalid", {"command": " "}, "expected a program"),
        ("container-image-wrong-architecture", {"image": "UP PER"}, "an image reference"),
        ("readiness-probe-wrong", {"port": 0}, "1 to 65535"),
        ("liveness-probe-killing", {"path": "healthz"}, "a path such as /healthz"),
        ("rollout-progress-deadline-exceeded", {"deadline_seconds": 5}, "10 to 3600"),
        ("node-selector-unmatched", {"selector": {}}, "at least one label"),
        ("pod-anti-affinity-unschedulable", {"apart_from": "cart"}, "one of: checkout, flagd, frontend"),
        ("pod-anti-affinity-unschedulable", {"topology_key": "zone"}, "the same value on all nodes"),
        ("persistent-volume-claim-unbound", {"size": "big"}, "size: expected a quantity"),
        ("persistent-volume-claim-missing", {"claim": "A"}, "claim: expected the name of an object"),
        ("service-account-missing", {"name": "default"}, "a ServiceAccount that does not exist"),
        ("service-account-missing", {"name": "A"}, "the name of a ServiceAccount"),
    ],
)
def test_refuses(name: str, params: Json, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(Fault(name, "Deployment", "cart", params))


@pytest.mark.parametrize("name", sorted(set(cases_template.FAULTS)))
def test_a_workload_at_zero_hurts_nobody(name: str) -> None:
    with pytest.raises(errors.InvalidInput, match="found 0"):
        inject(cases_template.FAULTS[name], shop.deployment("cart", replicas=0))
