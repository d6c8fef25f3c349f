"""Jaeger, through its query API v3 (`/api/v3`), whose answers are OTLP/JSON with nanoseconds, and through the
API of its UI (`/api`), which agents ask.

Wire types stay in here; callers get frozen values, and each trace's own JSON beside them. What the UI's API
says is handed on as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from urllib.parse import quote

import aiohttp

from reprise.adapters import http
from reprise.domain import errors

REQUEST_TIMEOUT_SECONDS = 30.0
DEFAULT_LIMIT = 500
_NANOSECONDS = 1_000_000_000
# A window that is no wider than this is not halved again, but asked for with the highest limit. Jaeger
# refuses limits that are not below its store's `max_traces` (12,000 with our configuration).
_NARROWEST_NANOSECONDS = 1_000_000
_HIGHEST_LIMIT = 10_000


class SpanKind(Enum):
    """OpenTelemetry's span kinds; the values are the words of the collector's ClickHouse tables."""

    UNSPECIFIED = "Unspecified"
    INTERNAL = "Internal"
    SERVER = "Server"
    CLIENT = "Client"
    PRODUCER = "Producer"
    CONSUMER = "Consumer"


class StatusCode(Enum):
    """OpenTelemetry's span status."""

    UNSET = "Unset"
    OK = "Ok"
    ERROR = "Error"


@dataclass(frozen=True)
class Span:
    """One span. Times in nanoseconds, `start_ns` since the epoch. `parent_span_id` is empty for a root.

    Attribute values are str, bool, int, float, or lists and mappings of these.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    trace_state: str
    service: str
    name: str
    kind: SpanKind
    start_ns: int
    duration_ns: int
    status_code: StatusCode
    status_message: str
    attributes: Mapping[str, Any]
    resource_attributes: Mapping[str, Any]
    scope_name: str
    scope_version: str


@dataclass(frozen=True)
class Trace:
    """One trace. `spans` oldest first; `raw` is the trace as OTLP/JSON (`{"resourceSpans": [...]}`)."""

    trace_id: str
    spans: tuple[Span, ...]
    raw: Mapping[str, Any] = field(repr=False)


class Jaeger(http.HttpApi):
    """A client of one server.

    Every method raises Unreachable when there is no answer, and InvalidInput for a request that Jaeger
    refuses.
    """

    async def services(self) -> list[str]:
        """Return the names of the services that have sent spans, sorted."""
        answer = await self._get("/api/v3/services", {})
        return sorted(answer.get("services") or [])

    async def operations(self, service: str) -> list[str]:
        """Return the span names of a service, sorted; none for a service that is not known."""
        answer = await self._get("/api/v3/operations", {"service": service})
        return sorted({each["name"] for each in answer.get("operations") or []})

    async def traces(self, service: str, start: float, end: float, limit: int = DEFAULT_LIMIT) -> list[Trace]:
        """Return every trace with a span of `service` that started in the range, oldest first.

        start, end: seconds since the epoch. limit: how many traces one request may bring; a range that holds
        more is halved until nothing is left out. A trace comes whole, with spans of other services and
        outside the range.
        """
        if limit < 1 or end < start:
            raise errors.InvalidInput(
                f"expected start ≤ end and a limit of at least 1, found {start}, {end}, {limit}"
            )
        found: dict[str, Trace] = {}
        windows = [(int(start * _NANOSECONDS), int(end * _NANOSECONDS))]
        while windows:
            first, last = windows.pop()
            narrow = last - first <= _NARROWEST_NANOSECONDS
            traces = await self._window(service, first, last, _HIGHEST_LIMIT if narrow else limit)
            if len(traces) >= limit and not narrow:
                middle = (first + last) // 2
                windows += [(first, middle), (middle, last)]
                continue
            for trace in traces:
                # NB: a trace that is still growing may come from both sides of a cut, longer the second time.
                known = found.get(trace.trace_id)
                if known is None or len(known.spans) < len(trace.spans):
                    found[trace.trace_id] = trace
        return sorted(found.values(), key=lambda t: (t.spans[0].start_ns, t.trace_id))

    async def ui_traces(self, trace_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return these traces whole, each as `data` of the UI's /api/traces/<id> has it.

        Those that Jaeger does not have are left out.
        """
        return await self._ui("/api/traces", [("traceID", each) for each in trace_ids]) or []

    async def ui_search(self, service: str, start_us: int, end_us: int, limit: int) -> list[dict[str, Any]]:
        """Return at most `limit` whole traces with a span of `service` that started in the range
        (microseconds since the epoch)."""
        params = {"service": service, "start": str(start_us), "end": str(end_us), "limit": str(limit)}
        return await self._ui("/api/traces", list(params.items())) or []

    async def ui_services(self) -> list[str]:
        """Return `data` of the UI's /api/services."""
        return await self._ui("/api/services", ()) or []

    async def ui_operations(self, service: str) -> list[str]:
        """Return `data` of the UI's /api/services/<service>/operations."""
        return await self._ui(f"/api/services/{quote(service, safe='')}/operations", ()) or []

    async def ui_kinds(self, service: str) -> list[dict[str, Any]]:
        """Return `data` of the UI's /api/operations: `{"name", "spanKind"}` of every operation."""
        return await self._ui("/api/operations", [("service", service)]) or []

    async def ui_dependencies(self, end_ms: int, lookback_ms: int) -> list[dict[str, Any]]:
        """Return `data` of the UI's /api/dependencies: `{"parent", "child", "callCount"}`."""
        params = [("endTs", str(end_ms)), ("lookback", str(lookback_ms))]
        return await self._ui("/api/dependencies", params) or []

    async def _ui(self, path: str, params: Sequence[tuple[str, str]]) -> Any:
        """`data` of an answer of the UI's API."""
        status, answer = await self._ask(path, params)
        if status == 200 and "data" in answer:
            return answer["data"]
        said = "; ".join(str(error.get("msg")) for error in answer.get("errors") or ())
        message = f"Jaeger at {self._base}{path}: {status}: {said or answer}"
        if status == 400:
            raise errors.InvalidInput(message)
        raise errors.Unreachable(message)

    async def _window(self, service: str, start_ns: int, end_ns: int, limit: int) -> list[Trace]:
        params = {
            "query.service_name": service,
            "query.start_time_min": _rfc3339(start_ns),
            "query.start_time_max": _rfc3339(end_ns),
            "query.num_traces": str(limit),
        }
        answer = await self._get("/api/v3/traces", params)
        return _traces((answer.get("result") or {}).get("resourceSpans") or [])

    async def _get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """An answer of the API v3."""
        status, answer = await self._ask(path, list(params.items()))
        if "error" not in answer and status == 200:
            return answer
        fault = answer.get("error") or {}
        if fault.get("httpCode") == 404 and fault.get("message") == "No traces found":
            return {}
        message = f"Jaeger at {self._base}{path}: {status}: {fault.get('message') or answer}"
        if status == 400:
            raise errors.InvalidInput(message)
        raise errors.Unreachable(message)

    async def _ask(self, path: str, params: Sequence[tuple[str, str]]) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer."""
        try:
            async with self._open("GET", path, params, REQUEST_TIMEOUT_SECONDS) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.Unreachable(
                f"Jaeger at {self._base} did not answer: {error or type(error).__name__}; "
                "see that its pod is ready"
            ) from error
        try:
            return response.status, dict(json.loads(body))
        except (ValueError, TypeError) as error:
            text = body[:200].decode(errors="replace")
            raise errors.Unreachable(
                f"expected Jaeger's JSON from {self._base}{path}, found {response.status}: {text}"
            ) from error


def _traces(resource_spans: list[dict[str, Any]]) -> list[Trace]:
    """Group OTLP's resourceSpans, which may hold many traces, by trace."""
    raw: dict[str, list[dict[str, Any]]] = {}
    spans: dict[str, list[Span]] = {}
    for block in resource_spans:
        for scoped in block.get("scopeSpans") or []:
            for trace_id, wired in _by_trace(scoped.get("spans") or []):
                part = {**block, "scopeSpans": [{**scoped, "spans": wired}]}
                raw.setdefault(trace_id, []).append(part)
                resource = _attributes((block.get("resource") or {}).get("attributes"))
                scope = scoped.get("scope") or {}
                spans.setdefault(trace_id, []).extend(_span(each, resource, scope) for each in wired)
    return [
        Trace(
            trace_id=trace_id,
            spans=tuple(sorted(spans[trace_id], key=lambda s: (s.start_ns, s.span_id))),
            raw={"resourceSpans": parts},
        )
        for trace_id, parts in raw.items()
    ]


