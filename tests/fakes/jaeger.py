"""A Jaeger that holds spans and answers in its two formats: OTLP/JSON of the API v3, and its UI's JSON."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Json = dict[str, Any]
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@dataclass
class FakeSpan:
    """One span; times in nanoseconds, ids in hex."""

    trace_id: str
    span_id: str
    service: str
    start_ns: int
    duration_ns: int = 2_000_000
    parent: str = ""
    name: str = "GET /"
    kind: int = 2
    failed: bool = False
    namespace: str = "shop"
    attributes: dict[str, str] = field(default_factory=dict)


class FakeJaeger:
    """`spans` is what has arrived; `before` is called with the path before each answer; `down` is how many
    answers are to be 503."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[FakeSpan] = []
        self.before: Callable[[str], None] = lambda path: None
        self.down = 0
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.before(path)
        self.asked.append(path)
        if self.down > 0:
            self.down -= 1
            return web.Response(status=503, text="no endpoints available")
        match request.raw_path.partition("?")[0].strip("/").split("/"):
            case ["api", "v3", "traces"]:
                return self._v3(request)
            case ["api", "traces"]:
                return self._ui(request)
            case ["api", "services"]:
                return _data(sorted({span.service for span in self.spans}, reverse=True))
            case ["api", "services", service, "operations"]:
                service = urllib.parse.unquote(service)
                return _data(sorted({s.name for s in self.spans if s.service == service}, reverse=True))
            case ["api", "operations"]:
                service = request.query["service"]
                found = {(s.name, KINDS[s.kind]) for s in self.spans if s.service == service}
                return _data([{"name": n, "spanKind": k} for n, k in sorted(found, reverse=True)])
            case ["api", "dependencies"]:
                assert int(request.query["lookback"]) > 0
                return _data([{"parent": "frontend", "child": "cart", "callCount": 1}])
        return web.Response(status=404, text="404 page not found")

    def _traces(self) -> dict[str, list[FakeSpan]]:
        traces: dict[str, list[FakeSpan]] = {}
        for span in self.spans:
            traces.setdefault(span.trace_id, []).append(span)
        return traces

    def _within(self, service: str, first: int, last: int) -> dict[str, list[FakeSpan]]:
        return {
            trace_id: spans
            for trace_id, spans in self._traces().items()
            if any(service in ("", s.service) and first <= s.start_ns <= last for s in spans)
        }

    def _v3(self, request: web.Request) -> web.Response:
        first, last = (_nanoseconds(request.query[f"query.start_time_{end}"]) for end in ("min", "max"))
        found = list(self._within(request.query["query.service_name"], first, last).values())
        some = found[: int(request.query["query.num_traces"])]
        if not some:
            return web.json_response({"error": {"httpCode": 404, "message": "No traces found"}}, status=404)
        blocks = [_otlp(span) for spans in some for span in spans]
        return web.json_response({"result": {"resourceSpans": blocks}})

    def _ui(self, request: web.Request) -> web.Response:
        wanted = request.query.getall("traceID", [])
        if wanted:
            found = {one: spans for one, spans in self._traces().items() if one in wanted}
        else:
            start, end = (int(request.query[key]) * 1000 for key in ("start", "end"))
            found = self._within(request.query["service"], start, end)
            found = dict(list(found.items())[: int(request.query["limit"])])
        return _data([_ui_trace(one, spans) for one, spans in found.items()])


def _data(data: object) -> web.Response:
    return web.json_response({"data": data, "total": 0, "limit": 0, "offset": 0, "errors": None})


def _otlp(span: FakeSpan) -> Json:
    resource = {"service.name": span.service, "k8s.namespace.name": span.namespace}
    wired: Json = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.start_ns + span.duration_ns),
        "attributes": _strings(span.attributes),
        "status": {"code": 2} if span.failed else {},
    }
    return {"resource": {"attributes": _strings(resource)}, "scopeSpans": [{"scope": {}, "spans": [wired]}]}


def _strings(values: dict[str, str]) -> list[Json]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _ui_trace(trace_id: str, spans: list[FakeSpan]) -> Json:
    # NB: Jaeger prints the upper half of an id only when it has one.
    shown = trace_id[16:] if trace_id.startswith("0" * 16) else trace_id
    homes = list(dict.fromkeys((span.service, span.namespace) for span in spans))
    processes = {
        f"p{number}": {"serviceName": service, "tags": [_tag("k8s.namespace.name", namespace)]}
        for number, (service, namespace) in enumerate(homes, 1)
    }
    return {
        "traceID": shown,
        "spans": [
            {
                "traceID": shown,
                "spanID": span.span_id,
                "operationName": span.name,
                "references": [{"refType": "CHILD_OF", "traceID": shown, "spanID": span.parent}]
                if span.parent
                else [],
                "startTime": span.start_ns // 1000,
                "duration": span.duration_ns // 1000,
                "tags": [
                    *(_tag(key, value) for key, value in span.attributes.items()),
                    _tag("span.kind", KINDS[span.kind]),
                    *([{"key": "error", "type": "bool", "value": True}] if span.failed else []),
                ],
                "logs": [],
                "processID": f"p{homes.index((span.service, span.namespace)) + 1}",
                "warnings": None,
            }
            for span in spans
        ],
        "processes": processes,
        "warnings": None,
    }


def _tag(key: str, value: str) -> Json:
    return {"key": key, "type": "string", "value": value}


def _nanoseconds(text: str) -> int:
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(seconds + "+00:00").timestamp()) * 10**9 + int(fraction)


@asynccontextmanager
async def serve(fake: FakeJaeger) -> AsyncIterator[FakeJaeger]:
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.handle)
    async with TestServer(app) as running:
        fake.url = str(running.make_url(""))
        yield fake
