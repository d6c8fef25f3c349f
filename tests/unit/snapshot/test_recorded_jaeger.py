"""Bytes of Jaeger 1.76.0 with its store in memory: one trace in API v3, and twice in its UI's form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.unit.snapshot.test_trace_store import REQUEST

from reprise.adapters import jaeger
from reprise.snapshot import tables, trace_store, traces
from reprise.snapshot.calls import Pair

DATA = Path(__file__).parents[2] / "data"


async def take(root: Path, ui_file: str) -> trace_store.Taken:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v3/traces":
            inside = (
                request.query["query.start_time_min"]
                <= "2026-11-21T12:00:30"
                < (request.query["query.start_time_max"])
            )
            body = {"error": {"httpCode": 404, "message": "No traces found"}}
            if not inside:
                return web.json_response(body, status=404)
            return web.Response(body=(DATA / "jaeger-1.76.0-v3-traces.json").read_bytes())
        if request.path == "/api/traces":
            return web.Response(body=(DATA / ui_file).read_bytes())
        return web.json_response({"data": None, "total": 0, "errors": None})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as running, jaeger.Jaeger(str(running.make_url(""))) as client:
        return await trace_store.take(client, root, REQUEST)


@pytest.fixture
async def taken(tmp_path: Path) -> trace_store.Taken:
    return await take(tmp_path / "1", "jaeger-1.76.0-ui-traces-1.json")


async def test_the_order_of_chance_does_not_show(taken: trace_store.Taken, tmp_path: Path) -> None:
    """The two answers differ only in the order of their spans: the files do not."""
    assert (DATA / "jaeger-1.76.0-ui-traces-1.json").read_bytes() != (
        DATA / "jaeger-1.76.0-ui-traces-2.json"
    ).read_bytes()
    again = await take(tmp_path / "2", "jaeger-1.76.0-ui-traces-2.json")
    assert again.files == taken.files


async def test_the_trace_in_the_form_of_the_ui(taken: trace_store.Taken, tmp_path: Path) -> None:
    (line,) = (tmp_path / "1" / trace_store.FILE_NAME).read_bytes().splitlines()
    trace = json.loads(line)
    spans = [(span["spanID"], span["processID"], span["startTime"]) for span in trace["spans"]]
    assert spans == [
        ("a1" * 8, "p1", 1795262430000123),
        ("b1" * 8, "p2", 1795262430000500),
        ("a2" * 8, "p1", 1795262430001000),
    ]
    assert {key: process["serviceName"] for key, process in trace["processes"].items()} == {
        "p1": "frontend",
        "p2": "cart",
    }
    assert trace["spans"][1]["warnings"] == [
        "clock skew adjustment disabled; not applying calculated delta of 749.5µs"
    ]
    assert list(trace) == ["traceID", "spans", "processes", "warnings"]


async def test_calls_and_rows(taken: trace_store.Taken, tmp_path: Path) -> None:
    found = taken.calls.edge(Pair("frontend", "cart"))
    assert (found["count"], found["failed"]) == (1, 1)
    assert found["p95_ms"] == pytest.approx(6.5, rel=0.01)
    rows = {row["SpanId"]: row for row in tables.read_rows(tmp_path / "1" / traces.FILE_NAME)}
    assert rows["a1" * 8]["Duration"] == "9000001"
    assert json.loads(rows["b1" * 8]["SpanAttributes"]) == {
        "http.request.method": "GET",
        "http.response.status_code": "500",
        "ratio": "0.5",
        "retried": "false",
    }, "what Jaeger notes for itself is none of the span's"
    assert json.loads(rows["b1" * 8]["Events.Name"]) == ["exception"]
