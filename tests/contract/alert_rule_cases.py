"""Made-up series and the alerts that they must raise, for test_alert_rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    """`fires`: alert, namespace and service_name of each alert that fires at the end, and no other does."""

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
