"""Faults in nodes, in what they host, and in the cluster's DNS: the plans in detail, and refusals."""

import re
from typing import Any

import pytest
from tests.unit.faults import shop
from tests.unit.faults.cases_objects import COREFILE, config_map, node
from tests.unit.faults.planned import made, observed, patched
from tests.unit.faults.test_planners import FAULTS, inject, with_params

from reprise.domain import errors, plan
from reprise.domain.scenario import Fault
from reprise.faults.mechanism import Json

# -- nodes ------------------------------------------------------------------------------------------


def test_one_replica_a_node_takes_every_place() -> None:
    injection = inject(
        FAULTS["pod-preempted"], observed=observed(node("second"), node("closed", unschedulable=True))
    )
    deployment = made(injection, "Deployment")
    assert deployment["spec"]["replicas"] == 3, "the control plane, too"
    pod = deployment["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == made(injection, "PriorityClass")["metadata"]["name"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    terms = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    own = deployment["metadata"]["name"]
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": own}
    (term,) = terms  # the scheduler wakes a pod only for one that matches all
    (expression,) = term["labelSelector"]["matchExpressions"]
    assert expression == {"key": "app", "operator": "In", "values": ["cart", own]}
    (container,) = pod["containers"]
    assert (container["image"], container["command"]) == (
        "registry.example/demo:2.2.0-cart",
        ["sleep", "infinity"],
    )
    (cause,) = injection.causes
    assert (cause.ref.kind, [e.kind for e in cause.equivalents]) == ("Deployment", ["PriorityClass"])


def test_what_preempts_runs_what_every_node_has() -> None:
    images = [{"names": ["registry.example/pause:3", "x"]}, {}]
    nodes = [{**node(name), "status": {"images": images}} for name in ("control-plane", "worker")]
    pod = made(inject(FAULTS["pod-preempted"], observed=observed(*nodes)), "Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "registry.example/pause:3"
    assert "command" not in container


def test_preemption_needs_a_label_of_the_target_alone() -> None:
    shared = shop.deployment("checkout")
    shared["spec"]["template"]["metadata"]["labels"]["app"] = "cart"
    with pytest.raises(errors.InvalidInput, match="a label that no other workload has, found: app"):
        inject(FAULTS["pod-preempted"], observed=observed(shared))


def test_preemption_needs_a_second_node() -> None:
    closed = node("control-plane", unschedulable=True)
    with pytest.raises(errors.Unsupported, match="two nodes that are not cordoned, found: worker"):
        inject(FAULTS["pod-preempted"], observed=observed(closed))


def pod_spec(**fields: Any) -> Json:
    changed = shop.deployment("cart")
    changed["spec"]["template"]["spec"].update(fields)
    return changed


def affinity(key: str, operator: str, *values: str) -> Json:
    term = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return pod_spec(affinity={"nodeAffinity": required})


HOST = "kubernetes.io/hostname"


@pytest.mark.parametrize(
    ("target", "nodes"),
    [
        (pod_spec(), ["second", "worker"]),
        (pod_spec(nodeSelector={HOST: "second"}), ["second"]),
        (affinity(HOST, "In", "worker"), ["worker"]),
        (affinity(HOST, "NotIn", "worker"), ["second"]),
        (affinity(HOST, "Exists"), ["second", "worker"]),
        (pod_spec(tolerations=[{"operator": "Exists"}]), ["control-plane", "second", "worker"]),
        (
            pod_spec(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]),
            ["control-plane", "second", "worker"],
        ),
        (pod_spec(tolerations=[{"key": "other", "operator": "Exists"}]), ["second", "worker"]),
        (
            pod_spec(
                tolerations=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoExecute"}],
            ),
            ["second", "worker"],
        ),
    ],
)
def test_every_node_that_takes_the_pod_is_cordoned(target: Json, nodes: list[str]) -> None:
    extra = (target, node("second"), node("closed", unschedulable=True))
    injection = inject(FAULTS["node-cordoned"], observed=observed(*extra))
    assert patched(injection) == {f"Node/{name}": ("spec.unschedulable", True) for name in nodes}
    assert [cause.ref.name for cause in injection.causes] == nodes
    workload = observed().ref("Deployment", "cart")
    assert injection.settle == tuple(plan.RecyclePods(workload, after=c.ref) for c in injection.causes)


@pytest.mark.parametrize("name", ["node-cordoned", "node-tainted", "pod-preempted"])
def test_a_pod_that_no_node_takes_is_refused(name: str) -> None:
    for target in (pod_spec(nodeSelector={HOST: "gone"}), affinity("zone", "Exists")):
        with pytest.raises(errors.InvalidInput, match="found none among: control-plane, worker"):
            inject(FAULTS[name], observed=observed(target))


def test_affinity_by_numbers_is_not_understood() -> None:
    with pytest.raises(errors.Unsupported, match="the operator 'Gt'"):
        inject(FAULTS["node-cordoned"], observed=observed(affinity("cores", "Gt", "3")))


def test_taints_are_added_to_what_is_there() -> None:
    soft = {"key": "quiet", "effect": "PreferNoSchedule"}
    fault = with_params("node-tainted", key="dedicated", value="batch")
    taint = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}
    injection = inject(fault, observed=observed(node("second", taints=[soft])))
    assert patched(injection) == {
        "Node/second": ("spec.taints[key=dedicated]", taint),
        "Node/worker": ("spec.taints", [taint]),
    }


