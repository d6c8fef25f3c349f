"""`otel_traces_raw.tsv`: every span of the window, in the columns of the ClickHouse exporter."""

import dataclasses
import datetime as dt
import functools
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.adapters import jaeger
from reprise.domain import errors, redaction
from reprise.snapshot.patience import patiently
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.tables import Cell, attributes, json_cell, text_cell

FILE_NAME = "otel_traces_raw.tsv"
COLUMNS = (
    "Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName",
    "ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration", "StatusCode",
    "StatusMessage", "Events.Timestamp", "Events.Name", "Events.Attributes", "Links.TraceId", "Links.SpanId",
    "Links.TraceState", "Links.Attributes",
)  # fmt: skip
# What is asked for at once, so that memory does not grow with the window.
SLICE_SECONDS = 10.0
# The tracing backend traces itself.
BACKEND = "jaeger"


@dataclass(frozen=True)
class Found:
    """A trace as it is known by now, and how much of it is new.

    `fresh` holds the spans that no earlier batch had: all of them, unless the trace had grown when a later
    slice was read.
    """

    trace: jaeger.Trace
    fresh: jaeger.Trace


@dataclass(frozen=True)
class Batch:
    """What was found up to `until` (seconds since 1970) that was not in the batches before."""

    until: float
    found: list[Found]


async def read(source: jaeger.Jaeger, request: RecordRequest) -> AsyncGenerator[Batch, None]:
    """Every trace with a span that began within the window, of all namespaces, in batches; every span once.

    Raises Unreachable when Jaeger does not answer for the request's patience; what came before is good.
    """
    services: Sequence[str] = ("",)  # no name stands for all: one answer instead of one a service
    seen: dict[
        str, str
    ] = {}  # trace id -> ids of its spans, as one text: a set of texts takes five times as much
    # From where an agent may look: whole traces begin up to a second before the rows of the table.
    at, end = request.view.window_start.timestamp(), request.recorded_at.timestamp()
    while at < end:
        until = min(at + SLICE_SECONDS, end)
        batch: dict[str, jaeger.Trace] = {}
        try:
            for service in services:
                ask = functools.partial(source.traces, service, at, until)
                for trace in await patiently(ask, request.patience_seconds):
                    _keep_longer(batch, trace)
        except errors.InvalidInput:
            if services != ("",):
                raise
            # A storage that insists on a name.
            services = await patiently(source.services, request.patience_seconds)
            continue
        new = [found for trace in batch.values() if (found := _fresh(trace, seen)).fresh.spans]
        yield Batch(until, new)
        at = until


def _keep_longer(batch: dict[str, jaeger.Trace], trace: jaeger.Trace) -> None:
    """A trace that is asked for twice may have grown in between."""
    known = batch.get(trace.trace_id)
    if known is None or len(known.spans) < len(trace.spans):
        batch[trace.trace_id] = trace


def _fresh(trace: jaeger.Trace, seen: dict[str, str]) -> Found:
    known = set(seen.get(trace.trace_id, "").split())
    fresh = tuple(span for span in trace.spans if span.span_id not in known)
    if fresh:
        seen[trace.trace_id] = " ".join(sorted(known.union(span.span_id for span in fresh)))
    return Found(trace, dataclasses.replace(trace, spans=fresh))


def belongs(trace: jaeger.Trace, namespace: str) -> bool:
    """Whether a trace touches the application's namespace; one without any namespace does, by default."""
    named = {str(span.resource_attributes.get("k8s.namespace.name", "")) for span in trace.spans} - {""}
    if named:
        return namespace in named
    return any(span.service != BACKEND for span in trace.spans)


def rows(traces: Iterable[jaeger.Trace], request: RecordRequest) -> list[Sequence[Cell]]:
    """One row a span that began within the window and names nothing hidden."""
    view = request.view
    start, end = nanoseconds(request.baseline_at), nanoseconds(request.recorded_at)
    found: list[Sequence[Cell]] = []
    for trace in traces:
        wired = _wired(trace)
        for span in trace.spans:
            if start <= span.start_ns <= end:
                made = _row(span, wired.get(span.span_id, {}))
                if not redaction.mentions(view, " ".join(map(str, made))):
                    found.append(made)
    return found


def _row(span: jaeger.Span, wired: Mapping[str, Any]) -> Sequence[Cell]:
    events, links = wired.get("events") or (), wired.get("links") or ()
    return (
        time_cell(span.start_ns),
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        text_cell(span.trace_state),
        text_cell(span.name),
        span.kind.value,
        text_cell(span.service),
        attributes(span.resource_attributes),
        text_cell(span.scope_name),
        text_cell(span.scope_version),
        attributes(span.attributes),
        span.duration_ns,
        span.status_code.value,
        text_cell(span.status_message),
        json_cell([time_cell(int(event["timeUnixNano"])) for event in events]),
        json_cell([event.get("name", "") for event in events]),
        json_cell([_pairs(event) for event in events]),
        json_cell([link.get("traceId", "") for link in links]),
        json_cell([link.get("spanId", "") for link in links]),
        json_cell([link.get("traceState", "") for link in links]),
        json_cell([_pairs(link) for link in links]),
    )


def _wired(trace: jaeger.Trace) -> dict[str, Mapping[str, Any]]:
    """Spans with events or links, as OTLP/JSON, by id."""
    return {
        span["spanId"]: span
        for block in trace.raw.get("resourceSpans", ())
        for scoped in block.get("scopeSpans", ())
        for span in scoped.get("spans", ())
        if span.get("events") or span.get("links")
    }


def _pairs(holder: Mapping[str, Any]) -> dict[str, str]:
    """OTLP's attributes as ClickHouse's exporter writes them: text to text."""
    return {
        pair["key"]: str(next(iter(pair.get("value", {}).values()), ""))
        for pair in holder.get("attributes") or ()
    }


def nanoseconds(time: dt.datetime) -> int:
    """Nanoseconds since 1970, exactly."""
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000


def time_cell(nanos: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 with nine digits."""
    seconds, rest = divmod(nanos, 1_000_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
