"""The family of feature flags: each flag of the release that changes what can be measured."""

from collections.abc import Iterator

from reprise.domain.symptoms import AlertSymptom, MetricSymptom, Symptom
from reprise.faults.families import shop
from reprise.faults.families.family import Family, Point, family


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


FAMILIES: tuple[Family, ...] = (
    family("feature-flag", "a flag", "medium", "feature-flag", _flags(), expected_seconds=180),
)
