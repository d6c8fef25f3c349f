"""The Prometheus client against a local server that answers as the real one was seen to answer."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from reprise.adapters import prometheus
from reprise.domain import errors

Answer = Callable[[dict[str, str]], tuple[int, Any]]

ALERTS = {
    "status": "success",
    "data": {
        "alerts": [
            {
                "labels": {
                    "alertname": "HighRequestErrorRate",
                    "namespace": "otel-demo",
                    "service_name": "frontend",
                    "severity": "critical",
                },
                "annotations": {"summary": "Requests of frontend fail"},
                "state": "firing",
                "activeAt": "2026-11-21T12:17:49.871829395Z",
                "value": "3.5867815345351817e-01",
            }
        ]
    },
}


class Server:
    """Answers each path with a function of the parameters; notes what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Answer] = {}
        self.asked: list[dict[str, str]] = []
        self.headers: list[str | None] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        params = {str(k): str(v) for k, v in {**request.query, **await request.post()}.items()}
        self.asked.append(params)
        self.headers.append(request.headers.get("Authorization"))
        if request.path not in self.answers:
            return web.Response(status=404, text="404 page not found")
        status, body = self.answers[request.path](params)
        return web.json_response(body, status=status)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    played = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", played.handle)
    async with TestServer(app) as running:
        played.url = str(running.make_url(""))
        yield played


@pytest.fixture
async def client(server: Server) -> AsyncIterator[prometheus.Prometheus]:
    headers = {"Authorization": "Bearer t"}
    async with prometheus.Prometheus(server.url, headers=headers) as made:
        yield made


def success(result_type: str, result: Any) -> Answer:
    return lambda params: (200, {"status": "success", "data": {"resultType": result_type, "result": result}})


async def test_a_vector_becomes_samples_and_the_header_goes_along(
    server: Server, client: prometheus.Prometheus
) -> None:
    result = [{"metric": {"__name__": "up", "job": "a"}, "value": [1795263501.549, "1"]}]
    server.answers["/api/v1/query"] = success("vector", result)

    found = await client.query("up", at=1795263501.5)

    assert found == [prometheus.Sample({"__name__": "up", "job": "a"}, 1795263501.549, 1.0)]
    assert server.asked == [{"query": "up", "time": "1795263501.5"}]
    assert server.headers == ["Bearer t"]


@pytest.mark.parametrize(("text", "check"), [("+Inf", math.isinf), ("NaN", math.isnan)])
async def test_values_that_are_no_numbers_in_json(
    server: Server, client: prometheus.Prometheus, text: str, check: Callable[[float], bool]
) -> None:
    server.answers["/api/v1/query"] = success("scalar", [1.5, text])

    (sample,) = await client.query("1/0")

    assert sample.labels == {}
    assert check(sample.value)


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        pytest.param(400, "bad_data", "1:5: parse error: unclosed left parenthesis", id="cannot be parsed"),
        pytest.param(422, "execution", "many-to-many matching not allowed", id="cannot be evaluated"),
    ],
)
async def test_a_bad_query_is_the_askers_mistake(
    server: Server, client: prometheus.Prometheus, status: int, kind: str, message: str
) -> None:
    body = {"status": "error", "errorType": kind, "error": message}
    server.answers["/api/v1/query"] = lambda params: (status, body)

    with pytest.raises(errors.InvalidInput, match=r"query 'foo\(':.*" + message[-8:]):
        await client.query("foo(")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((503, {"status": "error", "errorType": "timeout", "error": "timed out"}), id="timeout"),
        pytest.param((502, "bad gateway"), id="not its JSON"),
        pytest.param((404, {"kind": "Status", "status": "Failure"}), id="the API server's own words"),
    ],
)
async def test_no_proper_answer_is_retryable(
    server: Server, client: prometheus.Prometheus, answer: tuple[int, Any]
) -> None:
    server.answers["/api/v1/query"] = lambda params: answer

    with pytest.raises(errors.Unreachable) as caught:
        await client.query("up")

    assert caught.value.retryable


async def test_nobody_listens() -> None:
    async with prometheus.Prometheus("http://127.0.0.1:9") as client:
        assert await client.ready() is False
        with pytest.raises(errors.Unreachable, match="see that its pod is ready"):
            await client.alerts()


