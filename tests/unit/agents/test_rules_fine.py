"""Worlds in which nothing is wrong, however much was changed: nothing must be submitted, or only a guess."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.agents.test_rules import (
    autoscaler,
    budget,
    evicted,
    killing,
    limit_range,
    policy,
    quota_by_event_alone,
    submitted,
    without_callers,
)
from tests.unit.agents.worlds import BEFORE, DURING, Shop, shop

from reprise.agents.triage.calls import Failures


def allows_the_callers(it: Shop) -> None:
    only = [{"from": [{"podSelector": {}}], "ports": [{"port": 8080}]}]
    it.network_policies.append(policy("p", {"opentelemetry.io/name": "cart"}, ingress=only))


def two_policies_that_together_allow(it: Shop) -> None:
    it.network_policies.append(policy("deny", {"opentelemetry.io/name": "cart"}, ingress=[]))
    allows_the_callers(it)


def keeps_everybody_from_what_serves_nobody(it: Shop) -> None:
    it.network_policies.append(policy("p", {"opentelemetry.io/name": "accounting"}))


def admits_another_namespace(it: Shop) -> None:
    without_callers(it, "load-generator")
    only = [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}]}]
    it.network_policies.append(policy("p", {"opentelemetry.io/name": "load-generator"}, ingress=only))


def an_old_change(it: Shop) -> None:
    it.container("cart")["image"] = "otel-demo-lite:newer"
    it.revision(it.deployment("cart"), 2, BEFORE)
    it.firing("HighRequestErrorRate", service_name="frontend")


def a_pod_deleted_after_an_old_rollback(it: Shop) -> None:
    """The revision before was a broken one, long ago; now somebody deleted the pod."""
    it.container("cart")["image"] = "otel-demo-lite:fixed"
    it.revision(it.deployment("cart"), 2, BEFORE)
    it.deployment("cart")["status"]["conditions"] = [
        {"type": "Progressing", "status": "True", "lastUpdateTime": BEFORE}
    ]
    it.pod("cart")["metadata"]["creationTimestamp"] = DURING
    it.firing("HighRequestErrorRate", service_name="cart")


def a_quota_with_room(it: Shop) -> None:
    it.quotas.append({"metadata": {"name": "compute"}, "spec": {"hard": {"limits.memory": "100Gi"}}})


def a_refusal_that_is_over(it: Shop) -> None:
    quota_by_event_alone(it)
    replica_set = next(rs for rs in it.replica_sets if rs["metadata"]["name"] == "checkout-1")
    replica_set["status"] = {"replicas": 1}


def crashed_before_the_window(it: Shop) -> None:
    state = it.pod("kafka")["status"]["containerStatuses"][0] if it.pods else {}
    state["restartCount"] = 1
    state["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": BEFORE}}


def an_eviction_for_want_of_disk(it: Shop) -> None:
    """The node's want, of which its conditions tell."""
    evicted(it, "The node was low on resource: ephemeral-storage. Threshold quantity: 1, available: 0.")


def an_autoscaler_within_its_bounds(it: Shop) -> None:
    autoscaler(it, "DesiredWithinRange")


def a_budget_that_lets_go(it: Shop) -> None:
    budget(it, allowed=1)


def a_client_that_came_and_hurts_nobody(it: Shop) -> None:
    it.arrives("report")


def the_application_is_new(it: Shop) -> None:
    for deployment in it.deployments:
        deployment["metadata"]["creationTimestamp"] = DURING
    it.firing("HighRequestErrorRate", service_name="frontend")


def a_pod_that_was_replaced_once(it: Shop) -> None:
    killing(it, "currency-1-abc", "currency-1-abc")


def a_roll_out_under_way(it: Shop) -> None:
    it.add_env("quote", "REGION", "eu-central")
    it.pending("KubePodNotReady", service_name="quote")


def a_pod_made_anew_that_works(it: Shop) -> None:
    it.replaced("postgresql")
    it.firing("HighRequestErrorRate", service_name="ad")


FINE: list[Callable[[Shop], None]] = [
    allows_the_callers,
    two_policies_that_together_allow,
    keeps_everybody_from_what_serves_nobody,
    admits_another_namespace,
    an_old_change,
    a_pod_deleted_after_an_old_rollback,
    a_quota_with_room,
    a_refusal_that_is_over,
    crashed_before_the_window,
    limit_range,
    an_eviction_for_want_of_disk,
    an_autoscaler_within_its_bounds,
    a_budget_that_lets_go,
    a_client_that_came_and_hurts_nobody,
    the_application_is_new,
    a_pod_that_was_replaced_once,
    a_pod_made_anew_that_works,
    a_roll_out_under_way,
    lambda it: None,
]


def test_the_upstream_release_is_fine(data: Path) -> None:
    """Its pods have no probes and its collector is not part of the namespace."""
    reference = json.loads((data / "otel-demo-2.2.0.json").read_text())
    it = Shop()
    for name, workload in reference["workloads"].items():
        containers = [
            {
                "name": container["name"],
                "ports": container["ports"],
                "env": [{"name": k, "value": v} for k, v in container["env"].items() if isinstance(v, str)],
            }
            for container in workload["containers"]
        ]
        template = {"metadata": {"labels": workload["podLabels"]}, "spec": {"containers": containers}}
        spec = {"replicas": workload["replicas"], "template": template}
        it.add({"kind": workload["kind"], "metadata": {"name": name}, "spec": spec})
    for name, spec in reference["services"].items():
        it.add({"kind": "Service", "metadata": {"name": name}, "spec": spec})
    it.firing("HighRequestErrorRate", service_name="frontend")
    assert submitted(it) == []


@pytest.mark.parametrize("does", FINE, ids=lambda does: does.__name__)
def test_nothing_is_submitted_when_nothing_is_wrong(does: Callable[[Shop], None]) -> None:
    it = shop()
    does(it)
    assert submitted(it) == []


def test_the_best_guess_is_taken_only_while_an_alert_fires() -> None:
    it = shop()
    guess = Failures()
    guess.origins.update({"payment": 20, "frontend": 1})
    assert submitted(it, failures=guess) == []
    it.firing("HighRequestErrorRate", service_name="payment")
    assert submitted(it, failures=guess) == ["otel-demo/Deployment/payment"]
