"""A Prometheus that speaks the real wire formats: JSON, and snappy-compressed protobuf for remote read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import cramjam
from aiohttp import web
from aiohttp.test_utils import TestServer

from reprise.adapters.wire import remote_read_pb2 as wire

Labels = Mapping[str, str]
Sample = tuple[int, float]


class FakePrometheus:
    """Holds series as (labels, samples); `down` names paths that answer 503 as often as it says."""

    def __init__(self) -> None:
        self.url = ""
        self.series: list[tuple[Labels, Sequence[Sample]]] = []
        self.external_labels: dict[str, str] = {}
        self.metadata: dict[str, Any] = {}
        self.rules: dict[str, Any] = {"groups": []}
        self.down: dict[str, int] = {}
        self.read: list[str] = []
        self.refused: set[str] = set()
        self.stops_at = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/api/v1/")
        if self.down.get(name, 0) > 0:
            self.down[name] -= 1
            return web.Response(status=503, text="Service Unavailable")
        match name:
            case "label/__name__/values":
                return _success(sorted({labels["__name__"] for labels, _ in self.series}))
            case "status/config":
                added = "".join(f"    {key}: {value}\n" for key, value in self.external_labels.items())
                return _success({"yaml": f"global:\n  external_labels:\n{added}" if added else "global: {}"})
            case "metadata":
                return _success(self.metadata)
            case "rules":
                assert request.query["type"] == "alert"
                return _success(self.rules)
            case "read":
                return await self._read(request)
        return web.json_response({"status": "error", "errorType": "not_found", "error": name}, status=404)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Content-Encoding"] == "snappy"
        assert request.headers["X-Prometheus-Remote-Read-Version"] == "0.1.0"
        asked = wire.ReadRequest.FromString(bytes(cramjam.snappy.decompress_raw(await request.read())))
        (query,) = asked.queries
        (matcher,) = query.matchers
        assert (matcher.type, matcher.name) == (wire.LabelMatcher.EQ, "__name__")
        self.read.append(matcher.value)
        if matcher.value == self.stops_at:
            self.down = {"read": 99, "metadata": 99}
            return web.Response(status=503, text="Service Unavailable")
        if matcher.value in self.refused:
            return web.Response(status=400, text="exceeded sample limit (1)")
        result = wire.QueryResult()
        for labels, samples in self.series:
            within = [one for one in samples if query.start_timestamp_ms <= one[0] <= query.end_timestamp_ms]
            if labels["__name__"] != matcher.value or not within:
                continue
            added = {**self.external_labels, **labels}
            result.timeseries.add(
                labels=[wire.Label(name=key, value=value) for key, value in sorted(added.items())],
                samples=[wire.Sample(timestamp=at, value=value) for at, value in within],
            )
        body = wire.ReadResponse(results=[result]).SerializeToString()
        return web.Response(
            body=bytes(cramjam.snappy.compress_raw(body)),
            headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
        )


def _success(data: object) -> web.Response:
    return web.json_response({"status": "success", "data": data})


@asynccontextmanager
async def serve(fake: FakePrometheus) -> AsyncIterator[FakePrometheus]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    async with TestServer(app) as running:
        fake.url = str(running.make_url(""))
        yield fake
