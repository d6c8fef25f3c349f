"""What the alert rules say of made-up series, judged by Prometheus' own promtool.

Each case names every alert that must fire, so it also says which must not.
"""

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from reprise.cluster import alert_profile, paths

RULES = sorted((Path(__file__).parents[2] / "manifests/observability/rules").glob("*.yaml"))
POD = 'namespace="shop",pod="cart-abc-1"'
CONTAINER = f'{POD},container="cart"'
OTHER_POD = 'namespace="shop-two",pod="cart-abc-1"'
CLIENT = 'namespace="shop",service_name="cart",span_kind="SPAN_KIND_CLIENT"'
FINE, FAILED = 'status_code="STATUS_CODE_UNSET"', 'status_code="STATUS_CODE_ERROR"'
STEPS = 60  # of 5 s: five minutes
ALWAYS, NEVER = f"1x{STEPS}", f"0x{STEPS}"


def late(value: str, steps: int = 24) -> str:
    """Nothing until two minutes before the end, then the value."""
    return f"_x{STEPS - steps} {value}x{steps}"


def changes(before: int, after: int, steps: int = 24) -> str:
    return f"{before}x{STEPS - steps} {after}x{steps}"


def rises(each: float, late_each: float | None = None, steps: int = 24) -> str:
    """A counter that grows by `each` in 5 s, and by `late_each` in the last two minutes."""
    if late_each is None:
        return f"0+{each}x{STEPS}"
    return f"0+{each}x{STEPS - steps} {each * (STEPS - steps)}+{late_each}x{steps}"


def owned(namespace: str) -> dict[str, str]:
    """The series that make a Deployment out of a pod."""
    where = f'namespace="{namespace}"'
    return {
        f'kube_pod_owner{{{where},pod="cart-abc-1",owner_kind="ReplicaSet",owner_name="cart-abc"}}': ALWAYS,
        f'kube_replicaset_owner{{{where},replicaset="cart-abc",owner_kind="Deployment",owner_name="cart"}}': (
            ALWAYS
        ),
    }


@dataclass(frozen=True)
class Case:
    name: str
    series: Mapping[str, str]
    fires: frozenset[tuple[str, str, str]] = field(default_factory=frozenset)


def case(name: str, series: Mapping[str, str], *alerts: str) -> Case:
    """Alerts are `Name` of shop/cart, or `Name namespace service_name`."""
    fires = [tuple(alert.split()) if " " in alert else (alert, "shop", "cart") for alert in alerts]
    return Case(name, series, frozenset(fires))  # type: ignore[arg-type]


CALLS, DNS = "traces_span_metrics_calls_total", "traces_name_resolution_errors_calls_total"
CLAIM = 'namespace="shop",persistentvolumeclaim="d"'
USUAL_TAINT = 'key="node-role.kubernetes.io/control-plane",effect="NoSchedule"'
AVAILABLE = "kube_deployment_status_replicas_available"
PUBLISHED = f'{CALLS}{{namespace="shop",service_name="checkout",span_kind="SPAN_KIND_PRODUCER",'
REPLICA_FAILURE = 'condition="ReplicaFailure",status="true"'
DATABASE = 'db_system_name="postgresql"'
COREDNS = 'namespace="kube-system",service_name="coredns"'
THROTTLED, PERIODS = (
    f"container_cpu_cfs_{name}_total{{{CONTAINER}}}" for name in ("throttled_periods", "periods")
)
WORKING_SET = f"container_memory_working_set_bytes{{{CONTAINER}}}"
MEMORY_LIMIT = f'kube_pod_container_resource_limits{{{CONTAINER},resource="memory"}}'
OOM = f'kube_pod_container_status_last_terminated_reason{{{CONTAINER},reason="OOMKilled"}}'
RESTARTS = f"kube_pod_container_status_restarts_total{{{CONTAINER}}}"
INIT_RESTARTS = f"kube_pod_init_container_status_restarts_total{{{CONTAINER}}}"
CPU = f"container_cpu_usage_seconds_total{{{CONTAINER}}}"

