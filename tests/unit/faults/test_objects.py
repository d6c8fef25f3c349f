"""Faults in objects beside the pod template: what they plan in detail, and what they refuse."""

import base64
import re
from typing import Any

import pytest
from tests.unit.faults import shop
from tests.unit.faults.cases_objects import COREFILE, EXTRA, SQL, config_map, node, secret
from tests.unit.faults.test_planners import FAULTS, inject, with_params

from reprise.domain import errors, paths, plan
from reprise.domain.mutation import Create, Delete, Patch
from reprise.domain.scenario import Fault
from reprise.faults import surge
from reprise.faults.mechanism import Injection, Json, Observed


def observed(*extra: Json) -> Observed:
    return shop.observed(*EXTRA, *extra)


def made(injection: Injection, kind: str) -> Json:
    (manifest,) = [
        m.manifest for m in injection.mutations if isinstance(m, Create) and m.manifest["kind"] == kind
    ]
    return manifest


def patched(injection: Injection) -> dict[str, tuple[str, Any]]:
    """By object: the path and the value of its one change."""
    return {
        str(m.ref): (paths.text(m.changes[0].path), m.changes[0].value)
        for m in injection.mutations
        if isinstance(m, Patch)
    }


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

NAME = "cart.otel-demo.svc.cluster.local"


@pytest.mark.parametrize(
    ("params", "before", "after"),
    [
        ({}, rf"\.:53 {{\n    rewrite name {NAME} cart-\w+\.otel-demo\.svc\.cluster\.local\n", ""),
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


def test_two_names_in_one_corefile() -> None:
    first = inject(FAULTS["coredns-misconfigured"])
    (_, text) = patched(first)["kube-system/ConfigMap/coredns"]
    there = observed(config_map("coredns", {"Corefile": text}, "kube-system"))
    second = inject(Fault("coredns-misconfigured", "Service", "frontend"), observed=there)
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


# -- configuration ----------------------------------------------------------------------------------

REFERENCES: tuple[tuple[str, Json], ...] = (
    ("volume", {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}),
    (
        "projected",
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}]},
    ),
    (
        "variable",
        {"env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]},
    ),
    ("all variables", {"envFrom": [{"configMapRef": {"name": "settings"}}]}),
)


@pytest.mark.parametrize(("how", "reference"), REFERENCES, ids=[how for how, _ in REFERENCES])
@pytest.mark.parametrize("where", ["containers", "initContainers"])
def test_readers_are_replaced(how: str, reference: Json, where: str) -> None:
    reader = shop.deployment("cart")
    spec = reader["spec"]["template"]["spec"]
    if "volumes" in reference:
        spec.update(reference)
    else:
        spec[where] = [{"name": "cart", "image": "x", **reference}]
        spec.setdefault("containers", [])
    there = observed(reader, config_map("settings", {"a": "1", "b": "2"}))
    injection = inject(Fault("config-map-key-removed", "ConfigMap", "settings", {"key": "a"}), observed=there)
    ref, workload = there.ref("ConfigMap", "settings"), there.ref("Deployment", "cart")
    assert injection.settle == (plan.RecyclePods(workload, after=ref),)
    assert injection.recover == (plan.RecyclePods(workload, after=ref), plan.WaitAvailable(workload))


