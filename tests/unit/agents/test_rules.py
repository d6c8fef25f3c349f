"""Each row breaks the healthy shop in one way and names what must be submitted: all of it, nothing more."""

from collections.abc import Callable

import pytest
from tests.unit.agents.worlds import BEFORE, DURING, Shop, shop

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage import resolve, rules


def submitted(world_of: Shop, **more: object) -> list[str]:
    world = world_of.world(**more)
    found: list[Hypothesis] = [hypothesis for rule in rules.ALL for hypothesis in rule(world)]
    return [cause.entity for cause in resolve.resolve(found, world)]


def policy(name: str, selector: dict[str, str], **spec: object) -> dict[str, object]:
    return {
        "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": selector}, "policyTypes": ["Ingress"], **spec},
    }


def admits_nobody(it: Shop) -> None:
    it.network_policies.append(policy("p", {"opentelemetry.io/name": "frontend"}))
    it.firing("HighRequestErrorRate", service_name="frontend-proxy")


def admits_strangers_only(it: Shop) -> None:
    only = [{"from": [{"podSelector": {"matchLabels": {"opentelemetry.io/name": "quote"}}}]}]
    it.network_policies.append(policy("p", {"opentelemetry.io/name": "frontend"}, ingress=only))


def without_callers(it: Shop, name: str) -> None:
    for deployment in it.deployments:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            container["env"] = [env for env in container.get("env", ()) if env.get("value") != name]


