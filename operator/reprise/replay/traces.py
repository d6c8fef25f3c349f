"""Jaeger's query API over a snapshot. The youngest traces come first, as in its in-memory storage."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from reprise.adapters.streams import MAX_BODY_BYTES
from reprise.domain import errors, redaction
from reprise.gateway import jaeger
from reprise.replay import trace_search
from reprise.replay.clock import Clock
from reprise.replay.source import Source
from reprise.replay.trace_index import Place, TraceIndex, normal
from reprise.replay.trace_search import Search

Json = dict[str, Any]
# As the live storage is configured: it refuses searches for more than it holds.
MAX_TRACES = 12_000


class Traces(jaeger.Jaeger):
    """Reads each trace from disk when it is asked for. None is shown before its last span has ended."""

    def __init__(self, source: Source, clock: Clock, index: TraceIndex, http: aiohttp.ClientSession) -> None:
        """Raises Corrupt when services.json cannot be read."""
        super().__init__("", http, clock)
        self._moment = clock
        self._index = index
        self._file = source.root / "traces" / "traces.jsonl"
        self._known = _load(source.root / "traces" / "services.json")

    async def fetch(self, path: str, query: list[tuple[str, str]]) -> tuple[int, bytes]:
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
                    return await self._search(trace_search.parse(given))
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

    def _kinds(self, given: Mapping[str, str]) -> tuple[int, bytes]:
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

    async def _trace(self, trace_id: str) -> tuple[int, bytes]:
        place = self._index.find(trace_id)
        if place is None or place.end_us > _microseconds(self._moment):
            return _error(404, "trace not found")
        return await asyncio.to_thread(lambda: _ok([self._read_one(place)]))

    async def _search(self, search: Search) -> tuple[int, bytes]:
        if not 0 < search.limit <= MAX_TRACES:
            return _error(500, "search depth must be greater than 0 and less than max traces")
        return await asyncio.to_thread(lambda: _ok(self._matching(search)))

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
                if (search.needs_spans or not inside) and not trace_search.matches(search, trace):
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


def _ok(data: Any) -> tuple[int, bytes]:
    document = {"data": data, "total": len(data), "limit": 0, "offset": 0, "errors": None}
    return 200, redaction.dump(document)


def _error(status: int, message: str) -> tuple[int, bytes]:
    document = {
        "data": None,
        "total": 0,
        "limit": 0,
        "offset": 0,
        "errors": [{"code": status, "msg": message}],
    }
    return status, redaction.dump(document)
