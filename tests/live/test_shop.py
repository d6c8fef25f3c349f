"""The shop on a real cluster, in a namespace of its own: it starts, serves orders, and keeps its budget."""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.live.waiting import eventually

ROOT = Path(__file__).parents[2]
Kubectl = Callable[..., str]
JAEGER = "/api/v1/namespaces/observability/services/jaeger:16686/proxy/api"
MIB = 2**20

# Everything that an order goes through.
CALL_GRAPH = {
    "load-generator",
    "frontend-proxy",
    "frontend",
    "checkout",
    "cart",
    "product-catalog",
    "currency",
    "payment",
    "shipping",
    "quote",
    "email",
    "accounting",
    "fraud-detection",
}


def manifests(kubectl: Kubectl, namespace: str) -> str:
    """The application's manifests for another namespace, with the images that the cluster has."""
    images = {
        name: kubectl(
            "get", "deployment", "-n", "otel-demo", workload,
            "-o", "jsonpath={.spec.template.spec.containers[0].image}",
        )
        for name, workload in (("otel-demo-lite", "cart"), ("otel-demo-kafka", "kafka"))
    }  # fmt: skip
    documents = list(yaml.safe_load_all(kubectl("kustomize", str(ROOT / "manifests" / "otel-demo"))))
    for document in documents:
        if document["kind"] == "Namespace":
            document["metadata"]["name"] = namespace
            continue
        document["metadata"]["namespace"] = namespace
        if document["kind"] == "Deployment":
            pod = document["spec"]["template"]["spec"]
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                container["image"] = images[container["image"]]
    return yaml.safe_dump_all(documents)


@pytest.fixture(scope="module")
def shop(kubectl: Kubectl) -> Iterator[str]:
    """A namespace with a shop of its own. Nobody buys at the other one meanwhile: two cores carry one."""
    namespace = f"shop-{secrets.token_hex(3)}"
    buyers = ("scale", "deployment/load-generator", "-n", "otel-demo")
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=manifests(kubectl, namespace))
        kubectl(*buyers, "--replicas=0")
        kubectl(
            "wait", "-n", namespace, "--for=condition=Available", "deployment", "--all", "--timeout=600s",
            timeout_seconds=630,
        )  # fmt: skip
        yield namespace
    finally:
        # Where nobody comes to this any more, the next run does: it applies the whole application.
        kubectl(*buyers, "--replicas=1")
        kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
        kubectl("rollout", "status", *buyers[1:], "--timeout=300s", timeout_seconds=310)


def logs(kubectl: Kubectl, namespace: str, deployment: str, since: str = "10m") -> list[dict[str, Any]]:
    """The JSON lines of a Deployment's main container."""
    text = kubectl("logs", "-n", namespace, f"deployment/{deployment}", "-c", deployment, f"--since={since}")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def messages(kubectl: Kubectl, namespace: str, deployment: str, needle: str) -> list[dict[str, Any]]:
    return [line for line in logs(kubectl, namespace, deployment) if needle in line["message"]]


def test_orders_arrive(kubectl: Kubectl, shop: str) -> None:
    kept = eventually(lambda: messages(kubectl, shop, "accounting", "order kept"), "an order in the database")
    assert kept[0]["service"] == "accounting"
    assert len(kept[0]["trace_id"]) == 32


def complete_order(kubectl: Kubectl, namespace: str) -> dict[str, Any] | None:
    """A trace of an order that went through the whole call graph, if there is one by now."""
    for line in messages(kubectl, namespace, "accounting", "order kept"):
        found = json.loads(
            kubectl("get", "--raw", f"{JAEGER}/traces/{line['trace_id']}", check=False) or "{}"
        )
        for trace in found.get("data") or []:
            services = {process["serviceName"] for process in trace["processes"].values()}
            # The first span is the last to end, and may come a second after the rest.
            if services >= CALL_GRAPH and any(not span.get("references") for span in trace["spans"]):
                return dict(trace)
    return None


def test_an_order_is_one_trace(kubectl: Kubectl, shop: str) -> None:
    trace = eventually(lambda: complete_order(kubectl, shop), "a trace with every service of an order")
    namespaces = {
        tag["value"]
        for process in trace["processes"].values()
        for tag in process["tags"]
        if tag["key"] == "k8s.namespace.name"
    }
    assert namespaces == {shop}
    roots = [span for span in trace["spans"] if not span.get("references")]
    assert [span["operationName"] for span in roots] in (["user_checkout_single"], ["user_checkout_multi"])
    assert not [
        tag for span in trace["spans"] for tag in span["tags"] if tag == {"key": "error", "value": True}
    ]


def usage(kubectl: Kubectl, namespace: str) -> tuple[float, float] | None:
    """(working set in MiB, cores) of the namespace; None while there are no figures for all pods."""
    memory, cores, pods = 0.0, 0.0, 0
    for node in kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split():
        summary = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
        for pod in summary["pods"]:
            if pod["podRef"]["namespace"] != namespace:
                continue
            if any("usageNanoCores" not in one.get("cpu", {}) for one in pod["containers"]):
                return None
            pods += 1
            memory += sum(one["memory"]["workingSetBytes"] for one in pod["containers"]) / MIB
            cores += sum(one["cpu"]["usageNanoCores"] for one in pod["containers"]) / 1e9
    return (memory, cores) if pods == 22 else None


def test_budget(kubectl: Kubectl, shop: str) -> None:
    memory, cores = eventually(lambda: usage(kubectl, shop), "figures of all 22 pods")
    print(f"working set {memory:.0f} MiB, {cores:.2f} cores")
    assert memory < 2560
    assert cores < 1


def set_flag(kubectl: Kubectl, namespace: str, flag: str, variant: str) -> None:
    """Make a variant the default in the ConfigMap; flagd does not see it before its pod is replaced."""
    text = kubectl("get", "configmap", "-n", namespace, "flagd-config", "-o", "json")
    flags = json.loads(json.loads(text)["data"]["demo.flagd.json"])
    flags["flags"][flag]["defaultVariant"] = variant
    patch = {"data": {"demo.flagd.json": json.dumps(flags)}}
    kubectl("patch", "configmap", "-n", namespace, "flagd-config", "--type=merge", "-p", json.dumps(patch))


def test_flag_acts_when_flagds_pod_is_replaced(kubectl: Kubectl, shop: str) -> None:
    set_flag(kubectl, shop, "paymentFailure", "100%")
    kubectl("delete", "pod", "-n", shop, "-l", "opentelemetry.io/name=flagd")
    failed = eventually(
        lambda: messages(kubectl, shop, "checkout", "failed to charge card"),
        "an order that fails at the payment",
    )
    assert "could not charge the card: rpc error: code = Internal" in failed[0]["message"]


def test_nothing_restarts(kubectl: Kubectl, shop: str) -> None:
    pods = json.loads(kubectl("get", "pods", "-n", shop, "-o", "json"))["items"]
    restarts = {
        f"{pod['metadata']['name']}/{status['name']}": status["restartCount"]
        for pod in pods
        for status in pod["status"].get("containerStatuses", [])
        if status["restartCount"]
    }
    assert restarts == {}