def admits_nobody_that_exists_where_callers_are_unknown(it: Shop) -> None:
    without_callers(it, "load-generator")
    only = [{"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "edge"}}}]}]
    it.network_policies.append(policy("p", {"opentelemetry.io/name": "load-generator"}, ingress=only))


def admits_another_port_only(it: Shop) -> None:
    it.network_policies.append(
        policy("p", {"opentelemetry.io/name": "cart"}, ingress=[{"ports": [{"port": 9999}]}])
    )


def lets_nothing_out(it: Shop) -> None:
    it.network_policies.append(
        policy("p", {"opentelemetry.io/name": "checkout"}, policyTypes=["Egress"], egress=[])
    )


def quota(it: Shop) -> None:
    it.quotas.append({"metadata": {"name": "compute"}, "spec": {"hard": {"limits.memory": "1Gi"}}})
    it.without_pods("checkout")
    replica_set = next(rs for rs in it.replica_sets if rs["metadata"]["name"] == "checkout-1")
    replica_set["status"] = {
        "replicas": 0,
        "conditions": [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "message": 'pods "checkout-1-" is forbidden: exceeded quota: compute, requested: '
                "limits.memory=20Mi, used: limits.memory=1Gi, limited: limits.memory=1Gi",
            }
        ],
    }


def quota_by_event_alone(it: Shop) -> None:
    quota(it)
    replica_set = next(rs for rs in it.replica_sets if rs["metadata"]["name"] == "checkout-1")
    message = replica_set["status"].pop("conditions")[0]["message"]
    it.events.append(
        {
            "reason": "FailedCreate",
            "message": message,
            "involvedObject": {"kind": "ReplicaSet", "name": "checkout-1"},
        }
    )


def flag(it: Shop) -> None:
    it.set_flag("paymentFailure", "50%")
    it.firing("HighRequestErrorRate", service_name="payment")


def image(it: Shop) -> None:
    it.container("product-catalog")["image"] = "otel-demo-lite:9.9.9"
    it.revision(it.deployment("product-catalog"), 2, DURING)
    it.waiting("product-catalog", "ErrImagePull", "not found")


def a_harmless_change(it: Shop) -> None:
    """Nothing else was done: better than no answer."""
    it.add_env("quote", "REGION", "eu-central")
    it.firing("HighRequestErrorRate", service_name="frontend")


def a_harmless_change_beside_the_cause(it: Shop) -> None:
    a_harmless_change(it)
    scaled(it)


def a_change_of_what_answers_in_no_trace_and_one_more(it: Shop) -> None:
    """A broker has no spans of its own: those who publish name it."""
    scaled(it)
    it.add_env("kafka", "KAFKA_MESSAGE_MAX_BYTES", "10")
    it.failures.peers.update({"kafka": 20})
    it.failures.origins.update({"checkout": 20})
    it.firing("HighRequestErrorRate", service_name="checkout")


def selector(it: Shop) -> None:
    it.service("ad")["spec"]["selector"] = {"opentelemetry.io/name": "advert"}


def target_port(it: Shop) -> None:
    it.service("cart")["spec"]["ports"][0]["targetPort"] = 8079


def named_target_port(it: Shop) -> None:
    it.service("cart")["spec"]["ports"][0]["targetPort"] = "grpc"


def scaled(it: Shop) -> None:
    it.deployment("shipping")["spec"]["replicas"] = 0
    it.without_pods("shipping")


def environment_host(it: Shop) -> None:
    it.set_env("cart", "VALKEY_ADDR", "valkey-basket:6379")


def environment_port(it: Shop) -> None:
    it.set_env("cart", "VALKEY_ADDR", "valkey-cart:6380")


def a_shared_host_changed_in_one(it: Shop) -> None:
    """A host that nobody serves, in everybody's environment: only the one that was changed is suspect."""
    for deployment in it.deployments:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            container.setdefault("env", []).append({"name": "AUDIT_ADDR", "value": "audit:9000"})
    it.replica_sets.clear()
    it.pods.clear()
    for deployment in it.deployments:
        it.revision(deployment, 1, BEFORE)
    it.set_env("quote", "AUDIT_ADDR", "audit:9001")


def service_deleted(it: Shop) -> None:
    it.services = [s for s in it.services if s["metadata"]["name"] != "currency"]


def service_port_changed(it: Shop) -> None:
    it.service("product-catalog")["spec"]["ports"][0]["port"] = 8090


def environment_host_and_crashes(it: Shop) -> None:
    environment_host(it)
    it.waiting("cart", "CrashLoopBackOff")
    it.pod("cart")["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"exitCode": 1, "reason": "Error", "finishedAt": DURING}
    }


def callers_of_a_stopped_one_crash(it: Shop) -> None:
    it.deployment("valkey-cart")["spec"]["replicas"] = 0
    it.without_pods("valkey-cart")
    it.waiting("cart", "CrashLoopBackOff")
    it.pod("cart")["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"exitCode": 1, "reason": "Error", "finishedAt": DURING}
    }


def an_old_template_again(it: Shop) -> None:
    """A ReplicaSet from before the window is used again."""
    it.container("currency")["args"] = ["currencies"]
    replica_set = it.revision(it.deployment("currency"), 2, DURING)
    replica_set["metadata"]["creationTimestamp"] = BEFORE
    it.deployment("currency")["status"] = {
        "replicas": 1,
        "conditions": [{"type": "Progressing", "status": "True", "lastUpdateTime": DURING}],
    }


def memory(it: Shop) -> None:
    state = it.pod("recommendation")["status"]["containerStatuses"][0]
    state["restartCount"] = 3
    state["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": DURING}}


def cordoned(it: Shop) -> None:
    it.nodes[0]["spec"] = {"unschedulable": True}
    pod = it.pod("email")
    pod["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 node(s) were unschedulable.",
            }
        ],
    }


def bad_node_selector(it: Shop) -> None:
    cordoned(it)
    it.nodes[0]["spec"] = {}
    it.pod("email")["status"]["conditions"][0]["message"] = (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    )


def two_causes(it: Shop) -> None:
    scaled(it)
    selector(it)


def rolled_out_and_broken(it: Shop) -> None:
    it.container("currency")["args"] = ["currencies"]
    it.revision(it.deployment("currency"), 2, DURING)
    it.deployment("currency")["status"] = {"replicas": 1}
    it.firing("KubeDeploymentRolloutStuck", deployment="currency")


def limit_range(it: Shop, maximum: str = "150Mi") -> None:
    it.limit_ranges += [
        {"metadata": {"name": name}, "spec": {"limits": [{"type": "Container", "max": {"memory": value}}]}}
        for name, value in (("generous", "8Gi"), ("limits", maximum))
    ]


def limit_range_refuses(it: Shop) -> None:
    limit_range(it)
    message = "maximum memory usage per Container is 150Mi, but limit is 300Mi"
    it.refused("ad", f'pods "ad-1-" is forbidden: [{message}, maximum cpu usage per Container is 1]')


def admission_policy(it: Shop) -> None:
    it.refused(
        "email",
        "pods \"email-1-\" is forbidden: ValidatingAdmissionPolicy 'pod-ownership' with binding "
        "'pod-ownership-all' denied request: pods must name their owner",
    )


def account_missing(it: Shop) -> None:
    it.refused(
        "currency",
        'pods "currency-1-" is forbidden: error looking up service account otel-demo/currency-sa: '
        'serviceaccount "currency-sa" not found',
    )


def tainted(it: Shop) -> None:
    it.nodes[0]["spec"] = {"taints": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]}
    it.unschedulable(
        "payment", "0/1 nodes are available: 1 node(s) had untolerated taint(s) {dedicated: batch}."
    )


def unbound_claim(it: Shop, phase: str = "Pending") -> None:
    it.claims.append({"metadata": {"name": "catalog-data"}, "status": {"phase": phase}})
    it.unschedulable(
        "product-catalog",
        "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
    )
    it.pod("product-catalog")["spec"]["volumes"] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "catalog-data"}}
    ]


def claim_that_is_not_there(it: Shop) -> None:
    unbound_claim(it)
    it.claims.clear()


def killing(it: Shop, *pods: str) -> None:
    it.events += [
        {"reason": "Killing", "lastTimestamp": DURING, "involvedObject": {"kind": "Pod", "name": pod}}
        for pod in pods
    ]


def killed_again_and_again(it: Shop) -> None:
    killing(it, "currency-1-abc", "currency-1-def")


def preempted(it: Shop) -> None:
    it.arrives("headroom", priority=1000)
    it.events.append(
        {
            "reason": "Preempted",
            "lastTimestamp": DURING,
            "message": "Preempted by pod uid-headroom-pod on node worker",
            "involvedObject": {"kind": "Pod", "name": "kafka-1-gone"},
        }
    )
    it.unschedulable(
        "kafka", "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity."
    )


def preempted_without_the_event(it: Shop) -> None:
    preempted(it)
    it.events.clear()


def evicted(
    it: Shop, why: str = "Pod ephemeral local storage usage exceeds the total limit of containers 64Ki. "
) -> None:
    it.pod("kafka")["status"] = {"phase": "Failed", "reason": "Evicted", "message": why}


def autoscaler(it: Shop, reason: str = "TooManyReplicas") -> None:
    it.autoscalers.append(
        {
            "metadata": {"name": "quote-hpa", "creationTimestamp": DURING},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "quote"}, "maxReplicas": 4},
            "status": {
                "currentReplicas": 4,
                "conditions": [{"type": "ScalingLimited", "status": "True", "reason": reason}],
            },
        }
    )


def budget(it: Shop, allowed: int = 0) -> None:
    it.nodes[0]["spec"] = {"unschedulable": True}
    it.disruption_budgets.append(
        {
            "metadata": {"name": "cart-pdb"},
            "spec": {"selector": {"matchLabels": {"opentelemetry.io/name": "cart"}}},
            "status": {
                "disruptionsAllowed": allowed,
                "currentHealthy": 1,
                "desiredHealthy": 1 - allowed,
                "expectedPods": 1,
            },
        }
    )


def short_of_processor(it: Shop) -> None:
    it.firing("HighCpuUsage", service_name="recommendation")


def a_new_client_of_the_database(it: Shop) -> None:
    it.arrives("schema-migration")
    it.firing("HighRequestErrorRate", service_name="product-catalog")


def name_rewritten(it: Shop) -> None:
    corefile = it.system_config_maps[0]["data"]
    corefile["Corefile"] = corefile["Corefile"].replace(
        "forward",
        "rewrite name cart.otel-demo.svc.cluster.local cart-v2.otel-demo.svc.cluster.local\n    forward",
    )