CASES = [
    case("nothing", {}),
    case(
        "pods are refused",
        {
            f'kube_deployment_status_condition{{namespace="shop",deployment="cart",{REPLICA_FAILURE}}}': late(
                "1"
            )
        },
        "KubeReplicaFailure",
    ),
    case(
        "pods are refused in two copies of the application",
        {
            f'kube_deployment_status_condition{{namespace="{n}",deployment="cart",{REPLICA_FAILURE}}}': late(
                "1"
            )
            for n in ("shop", "shop-two", "kube-system", "observability")
        },
        "KubeReplicaFailure",
        "KubeReplicaFailure shop-two cart",
    ),
    case(
        "no pod of a StatefulSet",
        {
            'kube_statefulset_replicas{namespace="shop",statefulset="cart"}': ALWAYS,
            'kube_statefulset_status_replicas{namespace="shop",statefulset="cart"}': changes(1, 0),
        },
        "KubeReplicaFailure",
    ),
    case(
        "runs and is not ready",
        {
            f"kube_pod_container_status_running{{{CONTAINER}}}": ALWAYS,
            f"kube_pod_container_status_ready{{{CONTAINER}}}": changes(1, 0),
            f'kube_pod_status_ready{{{POD},condition="true"}}': changes(1, 0),
        },
        "KubeContainerNotReady",
        "KubePodNotReady",
    ),
    case(
        "a sidecar that is not ready, of a pod that is being deleted",
        {
            f"kube_pod_container_status_running{{{CONTAINER}}}": ALWAYS,
            f"kube_pod_container_status_ready{{{CONTAINER}}}": NEVER,
            f"kube_pod_deletion_timestamp{{{POD}}}": ALWAYS,
        },
    ),
    case(
        "starts for fifteen seconds",
        {
            f"kube_pod_container_status_running{{{CONTAINER}}}": late("1"),
            f"kube_pod_container_status_ready{{{CONTAINER}}}": f"_x{STEPS - 4} 0x4",
        },
    ),
    case(
        "fits on no node",
        {
            f"kube_pod_status_unschedulable{{{POD}}}": late("1"),
            'kube_node_spec_unschedulable{node="a"}': NEVER,
        },
        "KubePodUnschedulable",
    ),
    case(
        "fits on no node but a cordoned one",
        {
            f"kube_pod_status_unschedulable{{{POD}}}": late("1"),
            'kube_node_spec_unschedulable{node="a"}': ALWAYS,
        },
        "KubePodUnschedulable",
        "KubeNodeUnschedulable",
    ),
    case(
        "fits on no node but a tainted one",
        {
            f"kube_pod_status_unschedulable{{{POD}}}": late("1"),
            'kube_node_spec_taint{node="a",key="x",effect="NoExecute"}': ALWAYS,
        },
        "KubePodUnschedulable",
        "KubeNodeUnschedulable",
    ),
    case(
        "the taint of a control plane is usual",
        {
            f"kube_pod_status_unschedulable{{{POD}}}": late("1"),
            f'kube_node_spec_taint{{node="a",{USUAL_TAINT}}}': ALWAYS,
        },
        "KubePodUnschedulable",
    ),
    case("a cordoned node that nobody misses", {'kube_node_spec_unschedulable{node="a"}': ALWAYS}),
    case(
        "no disruption is allowed",
        {
            f'kube_poddisruptionbudget_{name}{{namespace="shop",poddisruptionbudget="cart-pdb"}}': value
            for name, value in (("status_pod_disruptions_allowed", NEVER), ("status_expected_pods", ALWAYS))
        },
        "KubePdbDisruptionBlocked",
    ),
    case(
        "a budget for no pod",
        {
            f'kube_poddisruptionbudget_{name}{{namespace="shop",poddisruptionbudget="cart-pdb"}}': NEVER
            for name in ("status_pod_disruptions_allowed", "status_expected_pods")
        },
    ),
    case(
        "a claim that a pod waits for",
        {
            f'kube_pod_spec_volumes_persistentvolumeclaims_info{{{POD},persistentvolumeclaim="d"}}': late(
                "1"
            ),
            f'kube_persistentvolumeclaim_status_phase{{{CLAIM},phase="Bound"}}': NEVER,
        },
        "KubePersistentVolumeClaimPending",
    ),
    case(
        "a claim that does not exist",
        {f'kube_pod_spec_volumes_persistentvolumeclaims_info{{{POD},persistentvolumeclaim="d"}}': late("1")},
        "KubePersistentVolumeClaimPending",
    ),
    case(
        "a claim that waits for its first consumer",
        {f'kube_persistentvolumeclaim_status_phase{{{CLAIM},phase="Pending"}}': ALWAYS},
    ),
    case(
        "evicted",
        {
            f'kube_pod_status_reason{{{POD},reason="Evicted"}}': late("1"),
            f'kube_pod_status_phase{{{POD},phase="Failed"}}': late("1"),
        },
        "KubePodEvicted",
        "FailedPodsDetected",
    ),
    case(
        "killed for want of memory",
        {OOM: late("1", 12), RESTARTS: changes(0, 1, 12)},
        "KubeContainerOomKilled",
    ),
    case("killed for want of memory long ago", {OOM: ALWAYS, RESTARTS: f"1x{STEPS}"}),
    case("an init container that keeps ending", {INIT_RESTARTS: rises(0, 1 / 6)}, "KubePodCrashLooping"),
    case("an init container that ended once", {INIT_RESTARTS: changes(0, 1)}),
    case("throttled", {THROTTLED: rises(20), PERIODS: rises(50)}, "CpuThrottlingHigh"),
    case("throttled now and then", {THROTTLED: rises(5), PERIODS: rises(50)}),
    case("throttled while it hardly runs", {THROTTLED: rises(2), PERIODS: rises(2)}),
    case(
        "memory near its limit",
        {WORKING_SET: changes(50, 95), MEMORY_LIMIT: f"100x{STEPS}"},
        "ContainerMemoryNearLimit",
    ),
    case("memory near nothing", {WORKING_SET: changes(50, 95)}),
    case(
        "a limit lost",
        {f"kube_pod_container_info{{{CONTAINER}}}": ALWAYS, MEMORY_LIMIT: f"100x{STEPS - 24} stale"},
        "KubeContainerWithoutMemoryLimit",
    ),
    case("never had a limit", {f"kube_pod_container_info{{{CONTAINER}}}": ALWAYS}),
    case("twelve times the usual CPU", {CPU: rises(0.25, 3)}, "HighCpuUsage"),
    case("twice the usual CPU", {CPU: rises(1.5, 3)}),
    case("much more than usual of very little", {CPU: rises(0.05, 0.4)}),
    case("starts, and that takes CPU", {CPU: f"_x{STEPS - 20} 0+3x20"}),
    case(
        "names are not found",
        {
            f'{CALLS}{{{CLIENT},span_name="Get",{FAILED}}}': rises(0, 2),
            f'{CALLS}{{{CLIENT},span_name="Get",{FINE}}}': rises(2, 1),
            f'{DNS}{{{CLIENT},span_name="Get",{FAILED}}}': rises(0, 2),
        },
        "HighDnsFailureRate",
        "HighRequestErrorRate",
    ),
    case(
        "one name in many is not found",
        {
            f'{CALLS}{{{CLIENT},span_name="Get",{FINE}}}': rises(40),
            f'{DNS}{{{CLIENT},span_name="Get",{FAILED}}}': rises(0, 1),
        },
    ),
    case(
        "one name is not found, once",
        {
            f'{CALLS}{{{CLIENT},span_name="Get",{FAILED}}}': changes(0, 1, 6),
            f'{DNS}{{{CLIENT},span_name="Get",{FAILED}}}': changes(0, 1, 6),
        },
    ),
    case(
        "the database has no connection left",
        {
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="connect",{FAILED}}}': rises(0, 2),
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="SELECT",{FINE}}}': rises(5),
            f'traces_connections_exhausted_calls_total{{{CLIENT},{DATABASE},span_name="connect",{FAILED}}}': (
                rises(0, 2)
            ),
        },
        "DatabaseConnectionsExhausted",
        "DatabaseOperationsFailing",
        "HighRequestErrorRate",
    ),
    case(
        "the database refuses statements",
        {
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="SELECT",{FAILED}}}': rises(0, 2),
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="SELECT",{FINE}}}': rises(5),
        },
        "DatabaseOperationsFailing",
        "HighRequestErrorRate",
    ),
    case(
        "one statement in twenty fails",
        {
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="SELECT",{FAILED}}}': rises(0, 1),
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="SELECT",{FINE}}}': rises(19),
        },
    ),
    case(
        "CoreDNS fails",
        {
            f'coredns_dns_responses_total{{{COREDNS},rcode="SERVFAIL"}}': rises(0, 5),
            f'coredns_dns_responses_total{{{COREDNS},rcode="NOERROR"}}': rises(20),
        },
        "CoreDNSErrorsHigh kube-system coredns",
    ),
    case(
        "CoreDNS knows the cluster's names no more",
        {
            f'coredns_dns_responses_total{{{COREDNS},rcode="NXDOMAIN"}}': rises(2, 20),
            f'coredns_dns_responses_total{{{COREDNS},rcode="NOERROR"}}': rises(20, 1),
        },
        "CoreDNSErrorsHigh kube-system coredns",
    ),
    case(
        "names of the search path are never found",
        {
            f'coredns_dns_responses_total{{{COREDNS},rcode="NXDOMAIN"}}': rises(60),
            f'coredns_dns_responses_total{{{COREDNS},rcode="NOERROR"}}': rises(20),
        },
    ),
    case(
        "no CoreDNS",
        {f'{AVAILABLE}{{namespace="kube-system",deployment="coredns"}}': changes(2, 0)},
        "CoreDNSDown kube-system coredns",
    ),
    case(
        "messages wait",
        {'kafka_consumer_group_lag{namespace="shop",service_name="cart",group="a"}': changes(2, 90)},
        "HighKafkaConsumerLag",
    ),
    case(
        "a few messages wait",
        {'kafka_consumer_group_lag{namespace="shop",service_name="cart"}': changes(2, 20)},
    ),
    case(
        "a consumer stops while others publish",
        {
            f'{CALLS}{{namespace="shop",service_name="cart",span_kind="SPAN_KIND_CONSUMER",{FINE}}}': rises(
                1, 0
            ),
            f"{PUBLISHED}{FINE}}}": rises(1),
            'kube_deployment_spec_replicas{namespace="shop",deployment="cart"}': ALWAYS,
            'kube_deployment_status_replicas_available{namespace="shop",deployment="cart"}': ALWAYS,
            'kube_deployment_status_replicas_updated{namespace="shop",deployment="cart"}': ALWAYS,
        },
        "KafkaConsumerGroupInactive",
        "NoRequestsReceived",
    ),
    case(
        "a consumer stops because nobody publishes",
        {
            f'{CALLS}{{namespace="shop",service_name="cart",span_kind="SPAN_KIND_CONSUMER",{FINE}}}': rises(
                1, 0
            ),
            f"{PUBLISHED}{FINE}}}": (rises(1, 0)),
        },
    ),
    case(
        "requests cease",
        {
            f'{CALLS}{{namespace="shop",service_name="cart",span_kind="SPAN_KIND_SERVER",{FINE}}}': rises(
                4, 0
            ),
            'kube_deployment_spec_replicas{namespace="shop",deployment="other"}': ALWAYS,
        },
        "NoRequestsReceived",
    ),
    case(
        "a service that is hardly asked is not asked",
        {
            f'{CALLS}{{namespace="shop",service_name="cart",span_kind="SPAN_KIND_SERVER",{FINE}}}': (
                f"0+0.2x{STEPS - 6} {0.2 * (STEPS - 6)}x6"
            ),
            'kube_deployment_spec_replicas{namespace="shop",deployment="other"}': ALWAYS,
        },
    ),
    case(
        "database operations cease",
        {
            f'{CALLS}{{{CLIENT},{DATABASE},span_name="SELECT",{FINE}}}': rises(4, 0),
            'kube_deployment_spec_replicas{namespace="shop",deployment="other"}': ALWAYS,
        },
        "NoDatabaseOperations",
    ),
]


