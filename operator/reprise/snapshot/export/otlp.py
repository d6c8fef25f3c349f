"""OTLP/JSON lines as the collector's file exporter writes them: one export request a line.

`traces.jsonl` has one ExportTraceServiceRequest a trace, `logs.jsonl` ExportLogsServiceRequests of one
container each. Ids are hex and 64-bit numbers are text, as OTLP/JSON wants them.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from reprise.snapshot import jaeger_spans, reader

# A request ends at whichever comes first.
_BATCH_LINES, _BATCH_BYTES = 500, 1 << 20
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def write(snapshot: reader.Snapshot, folder: Path) -> None:
    """Raises Corrupt for traces and times that cannot be read."""
    _lines(folder / "traces.jsonl", (traces_request(trace) for trace in snapshot.traces()))
    _lines(folder / "logs.jsonl", _logs(snapshot.log_lines()))


def _lines(path: Path, requests: Iterable[object]) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as out:
        for request in requests:
            out.write(json.dumps(request, ensure_ascii=False, separators=(",", ":")) + "\n")


def traces_request(trace: jaeger_spans.Json) -> dict[str, Any]:
    """One trace as an ExportTraceServiceRequest: by service, then by instrumentation scope."""
    found: dict[str, dict[tuple[str, str], list[Any]]] = {}
    resources: dict[str, Any] = {}
    for span in jaeger_spans.spans(trace):
        resource = [_attribute(jaeger_spans.Tag("service.name", "string", span.service))]
        resource += [_attribute(tag) for tag in span.resource if tag.key != "service.name"]
        key = json.dumps(resource)
        resources[key] = resource
        scopes = found.setdefault(key, {})
        scopes.setdefault((span.scope_name, span.scope_version), []).append(_span(span))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": resources[key]},
                "scopeSpans": [
                    {"scope": _plain({"name": name, "version": version}), "spans": spans}
                    for (name, version), spans in scopes.items()
                ],
            }
            for key, scopes in found.items()
        ]
    }


def _span(span: jaeger_spans.Span) -> dict[str, Any]:
    status = jaeger_spans.STATUS.index(span.status)
    return {
        "traceId": span.trace_id.zfill(32),
        "spanId": span.span_id.zfill(16),
        **({"traceState": span.trace_state} if span.trace_state else {}),
        "parentSpanId": span.parent_id.zfill(16) if span.parent_id else "",
        "name": span.operation,
        "kind": jaeger_spans.KINDS.index(span.kind),
        "startTimeUnixNano": str(span.start_us * 1000),
        "endTimeUnixNano": str((span.start_us + span.duration_us) * 1000),
        "attributes": [_attribute(tag) for tag in span.tags],
        **({"events": [_event(at, fields) for at, fields in span.logs]} if span.logs else {}),
        **({"links": [_link(trace, one) for trace, one in span.links]} if span.links else {}),
        "status": {
            **({"message": span.status_message} if span.status_message else {}),
            **({"code": status} if status else {}),
        },
    }


def _event(at_us: int, fields: Sequence[jaeger_spans.Tag]) -> dict[str, Any]:
    name = next((str(tag.value) for tag in fields if tag.key == "event"), "")
    rest = [_attribute(tag) for tag in fields if tag.key != "event"]
    return {"timeUnixNano": str(at_us * 1000), "name": name, "attributes": rest}


def _link(trace_id: str, span_id: str) -> dict[str, Any]:
    return {"traceId": trace_id.zfill(32), "spanId": span_id.zfill(16)}


def _attribute(tag: jaeger_spans.Tag) -> dict[str, Any]:
    match tag.type:
        case "bool":
            value: dict[str, Any] = {"boolValue": tag.value in (True, "true")}
        case "int64":
            value = {"intValue": str(tag.value)}
        case "float64":
            value = {"doubleValue": tag.value}
        case "binary":
            value = {"bytesValue": tag.value}
        case _:
            value = {"stringValue": str(tag.value)}
    return {"key": tag.key, "value": value}


def _logs(lines: Iterable[reader.LogLine]) -> Iterator[dict[str, Any]]:
    for key, group in groupby(lines, lambda line: (line.namespace, line.pod, line.container, line.previous)):
        batch: list[Any] = []
        size = 0
        for line in group:
            batch.append(_record(line))
            size += len(line.text)
            if len(batch) >= _BATCH_LINES or size >= _BATCH_BYTES:
                yield _logs_request(key, batch)
                batch, size = [], 0
        if batch:
            yield _logs_request(key, batch)


def _logs_request(key: tuple[str, str, str, bool], records: list[Any]) -> dict[str, Any]:
    namespace, pod, container, previous = key
    names = {"k8s.namespace.name": namespace, "k8s.pod.name": pod, "k8s.container.name": container}
    if previous:
        names["k8s.container.restart"] = "previous"
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in names.items()]
    scoped = {"scope": {}, "logRecords": records}
    return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [scoped]}]}


def _record(line: reader.LogLine) -> dict[str, Any]:
    """The body is text where the line is UTF-8, else its bytes (base64)."""
    nanos = str(nanoseconds(line.time))
    return {
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "body": _body(line.text),
        "traceId": "",
        "spanId": "",
    }


def _body(text: bytes) -> dict[str, str]:
    try:
        return {"stringValue": text.decode()}
    except UnicodeDecodeError:
        return {"bytesValue": base64.b64encode(text).decode()}


def nanoseconds(text: str) -> int:
    """RFC 3339 with up to nine digits as nanoseconds since 1970, exactly. Raises Corrupt."""
    whole, _, rest = text.partition(".")
    digits = rest.rstrip("Z") if rest.endswith("Z") else ""
    if not digits.isdecimal() or len(digits) > 9:
        micros = (reader.parse_time(text) - _EPOCH) // dt.timedelta(microseconds=1)
        return micros * 1000
    seconds = (reader.parse_time(whole + "Z") - _EPOCH) // dt.timedelta(seconds=1)
    return seconds * 1_000_000_000 + int(digits.ljust(9, "0"))


def _plain(values: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
