"""What the observability manifests promise: nothing hidden is stored, every alert can be placed, images are
ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "manifests" / "observability"
PRODUCT = re.compile(r"reprise|kopf|chaos-?mesh", re.IGNORECASE)
SCRAPE = yaml.safe_load((FOLDER / "config" / "prometheus.yml").read_text())["scrape_configs"]
NAMES_OF_ALERTS = {
    "HighRequestErrorRate",
    "HighRequestLatency",
    "NoRequestsReceived",
    "NoDatabaseOperations",
    "KafkaConsumerGroupInactive",
    "HighKafkaConsumerLag",
    "FailedPodsDetected",
    "KubePodNotReady",
    "KubePodCrashLooping",
    "KubeContainerWaiting",
    "KubeDeploymentRolloutStuck",
    "KubeHpaMaxedOut",
    "KubeDeploymentReplicasMismatch",
    "DeploymentScaledToZero",
    "ServiceWithoutEndpoints",
    "DatabaseOperationsFailing",
    "DatabaseConnectionsExhausted",
    "KubeContainerNotReady",
    "KubeReplicaFailure",
    "KubePodUnschedulable",
    "KubeNodeUnschedulable",
    "KubePdbDisruptionBlocked",
    "KubePersistentVolumeClaimPending",
    "KubePodEvicted",
    "KubeContainerOomKilled",
    "CpuThrottlingHigh",
    "ContainerMemoryNearLimit",
    "KubeContainerWithoutMemoryLimit",
    "HighCpuUsage",
    "HighDnsFailureRate",
    "CoreDNSErrorsHigh",
    "CoreDNSDown",
}


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted((FOLDER / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


ALERTS = [rule for rule in rules() if "alert" in rule]


def stored(job: dict[str, Any], labels: dict[str, str]) -> bool:
    """Tell whether a series with these labels passes the job's relabelling, as Prometheus does it."""
    labels = dict(labels)
    for step in job["metric_relabel_configs"]:
        action = step.get("action", "replace")
        joined = step.get("separator", ";").join(
            labels.get(name, "") for name in step.get("source_labels", [])
        )
        matched = re.fullmatch(step.get("regex", "(.*)"), joined)
        if (action == "drop" and matched) or (action == "keep" and not matched):
            return False
        if action == "labeldrop":
            labels = {name: value for name, value in labels.items() if not re.fullmatch(step["regex"], name)}
        if action == "replace" and matched:
            labels[step["target_label"]] = matched.expand(step.get("replacement", "$1").replace("$1", r"\1"))
    return True


# One series of each job that must be stored, to which the cases add what must not be.
SEEN = {
    "spanmetrics": {"__name__": "traces_span_metrics_calls_total", "k8s_namespace_name": "otel-demo"},
    "applications": {"__name__": "kafka_consumer_group_lag", "k8s_namespace_name": "otel-demo"},
    "kube-state-metrics": {"__name__": "kube_deployment_spec_replicas", "namespace": "otel-demo"},
    "kubelet-cadvisor": {"__name__": "container_memory_rss", "namespace": "otel-demo", "pod": "cart-1"},
    "kubelet-resource": {"__name__": "pod_cpu_usage_seconds_total", "namespace": "otel-demo"},
    "pods": {"__name__": "anything", "namespace": "otel-demo"},
    "coredns": {"__name__": "coredns_dns_responses_total", "namespace": "kube-system"},
}


def test_every_job_has_a_sample_here() -> None:
    assert {job["job_name"] for job in SCRAPE} == set(SEEN)


@pytest.mark.parametrize("job", SCRAPE, ids=lambda job: job["job_name"])
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, True),
        ({"node": "reprise-worker", "instance": "reprise-worker"}, True),
        ({"namespace": "reprise-system"}, False),
        ({"namespace": "reprise-agents"}, False),
        ({"namespace": "chaos-mesh"}, False),
        ({"exported_namespace": "reprise-system"}, False),
        ({"k8s_namespace_name": "chaos-mesh"}, False),
        ({"service_name": "reprise-operator"}, False),
        ({"deployment": "chaos-mesh-controller"}, False),
        ({"image": "localhost/reprise-gateway:1"}, False),
        ({"__name__": "kopf_handlers_total"}, False),
    ],
    ids=str,
)
def test_what_is_stored(job: dict[str, Any], labels: dict[str, str], expected: bool) -> None:
    assert stored(job, {**SEEN[job["job_name"]], **labels}) is expected


def test_no_other_job_reads_what_names_everything() -> None:
    text = (FOLDER / "config" / "prometheus.yml").read_text()
    assert "kubernetes_sd_configs: [{role: endpoints}]" not in text
    metrics = (FOLDER / "kube-state-metrics.yaml").read_text()
    (resources,) = re.findall(r"--resources=(\S+)", metrics)
    assert not {"namespaces", "jobs", "cronjobs", "secrets", "leases", "customresourcedefinitions"} & set(
        resources.split(",")
    )


@pytest.mark.parametrize(
    "path", sorted(p for p in FOLDER.rglob("*.yaml") if p.name != "jaeger.yaml"), ids=lambda p: p.name
)
def test_what_an_agent_can_read_does_not_name_the_product(path: Path) -> None:
    """Comments stay here; the two configurations that name it are made into Secrets."""
    for document in yaml.safe_load_all(path.read_text()):
        assert not PRODUCT.search(yaml.safe_dump(document)), path.name


def test_configurations_that_name_the_product_become_secrets() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    secret = {file.partition("=")[2] for made in kustomization["secretGenerator"] for file in made["files"]}
    public = [file for made in kustomization["configMapGenerator"] for file in made["files"]]

    assert {f"config/{path.name}" for path in (FOLDER / "config").iterdir()} == secret
    assert sorted(public) == [f"rules/{path.name}" for path in sorted((FOLDER / "rules").iterdir())]


def test_the_names_that_others_know_are_all_there() -> None:
    assert {rule["alert"] for rule in ALERTS} == NAMES_OF_ALERTS


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_where_and_how_bad(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) - {"history"} == {"summary", "description"}
    assert rule["for"], "noise of one evaluation must not alarm"
    kept = re.findall(r"(?:by|group_left) \(([^)]*)\)", rule["expr"])
    assert any("namespace" in labels for labels in kept)
    assert "service_name" in rule["expr"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_far_back_it_compares(rule: dict[str, Any]) -> None:
    """What it demands to have been there some time ago, the application must have lived through."""
    demanded = re.findall(r"and \S+ offset (\S+)", rule["expr"])
    stated = [rule["annotations"]["history"]] if "history" in rule["annotations"] else []
    assert stated == demanded


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda p: p.name)
def test_workloads_are_bounded_and_unprivileged(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] != "Deployment":
            continue
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert re.fullmatch(r"[a-z-]+", container["image"]), "a bare name, resolved when applied"
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["readinessProbe"]


def test_the_document_lists_every_alert_as_it_is() -> None:
    document = (FOLDER.parents[1] / "docs" / "alerts.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \|", document, re.MULTILINE)
    expected: dict[str, tuple[str, str]] = {}
    for rule in ALERTS:  # of two rules with one name, the first is the usual one
        expected.setdefault(rule["alert"], (rule["labels"]["severity"], rule["for"]))
    assert {name: (severity, waits) for name, severity, waits in rows} == expected
    assert len(rows) == len(expected), "a row is there twice"
