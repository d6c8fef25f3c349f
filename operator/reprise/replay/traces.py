"""Jaeger's query API over a snapshot, with the meaning of the in-memory storage of Jaeger 1.76.

Read from its source (internal/storage/v2/memory/tenant.go, cmd/query/app): one span must fulfil all
conditions of a search; the youngest traces come first. Tags come as texts, and so `error` never is the truth
value that the storage compares it with: whatever its value, it selects spans whose status is set to OK. What
the query API derives (span.kind, otel.status_code) is no attribute and selects nothing.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from reprise.domain import errors
from reprise.gateway import jaeger
from reprise.gateway.upstream import MAX_BODY_BYTES
from reprise.replay.clock import Clock
from reprise.replay.source import Source
from reprise.replay.trace_index import Place, TraceIndex, normal

Json = dict[str, Any]
DEFAULT_LIMIT = 100
# As the live storage is configured: it refuses searches for more than it holds.
MAX_TRACES = 12_000
_UNITS_US = {"ns": 0.001, "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
# Tags that the query API makes of other fields of a span.
_DERIVED = frozenset(
    {
        "span.kind",
        "error",
        "otel.status_code",
        "otel.status_description",
        "otel.scope.name",
        "otel.scope.version",
        "otel.library.name",
        "otel.library.version",
        "w3c.tracestate",
    }
)
# The field of a log that is the name of an OpenTelemetry event.
_EVENT_NAME = "event"


@dataclass(frozen=True)
class Search:
    """Conditions on one span. Times and durations in microseconds, durations 0 for any; `is_ok` asks for
    status OK."""

    service: str
    operation: str
    start_us: int
    end_us: int
    min_us: float
    max_us: float
    tags: tuple[tuple[str, str], ...]
    is_ok: bool
    limit: int

    @property
    def needs_spans(self) -> bool:
        return bool(self.min_us or self.max_us or self.tags or self.is_ok)


class Traces(jaeger.Jaeger):
    """Reads each trace from disk when it is asked for. None is shown before its last span has ended."""

    def __init__(self, source: Source, clock: Clock, index: TraceIndex, http: aiohttp.ClientSession) -> None:
        """Raises Corrupt when services.json cannot be read."""
        super().__init__("", http, clock)
        self._moment = clock
        self._index = index
        self._file = source.root / "traces" / "traces.jsonl"
        self._known = _load(source.root / "traces" / "services.json")

    async def ask(self, path: str, query: list[tuple[str, str]]) -> tuple[int, Json]:
        given = dict(query)
        try:
            match path.split("/"):
                case ["api", "services"]:
                    return _ok(self._services())
                case ["api", "services", service, "operations"]:
                    return _ok(self._operations(service))
                case ["api", "operations"]:
                    return self._kinds(given)
                case ["api", "dependencies"]:
                    return _ok(self._dependencies())
                case ["api", "traces"]:
                    return await self._search(parse(given))
                case ["api", "traces", trace_id]:
                    return await self._trace(normal(trace_id))
        except errors.InvalidInput as exc:
            return _error(400, str(exc))
        return _error(404, "not found")

    # -- what there is --------------------------------------------------------------------------

    def _pairs(self) -> list[tuple[str, str, str]]:
        return self._index.pairs(_microseconds(self._moment))

    def _services(self) -> list[str]:
        if not self._moment.moving:
            return list(self._known["services"])
        return sorted({service for service, _, _ in self._pairs()})

    def _operations(self, service: str) -> list[str]:
        if not self._moment.moving:
            return list(self._known["operations"].get(service, ()))
        return sorted({operation for found, operation, _ in self._pairs() if found == service})

    def _kinds(self, given: Mapping[str, str]) -> tuple[int, Json]:
        service, kind = given.get("service", ""), given.get("spanKind", "")
        if not service:
            return _error(400, "parameter 'service' is required")
        if self._moment.moving:
            found = [
                {"name": operation, "spanKind": of}
                for name, operation, of in self._pairs()
                if name == service
            ]
        else:
            found = list(self._known["kinds"].get(service, ()))
        return _ok([one for one in found if not kind or one["spanKind"] == kind])

    def _dependencies(self) -> list[Json]:
        """Those of the whole recording; at an earlier moment those between services that had been seen."""
        seen = set(self._services())
        return [
            edge for edge in self._known["dependencies"] if edge["parent"] in seen and edge["child"] in seen
        ]

    # -- traces ---------------------------------------------------------------------------------

    async def _trace(self, trace_id: str) -> tuple[int, Json]:
        place = self._index.find(trace_id)
        if place is None or place.end_us > _microseconds(self._moment):
            return _error(404, "trace not found")
        return _ok([await asyncio.to_thread(self._read_one, place)])

    async def _search(self, search: Search) -> tuple[int, Json]:
        if not 0 < search.limit <= MAX_TRACES:
            return _error(500, "search depth must be greater than 0 and less than max traces")
        return _ok(await asyncio.to_thread(self._matching, search))

    def _read_one(self, place: Place) -> Json:
        with self._file.open("rb") as file:
            return _read(file, place)

    def _matching(self, search: Search) -> list[Json]:
        """Raises Refused when they are larger together than the gateway takes of a live Jaeger."""
        found: list[Json] = []
        size = 0
        places = self._index.candidates(search.service, search.operation, search.start_us, search.end_us)
        now = _microseconds(self._moment)
        with self._file.open("rb") as file:
            for place in places:
                if place.end_us > now:
                    continue
                trace = _read(file, place)
                inside = search.start_us <= place.start_us and place.end_us <= search.end_us
                if (search.needs_spans or not inside) and not matches(search, trace):
                    continue
                found.append(trace)
                size += place.size
                if size > MAX_BODY_BYTES:
                    raise errors.Refused(
                        f"expected at most {MAX_BODY_BYTES} bytes of traces; lower the limit"
                    )
                if len(found) == search.limit:
                    break
        return found


def parse(given: Mapping[str, str]) -> Search:
    """A search as the query API parses it. Raises InvalidInput with its words."""
    tags: dict[str, str] = {}
    if tag := given.get("tag"):
        key, colon, value = tag.partition(":")
        if not colon:
            raise errors.InvalidInput(f"malformed 'tag' parameter, expecting key:value, received: {tag}")
        tags[key] = value
    if text := given.get("tags"):
        tags |= _json_tags(text)
    if not given.get("service"):
        raise errors.InvalidInput("parameter 'service' is required")
    least, most = _duration(given, "minDuration"), _duration(given, "maxDuration")
    if least and most and most < least:
        raise errors.InvalidInput("'maxDuration' should be greater than 'minDuration'")
    is_ok = tags.pop("error", None) is not None
    return Search(
        service=given["service"],
        operation=given.get("operation", ""),
        start_us=int(given["start"]),
        end_us=int(given["end"]),
        min_us=least,
        max_us=most,
        tags=tuple(tags.items()),
        is_ok=is_ok,
        limit=int(given.get("limit") or DEFAULT_LIMIT),
    )


def _json_tags(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ValueError("expected an object whose values are texts")
    except ValueError as exc:
        raise errors.InvalidInput(f"malformed 'tags' parameter, cannot unmarshal JSON: {exc}") from exc
    return found


def _duration(given: Mapping[str, str], name: str) -> float:
    """Microseconds of a duration in Go's form (`1.2s`, `100ms`, `1m30s`)."""
    text = given.get(name, "")
    if text in ("", "0"):
        return 0.0
    found = _DURATION.findall(text)
    if "".join(number + unit for number, unit in found) != text:
        what = "missing unit in" if re.fullmatch(r"\d+(\.\d*)?", text) else "invalid"
        raise errors.InvalidInput(f"unable to parse param '{name}': time: {what} duration \"{text}\"")
    return sum(float(number) * _UNITS_US[unit] for number, unit in found)


