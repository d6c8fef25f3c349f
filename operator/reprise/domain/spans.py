"""Traces in the JSON of Jaeger's UI, read as trees; where in them errors begin."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
# Tags and fields that say in words what went wrong, the best first.
_WORDS = (
    "otel.status_description",
    "exception.message",
    "error.message",
    "message",
    "exception.type",
    "error.type",
    "rpc.grpc.status_code",
    "http.response.status_code",
    "http.status_code",
)


@dataclass
class Span:
    """One span and its children, oldest first. Times in microseconds, `start_us` since the epoch."""

    span_id: str
    parent_id: str
    service: str
    operation: str
    start_us: int
    duration_us: int
    tags: Mapping[str, Any]
    logs: list[Mapping[str, Any]]
    children: list["Span"] = field(default_factory=list)

    @property
    def is_error(self) -> bool:
        return status_of(self.tags) == "ERROR"

    @property
    def kind(self) -> str:
        return str(self.tags.get("span.kind", "internal"))

    @property
    def trouble(self) -> str:
        """What the span says of its error, in its own words; empty when it says nothing."""
        for source in (self.tags, *self.logs):
            for name in _WORDS:
                if name in source and str(source[name]).strip():
                    text = " ".join(str(source[name]).split())
                    return text if name.endswith(("message", "description")) else f"{name}={text}"
        return ""

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Span"]]:
        """The span and everything below it with its depth, in the order of a printed tree."""
        stack = [(depth, self)]
        while stack:
            level, span = stack.pop()
            yield level, span
            stack += [(level + 1, child) for child in reversed(span.children)]


@dataclass(frozen=True)
class Trace:
    """`roots` holds the root, and every span whose parent is not in the trace."""

    trace_id: str
    roots: tuple[Span, ...]

    def spans(self) -> Iterator[Span]:
        for root in self.roots:
            for _, span in root.walk():
                yield span

    @property
    def start_us(self) -> int:
        return min((span.start_us for span in self.spans()), default=0)

    @property
    def duration_us(self) -> int:
        return max((span.start_us + span.duration_us for span in self.spans()), default=0) - self.start_us


@dataclass(frozen=True)
class Origin:
    """An error that no error below it explains. `path` leads from the root to it, the span itself last."""

    trace_id: str
    span: Span
    path: tuple[Span, ...]


def parent_of(wired: Json) -> str:
    """The id of a span's parent: its first CHILD_OF within its own trace; "" for a root. What else a span in
    Jaeger's UI JSON refers to are links."""
    trace = wired.get("traceID", "")
    for ref in wired.get("references") or ():
        if ref.get("refType") == "CHILD_OF" and ref.get("traceID", trace) == trace:
            return str(ref["spanID"])
    return ""


def status_of(tags: Mapping[str, Any]) -> str:
    """OpenTelemetry's status, OK, ERROR or UNSET, of a span in Jaeger's terms: the status that was set wins
    over the tag `error`, which Jaeger derives from it and older clients set themselves."""
    code = str(tags.get("otel.status_code", "")).upper()
    if code in ("OK", "ERROR"):
        return code
    return "ERROR" if str(tags.get("error", "")).lower() == "true" else "UNSET"


def parse(document: Json) -> Trace:
    """One element of `data` of Jaeger's /api/traces."""
    processes = document.get("processes") or {}
    spans: dict[str, Span] = {}
    for wired in document.get("spans") or ():
        spans[wired["spanID"]] = Span(
            span_id=wired["spanID"],
            parent_id=parent_of(wired),
            service=str((processes.get(wired.get("processID")) or {}).get("serviceName", "")),
            operation=str(wired.get("operationName", "")),
            start_us=int(wired.get("startTime") or 0),
            duration_us=int(wired.get("duration") or 0),
            tags=_pairs(wired.get("tags")),
            logs=[_pairs(log.get("fields")) for log in wired.get("logs") or ()],
        )
    roots = []
    grounded: set[str] = set()
    for span in sorted(spans.values(), key=lambda one: (one.start_us, one.span_id)):
        parent = spans.get(span.parent_id)
        if parent is None or not _is_grounded(spans, span, grounded):
            roots.append(span)
        else:
            parent.children.append(span)
    return Trace(str(document.get("traceID", "")), tuple(roots))


def origins(trace: Trace) -> list[Origin]:
    """Where errors begin: the spans in error that have no span in error anywhere below them."""
    found = []
    for root in trace.roots:
        walked = list(root.walk())
        explained: set[str] = set()  # spans with an error below them
        for _, span in reversed(walked):  # children before their parents
            if any(child.is_error or child.span_id in explained for child in span.children):
                explained.add(span.span_id)
        path: list[Span] = []
        for depth, span in walked:
            del path[depth:]
            path.append(span)
            if span.is_error and span.span_id not in explained:
                found.append(Origin(trace.trace_id, span, tuple(path)))
    return found


def grouped(found: Iterable[Origin]) -> list[tuple[tuple[str, str, str], list[Origin]]]:
    """Origins by service, operation and what they say; the most frequent first."""
    groups: dict[tuple[str, str, str], list[Origin]] = {}
    for origin in found:
        key = (origin.span.service, origin.span.operation, origin.span.trouble)
        groups.setdefault(key, []).append(origin)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _is_grounded(spans: Mapping[str, Span], span: Span, grounded: set[str]) -> bool:
    """Whether the parents of a span end in a root: a broken client's circle must not become an endless tree.
    Remembers in `grounded` what it has found to be so."""
    seen: set[str] = set()
    at: Span | None = span
    while at is not None and at.span_id not in grounded:
        if at.span_id in seen:
            return False
        seen.add(at.span_id)
        at = spans.get(at.parent_id)
    grounded |= seen
    return True


def _pairs(tags: Iterable[Json] | None) -> dict[str, Any]:
    return {str(tag.get("key", "")): tag.get("value") for tag in tags or ()}
