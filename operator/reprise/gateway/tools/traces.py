"""search_traces, get_trace, trace_errors."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from reprise.domain import spans
from reprise.domain.spans import Span, Trace
from reprise.gateway.tools.call import Call, ToolError, text_of
from reprise.gateway.tools.schema import PagedArguments, Since, Tool
from reprise.gateway.tools.tables import one_line, table

_DURATION = r"^(|\d+(\.\d+)?(us|ms|s|m))$"
MAX_TRACES = 200
# Of one kind of error that trace_errors shows.
_EXAMPLES = 3


class SearchArguments(PagedArguments):
    service: str = Field(min_length=1, max_length=200, examples=["checkout"])
    operation: str = Field("", max_length=500, examples=["oteldemo.CheckoutService/PlaceOrder"])
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags that a span has.", examples=[{"http.status_code": "500"}]
    )
    min_duration: str = Field("", pattern=_DURATION, examples=["500ms"])
    max_duration: str = Field("", pattern=_DURATION, examples=["2s"])
    start: Since = ""
    end: str = Field("", max_length=64, description="RFC 3339 or how long ago ('5m'). Empty: now.")
    errors_only: bool = Field(False, description="Of the traces found, only those with a span in error.")
    limit: int = Field(20, ge=1, le=MAX_TRACES, description="How many traces are looked for.")


class TraceArguments(PagedArguments):
    trace_id: str = Field(pattern=r"^[0-9a-fA-F]{1,32}$", examples=["4bf92f3577b34da6a3ce929d0e0e4736"])
    format: Literal["tree", "json"] = "tree"
    tags: bool = Field(False, description="In the tree: also each span's tags.")


class ErrorsArguments(PagedArguments):
    trace_id: str = Field("", pattern=r"^[0-9a-fA-F]{0,32}$", description="One trace, or a service.")
    service: str = Field("", max_length=200, examples=["frontend"])
    start: Since = ""
    limit: int = Field(100, ge=1, le=MAX_TRACES, description="With a service: traces that are looked at.")


async def search_traces(call: Call, given: SearchArguments) -> str:
    query = {
        "service": given.service,
        "operation": given.operation,
        "tags": json.dumps(given.tags) if given.tags else "",
        "minDuration": given.min_duration,
        "maxDuration": given.max_duration,
        "start": _micros(call.time(given.start, "start", call.start)),
        "end": _micros(call.time(given.end, "end", call.now)),
        "limit": str(given.limit),
    }
    found = await _search(call, query)
    shown = [trace for trace in found if not given.errors_only or any(one.is_error for one in trace.spans())]
    rows = []
    for trace in sorted(shown, key=lambda one: one.start_us, reverse=True):
        every = list(trace.spans())
        root = trace.roots[0]
        errors = sum(span.is_error for span in every)
        rows.append(
            (
                text_of(_time(trace.start_us)),
                trace.trace_id,
                _millis(trace.duration_us),
                len(every),
                errors,
                f"{root.service} {root.operation}",
            )
        )
    heads = ("start", "trace", "duration", "spans", "errors", "root")
    more = ""
    if len(found) >= given.limit:
        more = "; as many as `limit`, so there may be more: narrow start and end, or raise it"
    return f"{len(rows)} of {len(found)} traces found{more}, newest first\n" + (
        table(heads, rows) if rows else ""
    )


async def get_trace(call: Call, given: TraceArguments) -> str:
    document = await call.reads.json(f"/jaeger/api/traces/{given.trace_id}")
    if given.format == "json":
        return json.dumps(document["data"][0], indent=1, ensure_ascii=False)
    trace = spans.parse(document["data"][0])
    lines = [f"trace {trace.trace_id}, {text_of(_time(trace.start_us))}, {_millis(trace.duration_us)}"]
    for root in trace.roots:
        for depth, span in root.walk():
            lines.append("  " * min(depth, 40) + _line(span, trace))
            if given.tags:
                pairs = (f"{key}={one_line(item, 200)}" for key, item in span.tags.items())
                lines.append("  " * (min(depth, 40) + 2) + ", ".join(pairs))
    return "\n".join(lines)


async def trace_errors(call: Call, given: ErrorsArguments) -> str:
    if bool(given.trace_id) == bool(given.service):
        raise ToolError(
            400, "expected either trace_id or service, found " + ("both" if given.service else "none")
        )
    if given.trace_id:
        document = await call.reads.json(f"/jaeger/api/traces/{given.trace_id}")
        traces = [spans.parse(one) for one in document["data"]]
    else:
        query = {
            "service": given.service,
            "start": _micros(call.time(given.start, "start", call.start)),
            "end": _micros(call.now),
            "limit": str(given.limit),
        }
        traces = await _search(call, query)
    groups = spans.grouped(origin for trace in traces for origin in spans.origins(trace))
    bad = sum(any(span.is_error for span in trace.spans()) for trace in traces)
    lines = [f"{bad} of {len(traces)} traces hold errors; where they begin, the most frequent first:"]
    by_id = {trace.trace_id: trace for trace in traces}
    for (service, operation, trouble), found in groups:
        lines.append(f"x{len(found)}  {service} {operation}: {one_line(trouble or 'no message', 400)}")
        for origin in found[:_EXAMPLES]:
            lines.append(f"  trace {origin.trace_id}")
            for depth, span in enumerate(origin.path):
                lines.append("    " + "  " * min(depth, 40) + _line(span, by_id[origin.trace_id]))
    return "\n".join(lines)


async def _search(call: Call, query: Mapping[str, str]) -> list[Trace]:
    given = {key: item for key, item in query.items() if item}
    document = await call.reads.json("/jaeger/api/traces", given)
    traces = await asyncio.to_thread(lambda: [spans.parse(one) for one in document["data"] or ()])
    return [trace for trace in traces if trace.roots]


def _line(span: Span, trace: Trace) -> str:
    offset = f"+{_millis(span.start_us - trace.start_us)}"
    error = f"  ERROR {one_line(span.trouble, 300)}".rstrip() if span.is_error else ""
    return f"{span.service} {span.operation} [{span.kind}] {offset} {_millis(span.duration_us)}{error}"


def _millis(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f}ms"


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)


def _micros(time: datetime) -> str:
    return str(int(time.timestamp() * 1e6))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "search_traces",
        "Search traces",
        "Traces with a span of a service, one a line. "
        'Example: {"service": "checkout", "errors_only": true, "start": "10m", "limit": 100}',
        SearchArguments,
        search_traces,
    ),
    Tool(
        "get_trace",
        "Get a trace",
        "One trace as a tree of spans with offsets, durations and errors, or as JSON. "
        'Example: {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}',
        TraceArguments,
        get_trace,
    ),
    Tool(
        "trace_errors",
        "Where errors begin",
        "The error tree of one trace, or of a service's traces: each error that no error below it explains, "
        'with the way from the root. Example: {"service": "frontend", "start": "10m"}',
        ErrorsArguments,
        trace_errors,
    ),
)
