"""Parquet, one file a signal: spans, logs, metrics, events, objects, alerts, edges.

Rows go out in groups, so that memory does not grow with the snapshot. Maps are map<string, string>, whole
objects are JSON text. Bytes of a log line that are no UTF-8 become \\xNN.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reprise.domain import errors
from reprise.snapshot import jaeger_spans, reader
from reprise.snapshot.export.otlp import nanoseconds

# A row group ends at whichever comes first.
GROUP_ROWS, GROUP_BYTES = 20_000, 16 << 20
# column -> type; "time" is microseconds in UTC, "map" is map<string, string>.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "spans": {
        "trace_id": "text", "span_id": "text", "parent_span_id": "text", "service": "text",
        "operation": "text", "kind": "text", "start": "time", "duration_us": "int", "status": "text",
        "status_message": "text", "scope": "text", "attributes": "map", "resource": "map", "events": "text",
        "links": "text",
    },
    "logs": {
        "time": "time", "time_ns": "int", "namespace": "text", "pod": "text", "container": "text",
        "previous": "bool", "line": "int", "body": "text",
    },
    "metrics": {
        "series": "int", "name": "text", "labels": "map", "time": "time", "value": "float", "stale": "bool",
    },
    "events": {
        "time": "time", "namespace": "text", "kind": "text", "name": "text", "reason": "text",
        "message": "text", "type": "text", "count": "int", "source": "text", "body": "text",
    },
    "objects": {
        "collection": "text", "observation": "text", "time": "time", "api_version": "text", "kind": "text",
        "namespace": "text", "name": "text", "uid": "text", "resource_version": "text", "body": "text",
    },
    "alerts": {
        "source": "text", "name": "text", "state": "text", "severity": "text", "active_at": "time",
        "started_at": "time", "ended_at": "time", "value": "text", "labels": "map", "annotations": "map",
    },
    "edges": {
        "source": "text", "relation": "text", "target": "text", "count": "int", "failed": "int",
        "p50_ms": "float", "p95_ms": "float", "error_rate": "float", "meta": "text",
    },
}  # fmt: skip
Row = Sequence[Any]


def write(snapshot: reader.Snapshot, folder: Path) -> None:
    """Raises Unsupported without pyarrow, Corrupt for records that cannot be read."""
    sources: Mapping[str, Iterable[Row]] = {
        "spans": _spans(snapshot),
        "logs": _logs(snapshot),
        "metrics": _metrics(snapshot),
        "events": _events(snapshot),
        "objects": _objects(snapshot),
        "alerts": _alerts(snapshot),
        "edges": _edges(snapshot),
    }
    for name, rows in sources.items():
        _write_table(folder / f"{name}.parquet", COLUMNS[name], rows)


def _write_table(path: Path, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError as exc:
        raise errors.Unsupported(
            f"expected pyarrow for Parquet, found none ({exc}); pip install 'reprise[parquet]'"
        ) from exc
    types = {
        "text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"), "map": pa.map_(pa.string(), pa.string()),
    }  # fmt: skip
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for group in _groups(rows):
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            out.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _spans(snapshot: reader.Snapshot) -> Iterator[Row]:
    for trace in snapshot.traces():
        for span in jaeger_spans.spans(trace):
            events = [{"time_us": at, **dict(_tags(fields))} for at, fields in span.logs]
            yield (
                span.trace_id, span.span_id, span.parent_id, span.service, span.operation, span.kind,
                span.start_us, span.duration_us, span.status, span.status_message, span.scope_name,
                _tags(span.tags), _tags(span.resource), _json(events) if events else None,
                _json(span.links) if span.links else None,
            )  # fmt: skip


def _tags(tags: Iterable[jaeger_spans.Tag]) -> list[tuple[str, str]]:
    """The last value of a key counts: a Parquet map may not hold one twice."""
    found = {tag.key: tag.value if isinstance(tag.value, str) else _json(tag.value) for tag in tags}
    return list(found.items())


def _logs(snapshot: reader.Snapshot) -> Iterator[Row]:
    file, number = None, 0
    for line in snapshot.log_lines():
        here = (line.namespace, line.pod, line.container, line.previous)
        number = number + 1 if here == file else 1
        file = here
        nanos = nanoseconds(line.time)
        body = line.text.decode(errors="backslashreplace")
        yield nanos // 1000, nanos, *here, number, body


def _metrics(snapshot: reader.Snapshot) -> Iterator[Row]:
    for index, series in enumerate(snapshot.series()):
        name = series.metric.get("__name__", "")
        labels = [(key, value) for key, value in series.metric.items() if key != "__name__"]
        for at_ms, value in series.points:
            stale = value == "stale"
            yield index, name, labels, at_ms * 1000, None if stale else float(value), stale


def _events(snapshot: reader.Snapshot) -> Iterator[Row]:
    for found in snapshot.events():
        event = found.object
        about = event.get("involvedObject") or event.get("regarding") or {}
        time = found.time if isinstance(found, reader.Observation) else snapshot.needed_time("recordedAt")
        yield (
            time, about.get("namespace"), about.get("kind"), about.get("name"), event.get("reason"),
            event.get("message") or event.get("note"), event.get("type"), event.get("count") or 1,
            (event.get("source") or {}).get("component") or event.get("reportingComponent"), _json(event),
        )  # fmt: skip


def _objects(snapshot: reader.Snapshot) -> Iterator[Row]:
    """What happened, then what was there in the end (observation RECORDED)."""
    for seen in snapshot.history():
        yield _object(seen.name, seen.type, seen.time, seen.object)
    recorded_at = snapshot.needed_time("recordedAt")
    for stored in snapshot.objects():
        yield _object(stored.head.name, "RECORDED", recorded_at, stored.object)


def _object(collection: str, observation: str, time: Any, obj: Mapping[str, Any]) -> Row:
    meta = obj["metadata"]
    return (
        collection, observation, time, obj.get("apiVersion"), obj.get("kind"), meta.get("namespace"),
        meta.get("name"), meta.get("uid"), meta.get("resourceVersion"), _json(obj),
    )  # fmt: skip


def _alerts(snapshot: reader.Snapshot) -> Iterator[Row]:
    for source, found in (("recorded", snapshot.alerts()), ("history", snapshot.alert_history())):
        for item in found:
            labels = item["labels"]
            times = [_time(item.get(name)) for name in ("activeAt", "startedAt", "endedAt")]
            yield (
                source, labels.get("alertname"), item.get("state"), labels.get("severity"), *times,
                item.get("value"), list(labels.items()), list((item.get("annotations") or {}).items()),
            )  # fmt: skip


def _edges(snapshot: reader.Snapshot) -> Iterator[Row]:
    for edge in snapshot.edges():
        meta = edge.get("meta") or {}
        numbers = [meta.get(name) for name in ("count", "failed", "p50_ms", "p95_ms", "error_rate")]
        yield edge["source"], edge["relation"], edge["target"], *numbers, _json(meta) if meta else None


def _time(text: str | None) -> Any:
    return reader.parse_time(text) if text else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
