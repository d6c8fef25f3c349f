"""A search for traces, with the meaning of the in-memory storage of Jaeger 1.76.

Read from its source (internal/storage/v2/memory/tenant.go, cmd/query/app): one span must fulfil all
conditions of a search. Tags come as texts, and so `error` never is the truth value that the storage compares
it with: whatever its value, it selects spans whose status is set to OK. What the query API derives
(span.kind, otel.status_code) is no attribute and selects nothing.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reprise.domain import errors

Json = dict[str, Any]
DEFAULT_LIMIT = 100
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
