"""The gateway from outside: Prometheus and Jaeger behind it."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from tests.contract.gateway_fakes import (
    Clock,
    Cluster,
    Door,
    door,
)

pytestmark = pytest.mark.usefixtures("quick")


async def test_prometheus_and_jaeger_are_reached_through_the_door(tmp_path: Path, cluster: Cluster) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        if "services" in request.path:
            return web.json_response({"data": ["cart", "reprise-operator"]})
        if "rules" in request.path:
            return web.json_response({"status": "success", "data": {"groups": []}})
        metrics = [
            {"metric": {"namespace": name}, "values": [[1, "1"]]} for name in ("otel-demo", "chaos-mesh")
        ]
        data = {"resultType": "matrix", "result": metrics}
        return web.json_response({"status": "success", "data": data})

    backends = web.Application()
    backends.router.add_route("*", "/{path:.*}", handle)
    async with door(tmp_path, cluster, Clock(), backends) as gate:
        query = {
            "query": "ALERTS",
            "start": "2026-01-02T12:30:00Z",
            "end": "2026-01-02T12:40:00Z",
            "step": "5",
        }
        for options in ({"params": query}, {"data": query}):
            method = "GET" if "params" in options else "POST"
            status, body = await gate.ask(method, "/prometheus/api/v1/query_range", **options)
            assert status == 200
            assert [row["metric"] for row in body["data"]["result"]] == [{"namespace": "otel-demo"}]
        assert asked[0] == asked[1]
        _, services = await gate.ask("GET", "/jaeger/api/services")
        assert services["data"] == ["cart"]
        status, alerts = await gate.ask("GET", "/alerts")
        assert status == 200
        assert [alert["state"] for alert in alerts] == []
        before = len(asked)
        await gate.ask("GET", "/prometheus/api/v1/label/__name__/values")
        assert len(asked) == before + 1, "the names of all metrics are asked for like the values of any label"
        before = len(asked)
        for path, code in (
            ("/prometheus/api/v1/admin/tsdb/delete_series", 403),
            ("/prometheus/api/v1/status/config", 403),
            ("/prometheus/api/v1/targets", 403),
            ("/prometheus/api/v1/label/..%2F..%2Fstatus%2Fconfig/values", 404),
            ("/prometheus/api/v1/query?query=up%7Bnamespace%3D%22reprise-system%22%7D", 400),
            ("/prometheus/metrics", 403),
            ("/jaeger/api/services/reprise-operator/operations", 403),
            ("/jaeger/api/traces/..%2F..%2Fx", 404),
            ("/jaeger/api/sampling", 403),
        ):
            assert (path, (await gate.ask("GET", path))[0]) == (path, code)
        assert len(asked) == before


async def test_prometheus_is_away(gate: Door) -> None:
    # The fake backend has no routes, so no JSON comes back.
    status, body = await gate.ask("GET", "/prometheus/api/v1/query?query=up")
    assert status == 503
    assert "127.0.0.1" not in json.dumps(body)