# Those of gauges alone: ten times slower counters would be other rates.
SLOW = [one for one in CASES if not any("+" in values for values in one.series.values())]


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Of the machine, or what `reprise up` compiled beside Prometheus."""
    built = sorted(paths.cache_dir().glob("go/prometheus-*/promtool"))
    found = shutil.which("promtool") or (built and built[-1])
    if not found:
        pytest.skip("no promtool: it is compiled with Prometheus by `reprise up` in the build profile")
    return Path(found)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


def group(one: Case, interval: int) -> dict[str, object]:
    """The case as a test of promtool's: exactly the expected alerts fire at its end."""
    series = {**owned("shop"), **owned("shop-two"), **one.series}
    firing = {
        "expr": 'count by (alertname, namespace, service_name) (ALERTS{alertstate="firing"} * 0 + 1)',
        "eval_time": f"{STEPS * interval}s",
        "exp_samples": [
            {"labels": f'{{alertname="{alert}", namespace="{where}", service_name="{who}"}}', "value": 1}
            for alert, where, who in one.fires
        ],
    }
    return {
        "name": one.name,
        "interval": f"{interval}s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [firing],
    }


def judged(
    promtool: Path, folder: Path, rules: list[Path], cases: list[Case], interval: int
) -> dict[str, str]:
    """What promtool objects to, by case; empty where it does not. One process for all: it starts slowly."""
    tests = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": f"{interval}s",
        "tests": [group(one, interval) for one in cases],
    }
    path, report = folder / "test.yaml", folder / "report.xml"
    path.write_text(yaml.safe_dump(tests))
    done = run(promtool, "test", "rules", f"--junit={report}", path)
    assert report.exists(), done.stdout + done.stderr
    found = {one.get("name", ""): one for one in ElementTree.parse(report).iter("testcase")}  # noqa: S314 – promtool wrote it
    return {name: "".join(one.itertext()) for name, one in found.items()}