@pytest.mark.parametrize(
    ("fault", "extra", "message"),
    [
        (
            Fault("config-map-key-removed", "ConfigMap", "unread"),
            config_map("unread", {"a": "1"}),
            "whose pods read ConfigMap/unread, found none",
        ),
        (
            Fault("config-map-key-removed", "ConfigMap", "database-init"),
            config_map("database-init", {"a": "1", "b": "2"}),
            "params.key: expected one of: a, b; found None",
        ),
        (
            with_params("config-map-key-removed", renamed="init.sql"),
            EXTRA[0],
            "not there, found one of: init",
        ),
        (with_params("config-map-key-removed", renamed="a/b"), EXTRA[0], "a key of a ConfigMap, found 'a/b'"),
        (with_params("config-map-key-removed", key="x"), EXTRA[0], "one of: init.sql; found 'x'"),
        (with_params("config-map-key-wrong", find="nowhere"), EXTRA[0], "none that reads 'nowhere'"),
        (with_params("config-map-key-wrong", find=""), EXTRA[0], "found an empty one"),
        (with_params("config-map-key-wrong", find="x", replace="x"), EXTRA[0], "another text than the one"),
    ],
)
def test_configuration_refuses(fault: Fault, extra: Json, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(fault, observed=observed(extra))


def test_the_text_of_a_removed_key_stays_under_another() -> None:
    (mutation,) = inject(with_params("config-map-key-removed", renamed="init.txt")).mutations
    assert isinstance(mutation, Patch)
    assert [(paths.text(c.path), c.value) for c in mutation.changes] == [
        ('data["init.txt"]', SQL),
        ('data["init.sql"]', paths.ABSENT),
    ]
    (seeded,) = inject(FAULTS["config-map-key-removed"]).mutations
    assert isinstance(seeded, Patch)
    assert re.fullmatch(r'data\["init\.sql\.(old|orig|bak)"\]', paths.text(seeded.changes[0].path))


def test_every_occurrence_is_replaced_and_nothing_else() -> None:
    injection = inject(FAULTS["config-map-key-wrong"])
    assert patched(injection) == {
        "otel-demo/ConfigMap/database-init": ('data["init.sql"]', SQL.replace("products", "items"))
    }


# -- credentials ------------------------------------------------------------------------------------


def test_a_slip_is_never_the_present_value() -> None:
    values = set()
    for seed in range(60):
        injection = inject(FAULTS["secret-corrupted"], seed)
        (_, encoded) = patched(injection)["otel-demo/Secret/database-credentials"]
        values.add(base64.b64decode(encoded).decode())
    assert "otelp" not in values
    assert {"otel", "otelpp", "toelp"} <= values
    assert injection.settle == (
        plan.RecyclePods(observed().ref("Deployment", "database"), after=injection.causes[0].ref),
    )


@pytest.mark.parametrize(
    ("extra", "params", "message"),
    [
        (EXTRA[0], {"value": "otelp"}, "another value than the present one, found the same"),
        (secret("database-credentials", password=""), {}, "because Secret/database-credentials holds none"),
        (
            {**secret("database-credentials"), "data": {"password": "/w=="}},
            {},
            "one that holds text, found other bytes",
        ),
    ],
)
def test_secret_refuses_without_a_word_of_it(extra: Json, params: dict[str, str], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message) as caught:
        inject(with_params("secret-corrupted", **params), observed=observed(extra))
    assert "otelp" not in str(caught.value)


def tls_reader() -> Json:
    reader = shop.deployment("frontend")
    reader["spec"]["template"]["spec"]["volumes"] = [
        {"name": "tls", "projected": {"sources": [{"secret": {"name": "storefront-tls"}}]}}
    ]
    return reader


def test_certificate_is_put_where_there_is_one() -> None:
    fault = FAULTS["tls-secret-expired"]
    there = observed(tls_reader(), secret("storefront-tls", "kubernetes.io/tls", **{"tls.crt": "x"}))
    injection = inject(fault, observed=there)
    (path, encoded) = patched(injection)["otel-demo/Secret/storefront-tls"]
    assert path == 'data["tls.crt"]'
    assert base64.b64decode(encoded).decode() == fault.params["certificate"]
    other = Fault(fault.mechanism, "Secret", "database-credentials", fault.params)
    with pytest.raises(
        errors.InvalidInput, match="one of: storefront-tls; found database-credentials of type"
    ):
        inject(other, observed=there)
    with pytest.raises(errors.InvalidInput, match="a certificate as PEM"):
        inject(with_params("tls-secret-expired", certificate="x"), observed=there)
