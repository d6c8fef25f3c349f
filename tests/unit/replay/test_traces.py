"""Trace searches mean what they mean to Jaeger's in-memory storage."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support import snapshot_v2 as snapshots
from tests.support.fetching import ask

from reprise.domain import errors
from reprise.replay import source, trace_search
from reprise.replay.clock import Clock
from reprise.replay.trace_index import TraceIndex
from reprise.replay.traces import Traces


def us(seconds: float) -> str:
    return str(int(snapshots.at(seconds).timestamp() * 1e6))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshots.build(tmp_path_factory.mktemp("snapshot"))


async def made(root: Path, cache: Path, clock: Clock) -> AsyncIterator[Traces]:
    found = source.read(root)
    index = TraceIndex(found, cache)
    async with aiohttp.ClientSession() as http:
        yield Traces(found, clock, index, http)
    index.close()


@pytest.fixture
async def jaeger(root: Path, tmp_path: Path) -> AsyncIterator[Traces]:
    async for one in made(root, tmp_path, Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False)):
        yield one


async def numbers(jaeger: Traces, **given: str) -> list[int]:
    query = {"service": "cart", "start": us(0), "end": us(1800), "limit": "20", **given}
    status, document = await ask(jaeger, "api/traces", list(query.items()))
    assert status == 200
    return [int(one["traceID"], 16) for one in document["data"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"limit": "2"}, [5, 4]),
        ({"service": "frontend", "operation": "GET /"}, [5, 4, 3, 2, 1]),
        # One span has to have both.
        ({"service": "frontend", "operation": "GetCart"}, []),
        ({"service": "nobody"}, []),
        ({"start": us(100), "end": us(200)}, [3, 2]),
        # cart's span begins a millisecond after the trace.
        ({"start": us(120.0005), "end": us(200)}, [3, 2]),
        ({"start": us(120.0015), "end": us(200)}, [3]),
        # cart's spans are half as long as the traces.
        ({"minDuration": "20ms"}, [5, 4]),
        ({"maxDuration": "10ms"}, [2, 1]),
        ({"minDuration": "5ms", "maxDuration": "0.01s"}, [2, 1]),
        ({"tags": '{"user.vip":"true"}'}, [5, 4, 3, 2, 1]),
        ({"tags": '{"load":"0.5","count":"3"}'}, [5, 4, 3, 2, 1]),
        ({"tags": '{"host.name":"b"}'}, [5, 4, 3, 2, 1]),
        ({"tags": '{"host.name":"a"}'}, []),
        ({"tag": "exception.type:Timeout"}, [5, 4, 3, 2, 1]),
        ({"service": "frontend", "tag": "http.code:500"}, [5]),
        ({"tags": '{"service.name":"cart"}'}, [5, 4, 3, 2, 1]),
        # The storage takes any text for `error` as "no", and "no" as "the status is OK".
        ({"tags": '{"error":"true"}'}, [4, 3, 2, 1]),
        ({"tags": '{"error":"false"}'}, [4, 3, 2, 1]),
        # What the query API makes of other fields is no attribute.
        ({"tags": '{"span.kind":"server"}'}, []),
        ({"tags": '{"otel.status_code":"ERROR"}'}, []),
        ({"tag": "event:exception"}, []),
    ],
)
async def test_searches(jaeger: Traces, given: dict[str, str], expected: list[int]) -> None:
    assert await numbers(jaeger, **given) == expected


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"limit": "0"}, 500, "search depth must be greater than 0 and less than max traces"),
        ({"service": ""}, 400, "parameter 'service' is required"),
        ({"tag": "x"}, 400, "malformed 'tag' parameter, expecting key:value, received: x"),
        ({"tags": '{"a":1}'}, 400, "malformed 'tags' parameter, cannot unmarshal JSON"),
        (
            {"minDuration": "2"},
            400,
            "unable to parse param 'minDuration': time: missing unit in duration \"2\"",
        ),
        (
            {"minDuration": "2s", "maxDuration": "1s"},
            400,
            "'maxDuration' should be greater than 'minDuration'",
        ),
    ],
)
async def test_what_is_refused(jaeger: Traces, given: dict[str, str], status: int, message: str) -> None:
    query = {"service": "cart", "start": us(0), "end": us(1800), "limit": "20", **given}
    found, document = await ask(jaeger, "api/traces", list(query.items()))
    assert found == status
    assert message in document["errors"][0]["msg"]


async def test_one_trace_is_the_recorded_one(jaeger: Traces) -> None:
    # Leading zeros may be left out.
    status, document = await ask(jaeger, "api/traces/3", [])
    assert (status, document["data"]) == (200, [snapshots.traces()[2]])
    assert (await ask(jaeger, "api/traces/99", []))[0] == 404
    assert (await ask(jaeger, "api/traces/xyz", []))[0] == 400


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("api/services", [], ["frontend", "cart"]),
        ("api/services/cart/operations", [], ["GetCart"]),
        ("api/services/x/operations", [], []),
        ("api/operations", [("service", "cart")], [{"name": "GetCart", "spanKind": "server"}]),
        ("api/operations", [("service", "cart"), ("spanKind", "client")], []),
        ("api/dependencies", [], [{"parent": "frontend", "child": "cart", "callCount": 5}]),
    ],
)
async def test_what_there_is(jaeger: Traces, path: str, query: list[tuple[str, str]], expected: Any) -> None:
    status, document = await ask(jaeger, path, query)
    assert (status, document["data"]) == (200, expected)


async def test_moving_time_shows_nothing_of_later(root: Path, tmp_path: Path) -> None:
    now = [0.0]
    clock = Clock(snapshots.BASELINE, snapshots.RECORDED, moving=True, monotonic=lambda: now[0])
    async for jaeger in made(root, tmp_path, clock):
        assert (await ask(jaeger, "api/services", []))[1]["data"] == []
        assert (await ask(jaeger, "api/dependencies", []))[1]["data"] == []
        now[0] = 150
        assert await numbers(jaeger) == [2, 1]
        assert (await ask(jaeger, "api/services", []))[1]["data"] == ["cart", "frontend"]
        assert (await ask(jaeger, "api/traces/3", []))[0] == 404


def test_a_second_start_reads_the_kept_index(root: Path, tmp_path: Path) -> None:
    found = source.read(root)
    TraceIndex(found, tmp_path).close()
    (kept,) = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    index = TraceIndex(found, tmp_path)
    assert index.find(f"{3:032x}") is not None
    index.close()
    assert kept.stat().st_mtime_ns == before


def test_a_broken_index_is_named(tmp_path: Path) -> None:
    root = snapshots.build(tmp_path / "snapshot")
    with (root / "traces" / "index.tsv").open("a") as out:
        out.write("half\t1\n")
    with pytest.raises(errors.Corrupt, match="row 6"):
        TraceIndex(source.read(root), tmp_path / "cache")


@pytest.mark.parametrize(
    ("value", "expected"), [(True, "true"), (3, "3"), (3.0, "3"), (0.25, "0.25"), ("x", "x")]
)
def test_values_as_texts(value: object, expected: str) -> None:
    assert trace_search.text(value) == expected