async def test_ready(server: Server, client: prometheus.Prometheus) -> None:
    assert await client.ready() is False
    server.answers["/-/ready"] = lambda params: (200, "Prometheus Server is Ready.")
    assert await client.ready() is True


async def test_a_long_range_is_asked_for_in_pieces_that_fit_together(
    server: Server, client: prometheus.Prometheus
) -> None:
    def answer(params: dict[str, str]) -> tuple[int, Any]:
        start, end, step = (float(params[key]) for key in ("start", "end", "step"))
        steps = round((end - start) / step) + 1
        if steps > 11_000:
            return 400, {"status": "error", "errorType": "bad_data", "error": "exceeded maximum resolution"}
        values = [[start + i * step, "1"] for i in range(steps)]
        data = {"resultType": "matrix", "result": [{"metric": {"job": "a"}, "values": values}]}
        return 200, {"status": "success", "data": data}

    server.answers["/api/v1/query_range"] = answer

    (series,) = await client.query_range("up", 0, 25_000, 1)

    assert [t for t, _ in series.points] == [float(t) for t in range(25_001)]
    assert len(server.asked) == 3


@pytest.mark.parametrize(("start", "end", "step"), [(0, 10, 0), (10, 0, 1)])
async def test_ranges_that_make_no_sense(
    client: prometheus.Prometheus, start: float, end: float, step: float
) -> None:
    with pytest.raises(errors.InvalidInput, match="expected start"):
        await client.query_range("up", start, end, step)


async def test_alerts_keep_gos_nanoseconds_out(server: Server, client: prometheus.Prometheus) -> None:
    server.answers["/api/v1/alerts"] = lambda params: (200, ALERTS)

    (alert,) = await client.alerts()

    assert (alert.name, alert.state) == ("HighRequestErrorRate", prometheus.AlertState.FIRING)
    assert alert.labels["service_name"] == "frontend"
    assert alert.active_at == datetime(2026, 11, 21, 12, 17, 49, 871829, UTC)
    assert alert.value == "3.5867815345351817e-01"


async def test_history_tells_stretches_and_which_have_resolved(
    server: Server, client: prometheus.Prometheus
) -> None:
    labels = {"alertname": "NoRequestsReceived", "service_name": "cart"}

    def series(state: str, times: list[int]) -> dict[str, Any]:
        metric = {"__name__": "ALERTS", "alertstate": state, **labels}
        return {"metric": metric, "values": [[t, "1"] for t in times]}

    states = [series("pending", [100]), series("firing", [105, 110, 115, 200, 205])]
    since = [
        {"metric": {"__name__": "ALERTS_FOR_STATE", **labels}, "values": [[t, "98"] for t in (100, 105, 110)]}
    ]
    server.answers["/api/v1/query_range"] = lambda params: (
        200,
        {
            "status": "success",
            "data": {"resultType": "matrix", "result": states if params["query"] == "ALERTS" else since},
        },
    )

    spans = await client.alert_history(100, 205)

    assert [(s.state.value, s.started_at.timestamp(), s.ended_at.timestamp(), s.ongoing) for s in spans] == [
        ("pending", 100, 100, False),
        ("firing", 105, 115, False),
        ("firing", 200, 205, True),
    ]
    assert spans[1].active_at.timestamp() == 98, "when its condition became true"
    assert spans[2].active_at.timestamp() == 200, "as early as is known"
    assert spans[0].labels == labels


async def test_a_given_session_stays_open(server: Server) -> None:
    server.answers["/-/ready"] = lambda params: (200, "")
    async with aiohttp.ClientSession() as session:
        async with prometheus.Prometheus(server.url, session) as client:
            assert await client.ready()
        assert not session.closed


async def test_names(server: Server, client: prometheus.Prometheus) -> None:
    server.answers["/api/v1/label/__name__/values"] = lambda params: (
        200,
        {"status": "success", "data": ["up", "ALERTS"]},
    )

    assert await client.series_names(start=5) == ["ALERTS", "up"]
    assert server.asked == [{"start": "5"}]