def matches(search: Search, trace: Json) -> bool:
    """Whether one span of the trace (UI JSON) fulfils all conditions."""
    processes = trace.get("processes") or {}
    return any(_matches(search, span, processes.get(span.get("processID"), {})) for span in trace["spans"])


def _matches(search: Search, span: Json, process: Json) -> bool:
    if process.get("serviceName") != search.service:
        return False
    if search.operation and span["operationName"] != search.operation:
        return False
    if not search.start_us <= span["startTime"] <= search.end_us:
        return False
    if search.min_us and span["duration"] < search.min_us:
        return False
    if search.max_us and span["duration"] > search.max_us:
        return False
    if search.is_ok and not any(
        tag["key"] == "otel.status_code" and tag["value"] == "OK" for tag in span.get("tags") or ()
    ):
        return False
    if not search.tags:
        return True
    known = {("service.name", str(process.get("serviceName")))}
    known |= {(tag["key"], text(tag["value"])) for tag in process.get("tags") or ()}
    known |= {
        (tag["key"], text(tag["value"])) for tag in span.get("tags") or () if tag["key"] not in _DERIVED
    }
    for log in span.get("logs") or ():
        known |= {
            (field["key"], text(field["value"]))
            for field in log.get("fields") or ()
            if field["key"] != _EVENT_NAME
        }
    return all(tag in known for tag in search.tags)


def text(value: object) -> str:
    """A value as the collector writes it as a text."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case _:
            return str(value)


def _read(file: Any, place: Place) -> Json:
    file.seek(place.offset)
    try:
        trace: Json = json.loads(file.read(place.size))
    except ValueError as exc:
        raise errors.Corrupt(f"traces/traces.jsonl: expected a trace at {place.offset}, found {exc}") from exc
    return trace


def _microseconds(clock: Clock) -> int:
    return int(clock().timestamp() * 1e6)


def _load(path: Path) -> Json:
    try:
        found = json.loads(path.read_bytes())
        return {key: found[key] for key in ("services", "operations", "kinds", "dependencies")}
    except FileNotFoundError:
        return {"services": [], "operations": {}, "kinds": {}, "dependencies": []}
    except (ValueError, KeyError, TypeError) as exc:
        raise errors.Corrupt(f"traces/services.json: expected lists of services, found {exc!r}") from exc


def _ok(data: Any) -> tuple[int, Json]:
    return 200, {"data": data, "total": len(data), "limit": 0, "offset": 0, "errors": None}


def _error(status: int, message: str) -> tuple[int, Json]:
    document = {
        "data": None,
        "total": 0,
        "limit": 0,
        "offset": 0,
        "errors": [{"code": status, "msg": message}],
    }
    return status, document
