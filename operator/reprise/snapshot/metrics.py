"""`metrics/`: every series of every pod and of every service, one table each, at the scrape interval."""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reprise.adapters import prometheus, remote_read
from reprise.domain import telemetry
from reprise.snapshot import traces
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.tables import Cell, attributes, text_cell

POD_COLUMNS = ("metric_name", "timestamp", "value", "pod_name", "namespace", "tags")
SERVICE_COLUMNS = (
    "metric_name", "timestamp", "value", "service_name", "namespace", "bucket_le", "status_code", "tags",
)  # fmt: skip
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def pod_file(pod: str) -> str:
    return f"metrics/pod_{_safe(pod)}.tsv"


def service_file(service: str) -> str:
    return f"metrics/service_{_safe(service)}.tsv"


def _safe(name: str) -> str:
    """The name as part of a file's name; one that had to be changed gets a digest, so that no two meet."""
    safe = _UNSAFE.sub("_", name)
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def pods_query(request: RecordRequest) -> str:
    """PromQL for the pods that had any series within the window, those that are gone by now included."""
    selector = f"{{namespace={quoted(request.namespace)}}}"
    return f"group by (pod) (last_over_time(kube_pod_info{selector}[{_window(request)}]))"


def services_query(request: RecordRequest) -> str:
    """PromQL for the services that had spans within the window."""
    # Where spans carry no namespace every service is the application's but the tracing backend.
    selector = f"{{namespace=~{quoted(request.namespace + '|')},service_name!={quoted(traces.BACKEND)}}}"
    calls = f"traces_span_metrics_calls_total{selector}"
    return f"group by (service_name) (last_over_time({calls}[{_window(request)}]))"


def _window(request: RecordRequest) -> str:
    return f"{math.ceil((request.recorded_at - request.baseline_at).total_seconds()) + 1}s"


def pod_selector(namespace: str, pod: str) -> str:
    """PromQL for every series of a pod."""
    return f"{{namespace={quoted(namespace)},pod={quoted(pod)}}}"


def service_selector(service: str) -> str:
    """PromQL for every series that carries a service's OpenTelemetry name."""
    return f"{{service_name={quoted(service)}}}"


def quoted(text: str) -> str:
    """A PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def pod_rows(
    series: Iterable[prometheus.Series], request: RecordRequest, pod: str
) -> Iterator[Sequence[Cell]]:
    """One row a sample."""
    for one in _visible(series, request):
        name, tags = _split(one.labels, ("pod", "namespace"))
        for at, value in one.points:
            yield name, _time(at), remote_read.value_text(value), pod, request.namespace, tags


def service_rows(
    series: Iterable[prometheus.Series], request: RecordRequest, service: str
) -> Iterator[Sequence[Cell]]:
    """One row a sample; the histogram's bound and the span's status have columns of their own."""
    for one in _visible(series, request):
        name, tags = _split(one.labels, ("service_name", "le", "status_code"))
        bound, status = one.labels.get("le", ""), one.labels.get("status_code", "")
        shown = text_cell(service)
        for at, value in one.points:
            yield (
                name,
                _time(at),
                remote_read.value_text(value),
                shown,
                request.namespace,
                bound,
                status,
                tags,
            )


def _visible(series: Iterable[prometheus.Series], request: RecordRequest) -> Iterator[prometheus.Series]:
    view = request.view
    return (
        one
        for one in series
        if one.labels.get("namespace", request.namespace) == request.namespace
        and not telemetry.hides(view, dict(one.labels))
    )


def _split(labels: Mapping[str, str], taken: Sequence[str]) -> tuple[str, str]:
    rest = {key: value for key, value in labels.items() if key != "__name__" and key not in taken}
    return labels.get("__name__", ""), attributes(rest)


def _time(at: float) -> str:
    return traces.time_cell(round(at * 1000) * 1_000_000)