def told_wrong_by_a_config_map(it: Shop) -> None:
    it.replaced("postgresql")
    it.waiting("postgresql", "CrashLoopBackOff")
    it.pod("postgresql")["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"exitCode": 3, "reason": "Error", "finishedAt": DURING}
    }


BROKEN: list[tuple[Callable[[Shop], None], list[str]]] = [
    (admits_nobody, ["otel-demo/NetworkPolicy/p"]),
    (admits_strangers_only, ["otel-demo/NetworkPolicy/p"]),
    (admits_nobody_that_exists_where_callers_are_unknown, ["otel-demo/NetworkPolicy/p"]),
    (admits_another_port_only, ["otel-demo/NetworkPolicy/p"]),
    (lets_nothing_out, ["otel-demo/NetworkPolicy/p"]),
    (quota, ["otel-demo/ResourceQuota/compute"]),
    (quota_by_event_alone, ["otel-demo/ResourceQuota/compute"]),
    (flag, ["otel-demo/ConfigMap/flagd-config"]),
    (a_harmless_change, ["otel-demo/Deployment/quote"]),
    (a_harmless_change_beside_the_cause, ["otel-demo/Deployment/shipping"]),
    (
        a_change_of_what_answers_in_no_trace_and_one_more,
        ["otel-demo/Deployment/kafka", "otel-demo/Deployment/shipping"],
    ),
    (image, ["otel-demo/Deployment/product-catalog"]),
    (selector, ["otel-demo/Service/ad"]),
    (target_port, ["otel-demo/Service/cart"]),
    (named_target_port, ["otel-demo/Service/cart"]),
    (scaled, ["otel-demo/Deployment/shipping"]),
    (environment_host, ["otel-demo/Deployment/cart"]),
    (environment_port, ["otel-demo/Deployment/cart"]),
    (a_shared_host_changed_in_one, ["otel-demo/Deployment/quote"]),
    (service_deleted, ["otel-demo/Service/currency"]),
    (service_port_changed, ["otel-demo/Service/product-catalog"]),
    (environment_host_and_crashes, ["otel-demo/Deployment/cart"]),
    (callers_of_a_stopped_one_crash, ["otel-demo/Deployment/valkey-cart"]),
    (an_old_template_again, ["otel-demo/Deployment/currency"]),
    (memory, ["otel-demo/Deployment/recommendation"]),
    (cordoned, ["Node/worker"]),
    (bad_node_selector, ["otel-demo/Deployment/email"]),
    (two_causes, ["otel-demo/Deployment/shipping", "otel-demo/Service/ad"]),
    (rolled_out_and_broken, ["otel-demo/Deployment/currency"]),
    (limit_range_refuses, ["otel-demo/LimitRange/limits"]),
    (admission_policy, ["ValidatingAdmissionPolicy/pod-ownership"]),
    (account_missing, ["otel-demo/Deployment/currency"]),
    (tainted, ["Node/worker"]),
    (unbound_claim, ["otel-demo/PersistentVolumeClaim/catalog-data"]),
    (claim_that_is_not_there, ["otel-demo/Deployment/product-catalog"]),
    (killed_again_and_again, ["otel-demo/Deployment/currency"]),
    (preempted, ["otel-demo/Deployment/headroom"]),
    (preempted_without_the_event, ["otel-demo/Deployment/headroom"]),
    (evicted, ["otel-demo/Deployment/kafka"]),
    (autoscaler, ["otel-demo/HorizontalPodAutoscaler/quote-hpa"]),
    (budget, ["otel-demo/PodDisruptionBudget/cart-pdb"]),
    (short_of_processor, ["otel-demo/Deployment/recommendation"]),
    (a_new_client_of_the_database, ["otel-demo/Deployment/schema-migration"]),
    (name_rewritten, ["kube-system/ConfigMap/coredns"]),
    (told_wrong_by_a_config_map, ["otel-demo/ConfigMap/postgresql-init"]),
]


@pytest.mark.parametrize(("breaks", "expected"), BROKEN, ids=[row[0].__name__ for row in BROKEN])
def test_the_cause_and_nothing_else(breaks: Callable[[Shop], None], expected: list[str]) -> None:
    it = shop()
    breaks(it)
    assert sorted(submitted(it)) == expected
