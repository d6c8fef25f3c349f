"""Prometheus, Jaeger, kube-state-metrics and metrics-server as they run, asked through the API server's
proxy."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest

from reprise.adapters import jaeger, prometheus

Kubectl = Callable[..., str]

NAMESPACE = "tenant-alerts"
FIRES_SECONDS = 120.0
HIDDEN = "reprise-.*|chaos-mesh"
JOBS = {
    "spanmetrics",
    "applications",
    "kube-state-metrics",
    "kubelet-cadvisor",
    "kubelet-resource",
    "coredns",
}
GROUPS = {"requests", "messaging", "workloads", "containers", "scheduling", "names"}


@pytest.fixture(scope="module")
def proxy(kubeconfig: str) -> Iterator[str]:
    """URL of a `kubectl proxy` of our own, up to the services of the observability namespace."""
    command = ["kubectl", "--kubeconfig", kubeconfig, "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = running.stdout.readline()  # Starting to serve on 127.0.0.1:36067
        assert "serve on" in line, line
        yield f"http://{line.split()[-1]}/api/v1/namespaces/observability/services"
        running.terminate()


@pytest.fixture
async def metrics(proxy: str) -> AsyncIterator[prometheus.Prometheus]:
    async with prometheus.Prometheus(f"{proxy}/prometheus:9090/proxy") as client:
        yield client


@pytest.fixture
async def traces(proxy: str) -> AsyncIterator[jaeger.Jaeger]:
    async with jaeger.Jaeger(f"{proxy}/jaeger:16686/proxy") as client:
        yield client


async def test_every_job_is_scraped_and_every_rule_is_sound(
    metrics: prometheus.Prometheus, kubectl: Kubectl
) -> None:
    assert await metrics.ready()
    # A target that has just gone with its namespace, or was slow once, is down until the next scrape.
    await eventually(metrics, "absent(up == 0)")
    assert {sample.labels["job"] for sample in await metrics.query("up == 1")} >= JOBS

    path = "/api/v1/namespaces/observability/services/prometheus:9090/proxy/api/v1/rules"
    groups = json.loads(kubectl("get", "--raw", path))["data"]["groups"]
    assert {group["name"] for group in groups} == GROUPS
    assert [r["name"] for group in groups for r in group["rules"] if r["health"] != "ok"] == []


@pytest.mark.parametrize(
    "selector",
    [
        *(f'{{{label}=~"{HIDDEN}"}}' for label in ("namespace", "exported_namespace", "k8s_namespace_name")),
        '{__name__=~".*(reprise|kopf|chaos).*"}',
        '{__name__=~"kube_(namespace|job|cronjob|secret|lease|customresource)_.*"}',
        '{__name__=~"apiserver_.*"}',
        '{pod=~".*(reprise|kopf|chaos).*"}',
        '{image=~".*(reprise|kopf|chaos).*"}',
        '{service_name=~"jaeger|.*(reprise|kopf|chaos).*"}',
    ],
)
async def test_nothing_hidden_was_ever_stored(metrics: prometheus.Prometheus, selector: str) -> None:
    assert await metrics.query(f"count({selector})") == []
    assert await metrics.query(f"count(last_over_time({selector}[2h]))") == []


async def test_resource_metrics_answer(kubectl: Kubectl) -> None:
    assert "prometheus" in kubectl("top", "pods", "-n", "observability", "--no-headers")
    assert kubectl("top", "nodes", "--no-headers").strip()


async def test_traces_carry_their_namespace_and_red_metrics_follow(
    metrics: prometheus.Prometheus, traces: jaeger.Jaeger
) -> None:
    services = await traces.services()
    assert "jaeger" not in services
    if "frontend" not in services:
        pytest.skip("no application runs that sends traces")
    now = time.time()

    found = await traces.traces("frontend", now - 60, now, limit=20)

    assert found
    spans = [span for trace in found for span in trace.spans]
    assert all(span.resource_attributes.get("k8s.namespace.name") for span in spans)
    assert {jaeger.SpanKind.SERVER, jaeger.SpanKind.CLIENT} <= {span.kind for span in spans}
    calls = await metrics.query('traces_span_metrics_calls_total{service_name="frontend"}')
    assert {sample.labels["namespace"] for sample in calls} == {
        sample.labels["k8s_namespace_name"] for sample in calls
    }
    buckets = await metrics.query(
        'count(traces_span_metrics_duration_milliseconds_bucket{service_name="frontend", le=~"1500(.0)?"})'
    )
    assert buckets[0].value > 0


def deployment(
    name: str, image: str, pod: Mapping[str, Any] | None = None, **container: Any
) -> dict[str, Any]:
    labels = {"app": name}
    main = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", **container}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [main], **(pod or {})},
            },
        },
    }


def service(name: str, selects: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"app": selects}, "ports": [{"port": 80}]},
    }


def budget(guards: str) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{guards}-pdb", "namespace": NAMESPACE},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": guards}}},
    }


EATS_MEMORY = "held = []\nwhile True: held.append(bytearray(1 << 20))"
FILLS_DISK = "import time; open('/tmp/full', 'wb').write(bytes(20 << 20)); time.sleep(3600)"
REFUSED = {"tcpSocket": {"port": 9}, "periodSeconds": 2}
NO_CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "not-there"}}
NO_DISK = {"limits": {"memory": "32Mi", "ephemeral-storage": "5Mi"}}
NO_CPU = {"limits": {"memory": "32Mi", "cpu": "50m"}}


@pytest.fixture
def workloads(kubectl: Kubectl) -> Iterator[Kubectl]:
    """A namespace with one healthy workload and one of each kind of trouble."""
    image = os.environ.get("REPRISE_TEST_IMAGE") or kubectl(
        "get", "deployments", "-n", "otel-demo", "frontend", "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    )  # fmt: skip
    sleeping: dict[str, Any] = {"command": ["python3", "-c", "import time; time.sleep(3600)"]}
    small: dict[str, Any] = {"limits": {"memory": "32Mi"}}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        deployment("sound", image, resources=small, **sleeping),
        service("sound", "sound"),
        deployment("gone", image, resources=small, **sleeping),
        service("nowhere", "nobody"),
        deployment("no-image", "localhost/no-such-image:1", resources=small),
        deployment("crashing", image, resources=small, command=["false"]),
        deployment("greedy", image, resources=small, command=["python3", "-c", EATS_MEMORY]),
        deployment("unready", image, resources=small, readinessProbe=REFUSED, **sleeping),
        deployment("nobody", image, {"serviceAccountName": "nobody"}, resources=small, **sleeping),
        deployment("homeless", image, {"nodeSelector": {"disk": "none"}}, resources=small, **sleeping),
        deployment("diskless", image, {"volumes": [NO_CLAIM]}, resources=small, **sleeping),
        deployment("full", image, resources=NO_DISK, command=["python3", "-c", FILLS_DISK]),
        deployment("slowed", image, resources=NO_CPU, command=["python3", "-c", "while True: pass"]),
        budget("sound"),
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    try:
        kubectl("apply", "-f", "-", stdin=text)
        for name in ("sound", "gone"):
            kubectl("rollout", "status", f"deployment/{name}", "-n", NAMESPACE, "--timeout=300s")
        yield kubectl
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")


async def test_trouble_of_objects_fires_alerts_that_name_the_workload_and_the_sound_one_none(
    metrics: prometheus.Prometheus, workloads: Kubectl
) -> None:
    spec = {"hard": {"limits.memory": "384Mi"}}
    metadata = {"name": "memory", "namespace": NAMESPACE}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}
    # The former replica count must have been seen for once before it becomes zero.
    await eventually(
        metrics,
        f'kube_deployment_status_replicas_available{{namespace="{NAMESPACE}",deployment="gone"}} == 1',
    )
    workloads("apply", "-f", "-", stdin=json.dumps(quota))
    refused = deployment("refused", "localhost/never-asked-for:1", resources={"limits": {"memory": "1Gi"}})
    workloads("apply", "-f", "-", stdin=json.dumps(refused))
    workloads("scale", "deployment", "gone", "-n", NAMESPACE, "--replicas=0")
    wanted = {
        ("DeploymentScaledToZero", "gone"),
        ("ServiceWithoutEndpoints", "nowhere"),
        ("KubeContainerWaiting", "no-image"),
        ("KubePodNotReady", "no-image"),
        ("KubeDeploymentReplicasMismatch", "no-image"),
        ("KubeDeploymentReplicasMismatch", "refused"),
        ("KubePodCrashLooping", "crashing"),
        ("KubeReplicaFailure", "refused"),
        ("KubeReplicaFailure", "nobody"),
        ("KubeContainerOomKilled", "greedy"),
        ("KubeContainerNotReady", "unready"),
        ("KubePodUnschedulable", "homeless"),
        ("KubePersistentVolumeClaimPending", "diskless"),
        ("KubePodEvicted", "full"),
        ("CpuThrottlingHigh", "slowed"),
        ("KubePdbDisruptionBlocked", "sound"),
    }
    started = time.time()
    seen: set[tuple[str, str]] = set()
    while not wanted <= seen:
        assert time.time() - started < FIRES_SECONDS, f"missing after {FIRES_SECONDS} s: {wanted - seen}"
        for alert in await metrics.alerts():
            if alert.labels["namespace"] == NAMESPACE and alert.state is prometheus.AlertState.FIRING:
                seen.add((alert.name, alert.labels["service_name"]))
        await asyncio.sleep(1)

    assert {name for name, who in seen if who == "sound"} == {"KubePdbDisruptionBlocked"}

    workloads("scale", "deployment", "gone", "-n", NAMESPACE, "--replicas=1")
    workloads("delete", "resourcequota", "memory", "-n", NAMESPACE)
    await eventually(
        metrics, f'kube_deployment_spec_replicas{{namespace="{NAMESPACE}",deployment="gone"}} == 1'
    )
    selector = f'ALERTS{{alertname="DeploymentScaledToZero",alertstate="firing",namespace="{NAMESPACE}"}}'
    await eventually(metrics, f"absent({selector})")
    history = await metrics.alert_history(started, time.time())
    firing = prometheus.AlertState.FIRING
    told = [s for s in history if s.labels["service_name"] == "gone" and s.state is firing]
    assert [(s.name, s.labels["namespace"]) for s in told] == [("DeploymentScaledToZero", NAMESPACE)]
    assert told[0].active_at <= told[0].started_at


async def eventually(metrics: prometheus.Prometheus, expression: str) -> None:
    deadline = time.monotonic() + FIRES_SECONDS
    while not await metrics.query(expression):
        assert time.monotonic() < deadline, f"nothing became true of: {expression}"
        await asyncio.sleep(1)
