"""The spans of a snapshot's traces (Jaeger's UI JSON) in OpenTelemetry's terms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors
from reprise.domain import spans as rules

Json = Mapping[str, Any]
# OpenTelemetry's, by the words of the tag `span.kind`.
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUS = ("UNSET", "OK", "ERROR")
# Tags that become fields of the span.
_FIELDS = frozenset(
    {
        "span.kind",
        "error",
        "otel.status_code",
        "otel.status_description",
        "w3c.tracestate",
        "otel.scope.name",
        "otel.scope.version",
        "otel.library.name",
        "otel.library.version",
    }
)


@dataclass(frozen=True)
class Tag:
    """A key and a value of Jaeger's type: string, bool, int64, float64, binary."""

    key: str
    type: str
    value: Any


@dataclass(frozen=True)
class Span:
    """One span; times in microseconds, `start_us` since 1970. `links` are (trace id, span id)."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    operation: str
    kind: str
    start_us: int
    duration_us: int
    status: str
    status_message: str
    trace_state: str
    scope_name: str
    scope_version: str
    tags: Sequence[Tag]
    resource: Sequence[Tag]
    logs: Sequence[tuple[int, Sequence[Tag]]]
    links: Sequence[tuple[str, str]]

    @property
    def failed(self) -> bool:
        return self.status == "ERROR"

    @property
    def is_entry(self) -> bool:
        """Whether it is work that somebody asked the service for."""
        return self.kind in ("server", "consumer")


def spans(trace: Json) -> Iterator[Span]:
    """The spans of one trace. Raises Corrupt."""
    try:
        processes = {
            name: (str(process["serviceName"]), _tags(process.get("tags")))
            for name, process in trace["processes"].items()
        }
        for span in trace["spans"]:
            yield _span(span, processes)
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise errors.Corrupt(
            f"trace {trace.get('traceID')}: expected Jaeger's UI JSON, found no {exc!r}"
        ) from exc


def _span(span: Json, processes: Mapping[str, tuple[str, Sequence[Tag]]]) -> Span:
    tags = _tags(span.get("tags"))
    known = {tag.key: tag.value for tag in tags if tag.key in _FIELDS}
    service, resource = processes[span["processID"]]
    parent = rules.parent_of(span)
    kind = str(known.get("span.kind", "unspecified")).lower()
    return Span(
        trace_id=span["traceID"],
        span_id=span["spanID"],
        parent_id=parent,
        service=service,
        operation=span["operationName"],
        kind=kind if kind in KINDS else "unspecified",
        start_us=int(span["startTime"]),
        duration_us=int(span["duration"]),
        status=rules.status_of(known),
        status_message=str(known.get("otel.status_description", "")),
        trace_state=str(known.get("w3c.tracestate", "")),
        scope_name=str(known.get("otel.scope.name") or known.get("otel.library.name") or ""),
        scope_version=str(known.get("otel.scope.version") or known.get("otel.library.version") or ""),
        tags=[tag for tag in tags if tag.key not in _FIELDS],
        resource=resource,
        logs=[(int(log["timestamp"]), _tags(log.get("fields"))) for log in span.get("logs") or ()],
        links=_links(span, parent),
    )


def _links(span: Json, parent: str) -> list[tuple[str, str]]:
    """Every reference but the one to the parent."""
    links = [(ref["traceID"], ref["spanID"]) for ref in span.get("references") or ()]
    if parent:
        links.remove((span["traceID"], parent))
    return links


def _tags(found: Any) -> list[Tag]:
    return [Tag(tag["key"], tag.get("type", "string"), tag["value"]) for tag in found or ()]