def _by_trace(spans: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        grouped.setdefault(span["traceId"], []).append(span)
    yield from grouped.items()


_KINDS = tuple(SpanKind)
_STATUSES = tuple(StatusCode)


def _span(wired: Mapping[str, Any], resource: Mapping[str, Any], scope: Mapping[str, Any]) -> Span:
    status = wired.get("status") or {}
    start = int(wired["startTimeUnixNano"])
    return Span(
        trace_id=wired["traceId"],
        span_id=wired["spanId"],
        parent_span_id=wired.get("parentSpanId", ""),
        trace_state=wired.get("traceState", ""),
        service=str(resource.get("service.name", "")),
        name=wired.get("name", ""),
        kind=_KINDS[wired.get("kind", 0)],
        start_ns=start,
        duration_ns=int(wired["endTimeUnixNano"]) - start,
        status_code=_STATUSES[status.get("code", 0)],
        status_message=status.get("message", ""),
        # What Jaeger notes for itself is none of the span's: its warnings grow whenever the span is read.
        attributes=_attributes(
            [a for a in wired.get("attributes") or () if not a["key"].startswith("@jaeger@")]
        ),
        resource_attributes=resource,
        scope_name=scope.get("name", ""),
        scope_version=scope.get("version", ""),
    )


def _attributes(pairs: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value") or {}) for pair in pairs or []}


def _value(wired: Mapping[str, Any]) -> Any:
    """Unwrap OTLP/JSON's AnyValue; its 64-bit integers are strings."""
    match wired:
        case {"intValue": number}:
            return int(number)
        case {"doubleValue": number}:
            return float(number)
        case {"arrayValue": {"values": values}}:
            return [_value(each) for each in values]
        case {"kvlistValue": {"values": pairs}}:
            return _attributes(pairs)
        case {"arrayValue": _}:
            return []
        case {"kvlistValue": _}:
            return {}
    return next(iter(wired.values()), "")


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