@pytest.mark.parametrize(
    ("extra", "params", "message"),
    [
        (pod_spec(tolerations=[{"key": "pool", "operator": "Exists"}]), {"key": "pool"}, "do not tolerate"),
        (
            node("worker", taints=[{"key": "pool", "effect": "PreferNoSchedule"}]),
            {"key": "pool"},
            "that no taint of Node/worker has, found 'pool'",
        ),
        (pod_spec(), {"key": "a b"}, "a label key, found 'a b'"),
        (pod_spec(), {"value": "batch"}, "params.key: expected one for the value 'batch'"),
    ],
)
def test_taint_refuses(extra: Json, params: dict[str, str], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(with_params("node-tainted", **params), observed=observed(extra))


# -- names ------------------------------------------------------------------------------------------

NAME = "valkey-cart.otel-demo.svc.cluster.local"


@pytest.mark.parametrize(
    ("params", "before", "after"),
    [
        ({}, rf"\.:53 {{\n    rewrite name {NAME} valkey-cart-\w+\.otel-demo\.svc\.cluster\.local\n", ""),
        (
            {"how": "template"},
            rf"\.:53 {{\n    template ANY ANY {NAME} {{\n       rcode NXDOMAIN\n    }}\n",
            "",
        ),
        (
            {"how": "forward", "resolver": "192.0.2.9"},
            r"\.:53 {\n",
            f"{NAME}:53 {{\n    errors\n    forward . 192.0.2.9\n}}\n",
        ),
    ],
)
def test_corefile(params: dict[str, str], before: str, after: str) -> None:
    for seed in range(10):
        injection = inject(with_params("coredns-misconfigured", **params), seed)
        (_, text) = patched(injection)["kube-system/ConfigMap/coredns"]
        rest = COREFILE.removeprefix(".:53 {\n")
        match = re.match(before, text)
        assert match
        assert text[match.end() :] == rest + after
        servers = observed().system_ref("Deployment", "coredns")
        assert plan.WaitAvailable(servers) in injection.settle


def test_who_calls_the_service_has_to_ask_for_its_name_again() -> None:
    injection = inject(FAULTS["coredns-misconfigured"])
    users = [step for step in injection.settle if isinstance(step, plan.RecycleUsers)]
    names = {step.deployment.name for step in users}
    assert names >= {"cart", "checkout", "frontend"}
    assert not names & {"coredns", "database"}
    assert {(step.servers.name, step.after.kind) for step in users} == {("coredns", "ConfigMap")}


def test_a_service_that_nobody_calls_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="names Service/checkout, found none"):
        inject(Fault("coredns-misconfigured", "Service", "checkout"))


def test_two_names_in_one_corefile() -> None:
    first = inject(FAULTS["coredns-misconfigured"])
    (_, text) = patched(first)["kube-system/ConfigMap/coredns"]
    there = observed(config_map("coredns", {"Corefile": text}, "kube-system"))
    second = inject(FAULTS["coredns-misconfigured"], observed=there)
    (_, both) = patched(second)["kube-system/ConfigMap/coredns"]
    assert both.count("rewrite name") == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"how": "magic"}, "one of: rewrite, template, forward; found 'magic'"),
        ({"resolver": "192.0.2.9"}, "expected none for rewrite"),
        ({"how": "forward", "resolver": "dns.example"}, "an IP address, found 'dns.example'"),
    ],
)
def test_corefile_refuses(params: dict[str, str], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(with_params("coredns-misconfigured", **params))


def test_another_dns_is_unsupported() -> None:
    fault = FAULTS["coredns-misconfigured"]
    with pytest.raises(errors.Unsupported, match="CoreDNS in kube-system to be configured"):
        inject(fault, observed=shop.observed())
    odd = config_map("coredns", {"Corefile": "example.org { whoami }"}, "kube-system")
    with pytest.raises(errors.Unsupported, match="a block for the root zone"):
        inject(fault, observed=observed(odd))
