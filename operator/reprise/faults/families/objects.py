"""Families of faults in objects other than a pod template: Services, policies, flags, servers, settings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reprise.domain.symptoms import AlertSymptom, MetricSymptom, Symptom
from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family
from reprise.faults.families.template import points


def _unreached(
    kind: str, workloads: Iterable[str] = shop.CALLED, params: Mapping[str, Any] | None = None, way: str = ""
) -> Iterator[Point]:
    """Workloads that run and that nobody reaches, or that reach nobody: those who need them tell."""
    for name in workloads:
        shows = shop.feels(name, required=True)
        yield Point(kind, name, name, shop.NOTICE[name], shows, params or {}, way)


def _selectors() -> Iterator[Point]:
    for name in shop.SERVED:
        shows = (shop.alert("ServiceWithoutEndpoints", name), *shop.feels(name))
        yield Point("Service", name, name, shop.NOTICE[name], shows)


def _target_ports() -> Iterator[Point]:
    for name in shop.CALLED:
        params = {"port": "plaintext"} if name == "kafka" else {}
        yield from _unreached("Service", [name], params)


def _egress() -> Iterator[Point]:
    yield from _unreached("Deployment", shop.CALLERS, {"dns": True}, "calls time out")
    yield from _unreached("Deployment", shop.CALLERS, {"dns": False}, "no name is found")


def _quotas() -> Iterator[Point]:
    yield from points("KubeReplicaFailure", ways=(("pods", {"hard": {"pods": "14"}}),))
    for resource in ("limits.memory", "requests.memory"):
        ways = ((resource, {"hard": {resource: "2Gi"}}),)
        yield from points("KubeReplicaFailure", shop.LIMITED_ALL, ways)


# -- flags ------------------------------------------------------------------------------------------


def _failed(service: str, window: str = "1m", more_than: int = 1) -> MetricSymptom:
    labels = f'namespace=$namespace, service_name="{service}", span_kind="SPAN_KIND_SERVER"'
    series = f'traces_span_metrics_calls_total{{{labels}, status_code="STATUS_CODE_ERROR"}}'
    return MetricSymptom(f"requests to {service} fail", f"sum(increase({series}[{window}])) > {more_than}")


def _memory_of(container: str, above_bytes: int) -> MetricSymptom:
    size = f'container_memory_working_set_bytes{{namespace=$namespace, container="{container}"}}'
    restarts = f'kube_pod_container_status_restarts_total{{namespace=$namespace, container="{container}"}}'
    return MetricSymptom(
        f"the memory of {container} grows",
        f"max(max_over_time({size}[30s])) > {above_bytes} or max(increase({restarts}[2m])) > 0",
    )


def _slow(service: str) -> AlertSymptom:
    return shop.alert("HighRequestLatency", service)


def _cpu_of(container: str) -> MetricSymptom:
    used = f'container_cpu_usage_seconds_total{{namespace=$namespace, container="{container}"}}'
    return MetricSymptom(f"{container} takes a processor", f"sum(rate({used}[40s])) > 0.3")


def _median_of(service: str, above_milliseconds: int) -> MetricSymptom:
    labels = f'namespace=$namespace, service_name="{service}", span_kind="SPAN_KIND_SERVER"'
    series = f"traces_span_metrics_duration_milliseconds_bucket{{{labels}}}"
    quantile = f"histogram_quantile(0.5, sum by (le) (rate({series}[1m])))"
    return MetricSymptom(f"{service} is slow", f"{quantile} > {above_milliseconds}")


def _flood() -> MetricSymptom:
    labels = 'namespace=$namespace, service_name="frontend", span_kind="SPAN_KIND_SERVER", span_name="GET /"'
    return MetricSymptom(
        "the home page is asked for all the time",
        f"sum(rate(traces_span_metrics_calls_total{{{labels}}}[30s])) > 5",
    )


# (flag, variants, the workload that obeys it, what users notice, what must show). Left out are variants that
# show too seldom to be waited for, and the two flags that change no measurement of a shop without probes.
_FLAGS: tuple[tuple[str, tuple[str, ...], str, str, Symptom], ...] = (
    ("adFailure", ("on",), "ad", "Some pages come without advertisements.", _failed("ad", more_than=0)),
    ("adHighCpu", ("on",), "ad", "Advertisements take a processor for themselves.", _cpu_of("ad")),
    ("adManualGc", ("on",), "ad", "Advertisements come late.", _median_of("ad", 200)),
    (
        "cartFailure",
        ("on",),
        "cart",
        "Carts stay full after an order.",
        shop.alert("HighRequestErrorRate", "cart"),
    ),
    (
        "emailMemoryLeak",
        ("100x", "1000x", "10000x"),
        "email",
        "Confirmations are missing now and then.",
        _memory_of("email", 75_000_000),
    ),
    ("imageSlowLoad", ("5sec", "10sec"), "frontend-proxy", "Pictures load slowly.", _slow("frontend-proxy")),
    (
        "kafkaQueueProblems",
        ("on",),
        "fraud-detection",
        "Orders are looked at late.",
        shop.alert("HighKafkaConsumerLag", "fraud-detection"),
    ),
    ("llmRateLimitError", ("on",), "llm", "The assistant refuses questions.", _failed("product-reviews")),
    ("loadGeneratorFloodHomepage", ("on",), "frontend", "The shop is asked far more than usual.", _flood()),
    (
        "paymentFailure",
        ("25%", "50%", "75%", "90%", "100%"),
        "payment",
        "Orders fail at the payment, some or all.",
        shop.alert("HighRequestErrorRate", "payment"),
    ),
    (
        "paymentUnreachable",
        ("on",),
        "checkout",
        "Orders fail at the payment.",
        shop.alert("HighRequestErrorRate", "checkout"),
    ),
    (
        "productCatalogFailure",
        ("on",),
        "product-catalog",
        "One product cannot be shown or bought.",
        _failed("product-catalog", more_than=2),
    ),
    (
        "recommendationCacheFailure",
        ("on",),
        "recommendation",
        "Recommendations get slower and are missing at times.",
        _memory_of("recommendation", 100_000_000),
    ),
)


def _flags() -> Iterator[Point]:
    for flag, variants, workload, notice, shows in _FLAGS:
        for variant in variants:
            params = {"flag": flag, "variant": variant}
            yield Point("ConfigMap", "flagd-config", workload, notice, (shows,), params, f"{flag} {variant}")


# -- servers and their settings ---------------------------------------------------------------------


def _at(workload: str, shows: tuple[Symptom, ...], ways: Mapping[str, Mapping[str, Any]]) -> Iterator[Point]:
    for way, params in ways.items():
        yield Point("Deployment", workload, workload, shop.NOTICE[workload], shows, params, way)


_PUBLISHING = shop.feels("kafka", required=True)
_STORING = (shop.alert("DatabaseOperationsFailing", "cart"),)
_READING = (shop.alert("DatabaseOperationsFailing", "product-catalog"),)
# Who reads and writes each table.
_TABLES = {
    "catalog.products": "product-catalog",
    "reviews.productreviews": "product-reviews",
    'accounting."order"': "accounting",
    "accounting.orderitem": "accounting",
    "accounting.shipping": "accounting",
}


def _locks() -> Iterator[Point]:
    for table, reader in _TABLES.items():
        shows = (shop.alert("DatabaseOperationsFailing", reader),)
        yield Point(
            "Deployment", "postgresql", "postgresql", shop.NOTICE[reader], shows, {"table": table}, table
        )


def _slow_queries() -> Iterator[Point]:
    for table, reader in _TABLES.items():
        if reader != "accounting":  # it has all the time of the world
            shows = (_slow(reader),)
            notice = f"What {reader} serves comes late."
            yield Point("Deployment", "postgresql", "postgresql", notice, shows, {"table": table}, table)


# ConfigMap, way, find, replace, the workload that shows it, its alert.
_TEXTS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("flagd-config", "no JSON", '"flags": {', '"flags": [', "flagd", "KubePodCrashLooping"),
    (
        "postgresql-init",
        "another password",
        "PASSWORD 'otelp'",
        "PASSWORD 'astronomy'",
        "product-catalog",
        "DatabaseOperationsFailing",
    ),
    (
        "postgresql-init",
        "a table of products with another name",
        "catalog.products",
        "catalog.items",
        "product-catalog",
        "DatabaseOperationsFailing",
    ),
    (
        "postgresql-init",
        "a table of reviews with another name",
        "reviews.productreviews",
        "reviews.comments",
        "product-reviews",
        "DatabaseOperationsFailing",
    ),
)


def _texts() -> Iterator[Point]:
    for name, way, find, replace, workload, alert in _TEXTS:
        shows = (shop.alert(alert, workload),)
        params = {"find": find, "replace": replace}
        yield Point("ConfigMap", name, workload, shop.NOTICE[workload], shows, params, way)


def _keys() -> Iterator[Point]:
    for name, workload in (("flagd-config", "flagd"), ("postgresql-init", "postgresql")):
        shows = shop.away("KubePodCrashLooping", workload)
        yield Point("ConfigMap", name, workload, shop.NOTICE[workload], shows)


# A second broker or database would be another one, with other data.
_GROWING = tuple(name for name in shop.LIMITED if name not in ("kafka", "postgresql"))
_GROWS = "Users notice nothing yet: a workload takes far more replicas than it needs."
FAMILIES: tuple[Family, ...] = (
    family(
        "service-selector-invalid", "a Service without endpoints", "medium", "network service", _selectors()
    ),
    family(
        "service-target-port-wrong",
        "a Service with a wrong port",
        "medium",
        "network service",
        _target_ports(),
    ),
    family("service-deleted", "no Service", "medium", "service names", _unreached("Service")),
    family(
        "network-policy-ingress-block",
        "reached by nobody",
        "medium",
        "network policy",
        _unreached("Deployment"),
    ),
    family("network-policy-egress-block", "reaches nobody", "hard", "network policy", _egress()),
    family(
        "resource-quota-insufficient",
        "refused by a quota",
        "medium",
        "scheduling policy quota",
        _quotas(),
        alone=True,
    ),
    family(
        "limit-range-rejecting",
        "refused by a LimitRange",
        "medium",
        "policy resources",
        points("KubeReplicaFailure", shop.LIMITED),
        alone=True,
    ),
    family(
        "horizontal-pod-autoscaler-misconfigured",
        "grows without need",
        "medium",
        "autoscaling resources",
        points("KubeHpaMaxedOut", _GROWING, notice=_GROWS),
        expected_seconds=120,
    ),
    family("feature-flag", "a flag", "medium", "feature-flag", _flags(), expected_seconds=120),
    family(
        "valkey-password-changed",
        "a password nobody knows",
        "medium",
        "database credentials",
        _at("valkey-cart", _STORING, {"": {}}),
    ),
    family(
        "valkey-out-of-memory",
        "writes refused",
        "medium",
        "database memory",
        _at("valkey-cart", _STORING, {"": {}}),
    ),
    family(
        "kafka-broker-misconfigured",
        "the broker's settings",
        "medium",
        "messaging configuration",
        _at(
            "kafka",
            _PUBLISHING,
            {
                "clients sent to another port": {},
                "clients sent to a name that is not there": {"value": "PLAINTEXT://kafka-0:9092"},
                "clients sent to their own pod": {"value": "PLAINTEXT://localhost:9092"},
                "listens elsewhere": {
                    "setting": "listeners",
                    "value": "PLAINTEXT://:9095,CONTROLLER://:9093",
                },
            },
        ),
    ),
    family(
        "kafka-topic-misconfigured",
        "the topic's settings",
        "hard",
        "messaging configuration",
        _at(
            "kafka",
            _PUBLISHING,
            {
                setting: {"setting": setting}
                for setting in (
                    "auto.create.topics.enable",
                    "cleanup.policy",
                    "max.message.bytes",
                    "replication.factor",
                )
            },
        ),
    ),
    family(
        "postgresql-credentials-rotated",
        "a password of yesterday",
        "medium",
        "database credentials",
        _at("postgresql", _READING, {"": {}}),
    ),
    family(
        "postgresql-max-connections-low",
        "too few sessions",
        "hard",
        "database connections",
        _at("postgresql", (AlertSymptom("sessions are refused", "DatabaseConnectionsExhausted"),), {"": {}}),
    ),
    family(
        "postgresql-connections-exhausted",
        "all sessions taken",
        "hard",
        "database connections",
        _at("postgresql", (shop.alert("DatabaseConnectionsExhausted", "product-catalog"),), {"": {}}),
    ),
    family("postgresql-lock-held", "a locked table", "hard", "database locking", _locks()),
    family(
        "postgresql-slow-query",
        "a table that is read slowly",
        "hard",
        "database locking latency",
        _slow_queries(),
    ),
    family("config-map-key-wrong", "a text that is wrong", "hard", "configuration", _texts()),
    family("config-map-key-removed", "a text that is gone", "medium", "configuration", _keys()),
)
