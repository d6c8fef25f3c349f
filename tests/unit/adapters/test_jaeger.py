"""The Jaeger client against a local server: OTLP/JSON as the API v3 was recorded, and paging by halves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from reprise.adapters import jaeger
from reprise.domain import errors

NO_TRACES = {"error": {"httpCode": 404, "message": "No traces found"}}
TOO_MANY = {
    "error": {"httpCode": 500, "message": "search depth must be greater than 0 and less than max traces"}
}
MAX_TRACES = 12_000

RESOURCE = {
    "attributes": [
        {"key": "k8s.namespace.name", "value": {"stringValue": "otel-demo"}},
        {"key": "service.name", "value": {"stringValue": "load-generator"}},
    ]
}
RECORDED = {
    "resource": RESOURCE,
    "scopeSpans": [
        {
            "scope": {"name": "shop", "version": "1"},
            "spans": [
                {
                    "traceId": "c6348f74fe6560c7a165a8caf722f792",
                    "spanId": "c6e8dbf96d61db15",
                    "parentSpanId": "6b68f4e24f8e8b3e",
                    "flags": 256,
                    "name": "GET",
                    "kind": 3,
                    "startTimeUnixNano": "1795263456501443177",
                    "endTimeUnixNano": "1795263456507398325",
                    "attributes": [
                        {"key": "http.request.method", "value": {"stringValue": "GET"}},
                        {"key": "http.response.status_code", "value": {"intValue": "200"}},
                        {"key": "ratio", "value": {"doubleValue": 0.5}},
                        {"key": "retried", "value": {"boolValue": False}},
                        {"key": "hosts", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
                        {"key": "none", "value": {"arrayValue": {}}},
                        {
                            "key": "map",
                            "value": {
                                "kvlistValue": {
                                    "values": [{"key": "k", "value": {"intValue": "9007199254740993"}}]
                                }
                            },
                        },
                    ],
                    "status": {"code": 2, "message": "503"},
                }
            ],
        }
    ],
}


def block(trace_id: str, start_ns: int, span_id: str = "01") -> dict[str, Any]:
    span = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": "GET",
        "kind": 2,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 5),
        "status": {},
    }
    return {"resource": RESOURCE, "scopeSpans": [{"scope": {}, "spans": [span]}]}


class Server:
    """Holds blocks by trace, and answers a window with at most as many traces as it is asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.blocks: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.answer: tuple[int, Any] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if self.answer is not None:
            status, body = self.answer
            return (
                web.Response(status=status, text=body)
                if isinstance(body, str)
                else web.json_response(body, status=status)
            )
        if request.path == "/api/v3/services":
            return web.json_response({"services": ["shipping", "cart"]})
        if request.path == "/api/v3/operations":
            named = [{"name": "HSET", "spanKind": "client"}, {"name": "HGET", "spanKind": "client"}]
            return web.json_response({"operations": [*named, {"name": "HGET", "spanKind": "server"}]})
        first, last = (_nanoseconds(request.query[f"query.start_time_{end}"]) for end in ("min", "max"))
        found: dict[str, list[dict[str, Any]]] = {}
        for each in self.blocks:
            (span,) = each["scopeSpans"][0]["spans"]
            if first <= int(span["startTimeUnixNano"]) <= last:
                found.setdefault(span["traceId"], []).append(each)
        limit = int(request.query["query.num_traces"])
        if limit >= MAX_TRACES:
            return web.json_response(TOO_MANY, status=500)
        some = list(found.values())[:limit]
        if not some:
            return web.json_response(NO_TRACES, status=404)
        return web.json_response({"result": {"resourceSpans": [b for blocks in some for b in blocks]}})


def _nanoseconds(text: str) -> int:
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(seconds + "+00:00").timestamp()) * 10**9 + int(fraction)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    played = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", played.handle)
    async with TestServer(app) as running:
        played.url = str(running.make_url(""))
        yield played


@pytest.fixture
async def client(server: Server) -> AsyncIterator[jaeger.Jaeger]:
    async with jaeger.Jaeger(server.url) as made:
        yield made


async def test_a_recorded_span_keeps_everything(server: Server, client: jaeger.Jaeger) -> None:
    server.blocks = [RECORDED]

    (trace,) = await client.traces("load-generator", 1795263456, 1795263457)

    assert trace.raw == {"resourceSpans": [RECORDED]}
    (span,) = trace.spans
    assert span == jaeger.Span(
        trace_id="c6348f74fe6560c7a165a8caf722f792",
        span_id="c6e8dbf96d61db15",
        parent_span_id="6b68f4e24f8e8b3e",
        trace_state="",
        service="load-generator",
        name="GET",
        kind=jaeger.SpanKind.CLIENT,
        start_ns=1795263456501443177,
        duration_ns=5955148,
        status_code=jaeger.StatusCode.ERROR,
        status_message="503",
        attributes={
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "ratio": 0.5,
            "retried": False,
            "hosts": ["a"],
            "none": [],
            "map": {"k": 9007199254740993},
        },
        resource_attributes={"k8s.namespace.name": "otel-demo", "service.name": "load-generator"},
        scope_name="shop",
        scope_version="1",
    )


