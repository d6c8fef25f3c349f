"""Traces and metrics of one process, sent where the standard OTLP environment variables say.

Port 4318 means OTLP over HTTP, any other OTLP over gRPC, as the variables of the demo's services use them.
The exporter that is not needed is never imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import metrics, propagate, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from shop import logs

_EXPORT_TIMEOUT_SECONDS = 5
_BATCH_DELAY_MILLISECONDS = 1000
_METRIC_INTERVAL_MILLISECONDS = 10_000

_tracer = trace.get_tracer("shop")


def endpoint(environment: Mapping[str, str]) -> str | None:
    """The OTLP base URL that the environment names, or None where telemetry has nowhere to go.

    Envoy and nginx have no OTEL_EXPORTER_OTLP_ENDPOINT in the demo, they are told the collector's host and
    port.
    """
    if url := environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return url
    if host := environment.get("OTEL_COLLECTOR_HOST") or environment.get("OTEL_COLLECTOR_NAME"):
        return f"http://{host}:{environment.get('OTEL_COLLECTOR_PORT_GRPC', '4317')}"
    return None


def _span_exporter(url: str) -> SpanExporter:
    if url.endswith(":4318"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter(endpoint=f"{url}/v1/traces", timeout=_EXPORT_TIMEOUT_SECONDS)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

    return GrpcExporter(endpoint=url, insecure=True, timeout=_EXPORT_TIMEOUT_SECONDS)


def _metric_exporter(url: str) -> MetricExporter:
    if url.endswith(":4318"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

        return HttpExporter(endpoint=f"{url}/v1/metrics", timeout=_EXPORT_TIMEOUT_SECONDS)
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter

    return GrpcExporter(endpoint=url, insecure=True, timeout=_EXPORT_TIMEOUT_SECONDS)


def start(service: str, *, with_metrics: bool = False) -> None:
    """Configure logs, traces and (for the few that have some) metrics of this process.

    service: the name to use where OTEL_SERVICE_NAME says nothing.
    """
    name = os.environ.get("OTEL_SERVICE_NAME") or service
    logs.configure(name)
    resource = Resource.create({"service.name": name})
    url = endpoint(os.environ)
    provider = TracerProvider(resource=resource)
    if url is not None:
        provider.add_span_processor(
            BatchSpanProcessor(_span_exporter(url), schedule_delay_millis=_BATCH_DELAY_MILLISECONDS)
        )
    trace.set_tracer_provider(provider)
    if with_metrics and url is not None:
        reader = PeriodicExportingMetricReader(_metric_exporter(url), _METRIC_INTERVAL_MILLISECONDS)
        metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))


def stop() -> None:
    """Send what is still held back."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        if isinstance(provider, TracerProvider | MeterProvider):
            provider.shutdown()


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
    carrier: Mapping[str, str] | None = None,
) -> Iterator[Span]:
    """A span around the block; an exception marks it as an error and goes on.

    carrier: headers that may hold the context of a remote parent.
    """
    parent = propagate.extract(carrier) if carrier is not None else None
    with _tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=True, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:
            fail(current, str(error) or type(error).__name__)
            raise


def fail(current: Span, message: str) -> None:
    """Mark the span as an error."""
    current.set_status(Status(StatusCode.ERROR, message))


def inject() -> dict[str, str]:
    """The headers that carry the current context to the next process."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier
