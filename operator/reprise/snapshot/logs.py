"""`otel_logs_raw.tsv`: what the containers wrote in the window, with trace ids where a line carries them."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.adapters import kube
from reprise.domain import errors, redaction
from reprise.snapshot.manifest import Missing
from reprise.snapshot.request import RecordRequest, rfc3339
from reprise.snapshot.tables import Cell, attributes, text_cell

FILE_NAME = "otel_logs_raw.tsv"
COLUMNS = (
    "Timestamp", "TraceId", "SpanId", "TraceFlags", "SeverityText", "SeverityNumber", "ServiceName", "Body",
    "ResourceSchemaUrl", "ResourceAttributes", "ScopeSchemaUrl", "ScopeName", "ScopeVersion",
    "ScopeAttributes", "LogAttributes",
)  # fmt: skip
# Of one container. More than this in a few minutes is a loop; the manifest says that it was cut.
LIMIT_BYTES = 16 << 20

# OpenTelemetry's severity numbers, by the names that loggers use.
_SEVERITY = {
    "TRACE": 1, "DEBUG": 5, "INFO": 9, "INFORMATION": 9, "NOTICE": 10, "WARN": 13, "WARNING": 13,
    "ERROR": 17, "ERR": 17, "CRITICAL": 21, "FATAL": 21, "PANIC": 21,
}  # fmt: skip
_MESSAGE = ("message", "msg", "body", "event")
_LEVEL = ("severity", "severity_text", "level", "levelname", "log.level")
_TRACE = ("trace_id", "traceId", "traceid", "otelTraceID")
_SPAN = ("span_id", "spanId", "spanid", "otelSpanID")


@dataclass(frozen=True)
class Stream:
    """One container's log: the present one, or that of the container before its last restart."""

    pod: Mapping[str, Any]
    container: str
    previous: bool
    text: str

    @property
    def what(self) -> str:
        return stream_name(self.pod, self.container, self.previous)


def stream_name(pod: Mapping[str, Any], container: str, previous: bool) -> str:
    return f"{pod['metadata']['name']}/{container}" + (" (previous)" if previous else "")


async def read(
    api: kube.Kube, request: RecordRequest, pods: Sequence[Mapping[str, Any]]
) -> AsyncIterator[Stream | Missing]:
    """One container after the other, so that one log at most is held."""
    for pod in pods:
        for container, previous in containers(pod):
            name = pod["metadata"]["name"]
            query = {
                "container": container,
                "timestamps": "true",
                # sinceTime counts whole seconds.
                "sinceTime": rfc3339(request.baseline_at.replace(microsecond=0)),
                "limitBytes": str(LIMIT_BYTES),
            }
            if previous:
                query["previous"] = "true"
            try:
                text = await api.logs(request.namespace, name, **query)
            except (errors.NotFound, errors.InvalidInput, errors.Unreachable) as exc:
                # The pod went, or its node has thrown the log away: a part is missing, the rest is good.
                yield Missing("logs", stream_name(pod, container, previous), str(exc))
                continue
            if len(text) >= LIMIT_BYTES:
                yield Missing("logs", stream_name(pod, container, previous), f"cut after {LIMIT_BYTES} bytes")
            yield Stream(pod, container, previous, text)


def containers(pod: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """(name, previous?) of every log that a pod can have: of containers that started at least once."""
    status = pod.get("status", {})
    for state in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        if state.get("restartCount", 0) > 0:
            yield state["name"], True
        if "waiting" not in state.get("state", {}) or state.get("restartCount", 0) > 0:
            yield state["name"], False


def rows(stream: Stream, request: RecordRequest) -> list[Sequence[Cell]]:
    """One row a line that names nothing hidden."""
    meta = stream.pod["metadata"]
    resource = attributes(
        {
            "k8s.namespace.name": meta["namespace"],
            "k8s.pod.name": meta["name"],
            "k8s.pod.uid": meta.get("uid", ""),
            "k8s.container.name": stream.container,
            "k8s.node.name": stream.pod.get("spec", {}).get("nodeName", ""),
            **({"k8s.container.restart": "previous"} if stream.previous else {}),
        }
    )
    service = service_of(stream.pod)
    view = request.view
    end = rfc3339(request.recorded_at)
    return [
        row(line, service, resource)
        for line in stream.text.splitlines()
        if line and not redaction.mentions(view, line) and line[:20] <= end
    ]


def service_of(pod: Mapping[str, Any]) -> str:
    """The `service.name` of a pod, by the labels that OpenTelemetry and Kubernetes give it."""
    labels = pod["metadata"].get("labels", {})
    for key in ("opentelemetry.io/name", "app.kubernetes.io/name", "app.kubernetes.io/component", "app"):
        if labels.get(key):
            return str(labels[key])
    return str(pod["metadata"]["name"])


def row(line: str, service: str, resource: str) -> Sequence[Cell]:
    """A line as the kubelet gives it: a time, a blank, what the container wrote."""
    time, _, text = line.partition(" ")
    fields = _fields(text)
    message = _take(fields, _MESSAGE)
    level = _take(fields, _LEVEL).upper()
    trace, span = _take(fields, _TRACE), _take(fields, _SPAN)
    return (
        time,
        "" if set(trace) <= {"0"} else trace,
        "" if set(span) <= {"0"} else span,
        0,
        level,
        _SEVERITY.get(level, 0),
        _take(fields, ("service.name", "service")) or service,
        text_cell(message if message else text),
        "",
        resource,
        "",
        text_cell(_take(fields, ("logger", "name", "scope"))),
        "",
        "{}",
        attributes(fields if message else {}),
    )


def _fields(text: str) -> dict[str, Any]:
    """A structured line as a mapping; empty for plain text."""
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _take(fields: dict[str, Any], keys: Sequence[str]) -> str:
    for key in keys:
        if isinstance(fields.get(key), str) and fields[key]:
            return str(fields.pop(key))
    return ""