@pytest.mark.parametrize("limit", [1, 2, 7, 500])
async def test_no_trace_is_lost_to_the_limit(server: Server, client: jaeger.Jaeger, limit: int) -> None:
    starts = [n * 10**9 for n in (1, 2, 3, 3, 3, 8, 9)] + [9 * 10**9 + 1]
    server.blocks = [block(f"t{i}", start) for i, start in enumerate(starts)]

    traces = await client.traces("shop", 0, 10, limit=limit)

    assert [trace.trace_id for trace in traces] == [f"t{i}" for i in range(len(starts))]


async def test_a_trace_on_both_sides_of_a_cut_comes_once_and_sorted(
    server: Server, client: jaeger.Jaeger
) -> None:
    server.blocks = [block("b", 2 * 10**9, "02"), block("b", 10**9, "01"), block("a", 9 * 10**9)]

    traces = await client.traces("shop", 0, 10)

    assert [(t.trace_id, [s.span_id for s in t.spans]) for t in traces] == [
        ("b", ["01", "02"]),
        ("a", ["01"]),
    ]


async def test_a_window_without_traces_is_no_error(client: jaeger.Jaeger) -> None:
    assert await client.traces("shop", 0, 10) == []


async def test_times_travel_with_nanoseconds(server: Server, client: jaeger.Jaeger) -> None:
    await client.traces("shop", 1.5, 2)

    assert server.asked[0]["query.start_time_min"] == "1970-01-01T00:00:01.500000000Z"


async def test_names(client: jaeger.Jaeger) -> None:
    assert await client.services() == ["cart", "shipping"]
    assert await client.operations("cart") == ["HGET", "HSET"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(
            (400, {"error": {"httpCode": 400, "message": "bad"}}), errors.InvalidInput, id="refused"
        ),
        pytest.param((500, {"error": {"httpCode": 500, "message": "oops"}}), errors.Unreachable, id="broken"),
        pytest.param((503, "no endpoints available"), errors.Unreachable, id="not its JSON"),
        pytest.param((404, {"kind": "Status", "code": 404}), errors.Unreachable, id="a proxy's JSON"),
        pytest.param((502, "[1]"), errors.Unreachable, id="JSON that is no object"),
    ],
)
async def test_errors(
    server: Server, client: jaeger.Jaeger, answer: tuple[int, Any], kind: type[errors.RepriseError]
) -> None:
    server.answer = answer

    with pytest.raises(kind):
        await client.traces("shop", 0, 1)


async def test_nobody_listens() -> None:
    async with jaeger.Jaeger("http://127.0.0.1:9") as client:
        with pytest.raises(errors.Unreachable, match="see that its pod is ready"):
            await client.services()


@pytest.mark.parametrize(("start", "end", "limit"), [(2, 1, 5), (0, 1, 0)])
async def test_ranges_that_make_no_sense(client: jaeger.Jaeger, start: float, end: float, limit: int) -> None:
    with pytest.raises(errors.InvalidInput, match="expected start"):
        await client.traces("shop", start, end, limit)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(
            (400, {"data": None, "errors": [{"code": 400, "msg": "cannot parse traceID param"}]}),
            errors.InvalidInput,
            id="refused",
        ),
        pytest.param(
            (500, {"data": None, "errors": [{"code": 500, "msg": "oops"}]}), errors.Unreachable, id="broken"
        ),
        pytest.param((503, "no endpoints available"), errors.Unreachable, id="not its JSON"),
        pytest.param((200, {"kind": "Status"}), errors.Unreachable, id="a proxy's JSON"),
    ],
)
async def test_errors_of_the_uis_api(
    server: Server, client: jaeger.Jaeger, answer: tuple[int, Any], kind: type[errors.RepriseError]
) -> None:
    server.answer = answer

    with pytest.raises(kind):
        await client.ui_traces(["x"])


async def test_a_null_of_the_uis_api_is_nothing(server: Server, client: jaeger.Jaeger) -> None:
    server.answer = (200, {"data": None, "total": 0, "errors": None})

    assert await client.ui_traces(["x"]) == []
