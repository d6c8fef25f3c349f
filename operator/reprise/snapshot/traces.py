"""`otel_traces_raw.tsv`: every span of the window, in the columns of the ClickHouse exporter."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reprise.domain import redaction
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.tables import Cell, attributes, json_cell, text_cell

Json = Mapping[str, Any]
FILE_NAME = "otel_traces_raw.tsv"
COLUMNS = (
    "Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName",
    "ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration", "StatusCode",
    "StatusMessage", "Events.Timestamp", "Events.Name", "Events.Attributes", "Links.TraceId", "Links.SpanId",
    "Links.TraceState", "Links.Attributes",
)  # fmt: skip
_STATUS = {"ERROR": "Error", "OK": "Ok"}
# Jaeger folds these fields of a span into its tags; they have columns of their own.
_FOLDED = frozenset(
    {
        "span.kind", "otel.status_code", "otel.status_description", "error", "otel.scope.name",
        "otel.scope.version", "otel.library.name", "otel.library.version", "w3c.tracestate",
        "internal.span.format",
    }
)  # fmt: skip


@dataclass
class Calls:
    """Who called whom, how often, and how often it failed. Grows with pairs of services, not with spans."""

    total: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, traces: Iterable[Json]) -> None:
        for trace in traces:
            services = {key: process["serviceName"] for key, process in trace["processes"].items()}
            by_id = {span["spanID"]: span for span in trace["spans"]}
            for span in trace["spans"]:
                parent = by_id.get(parent_of(span))
                if parent is None:
                    continue
                pair = services[parent["processID"]], services[span["processID"]]
                if pair[0] != pair[1]:
                    self.total[pair] += 1
                    self.failed[pair] += is_error(span)


def rows(traces: Iterable[Json], request: RecordRequest) -> list[Sequence[Cell]]:
    """One row a span that began within the window and names nothing hidden."""
    view = request.view
    start, end = microseconds(request.baseline_at), microseconds(request.recorded_at)
    found: list[Sequence[Cell]] = []
    for trace in traces:
        resources = {
            key: (
                process["serviceName"],
                attributes({"service.name": process["serviceName"], **tags(process)}),
            )
            for key, process in trace["processes"].items()
        }
        for span in trace["spans"]:
            if not start <= span["startTime"] <= end:
                continue
            made = _row(span, *resources[span["processID"]])
            if not any(isinstance(cell, str) and redaction.mentions(view, cell) for cell in made):
                found.append(made)
    return found


def _row(span: Json, service: str, resource: str) -> Sequence[Cell]:
    own = tags(span)
    events = [
        (nanos(log["startTime"] if "startTime" in log else log["timestamp"]), tags(log, "fields"))
        for log in span.get("logs") or ()
    ]
    links = [ref for ref in span.get("references") or () if ref.get("refType") != "CHILD_OF"]
    return (
        nanos(span["startTime"]),
        span["traceID"],
        span["spanID"],
        parent_of(span),
        text_cell(str(own.get("w3c.tracestate", ""))),
        text_cell(span["operationName"]),
        str(own.get("span.kind", "internal")).capitalize(),
        text_cell(service),
        resource,
        text_cell(str(own.get("otel.scope.name", own.get("otel.library.name", "")))),
        text_cell(str(own.get("otel.scope.version", own.get("otel.library.version", "")))),
        attributes({key: value for key, value in own.items() if key not in _FOLDED}),
        span["duration"] * 1000,
        "Error" if is_error(span) else _STATUS.get(str(own.get("otel.status_code", "")), "Unset"),
        text_cell(str(own.get("otel.status_description", ""))),
        json_cell([time for time, _ in events]),
        json_cell([str(fields.pop("event", "")) for _, fields in events]),
        json_cell([fields for _, fields in events]),
        json_cell([link["traceID"] for link in links]),
        json_cell([link["spanID"] for link in links]),
        json_cell(["" for _ in links]),
        json_cell([{} for _ in links]),
    )


def tags(holder: Json, key: str = "tags") -> dict[str, Any]:
    """Jaeger's list of tags as a mapping."""
    return {tag["key"]: tag["value"] for tag in holder.get(key) or ()}


def parent_of(span: Json) -> str:
    for ref in span.get("references") or ():
        if ref.get("refType") == "CHILD_OF" and ref["traceID"] == span["traceID"]:
            return str(ref["spanID"])
    return ""


def is_error(span: Json) -> bool:
    own = tags(span)
    return own.get("otel.status_code") == "ERROR" or own.get("error") in (True, "true")


def microseconds(time: dt.datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def nanos(micros: int) -> str:
    """Jaeger's microseconds since 1970 as RFC 3339 with nine digits."""
    time = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond:06d}000Z"