@pytest.fixture(scope="module")
def short_verdicts(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return judged(promtool, tmp_path_factory.mktemp("short"), RULES, CASES, 5)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("production")
    for path in RULES:
        (folder / path.name).write_text(alert_profile.production(path.read_text()))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def production_verdicts(
    promtool: Path, production: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("verdicts")
    return judged(promtool, folder, production, SLOW, 5 * alert_profile.FACTOR)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_exactly_these_alerts_fire(short_verdicts: dict[str, str], name: str) -> None:
    assert short_verdicts[name] == ""


@pytest.mark.parametrize("name", [one.name for one in SLOW])
def test_the_same_fire_after_ten_times_as_long(production_verdicts: dict[str, str], name: str) -> None:
    assert production_verdicts[name] == ""


@pytest.mark.parametrize("alert", ["CoreDNSDown kube-system coredns", "KubePodEvicted"])
def test_an_alert_that_does_not_fire_is_noticed(promtool: Path, tmp_path: Path, alert: str) -> None:
    verdicts = judged(promtool, tmp_path, RULES, [case("quiet", {}, alert)], 5)
    assert alert.split()[0] in verdicts["quiet"]


def test_prometheus_accepts_both_profiles(promtool: Path, production: list[Path]) -> None:
    for rules in (RULES, production):
        done = run(promtool, "check", "rules", *rules)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_or_is_proven_live() -> None:
    """Those without one here are as old as the live test that makes them fire."""
    live = {
        "HighRequestLatency",
        "KubeContainerWaiting",
        "KubeDeploymentReplicasMismatch",
        "KubeDeploymentRolloutStuck",
        "DeploymentScaledToZero",
        "ServiceWithoutEndpoints",
        "KubeHpaMaxedOut",
    }
    alerts = {
        rule["alert"]
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert alerts - live == {alert for one in CASES for alert, _, _ in one.fires}
