"""Traces from Jaeger's wire formats to files: every trace once and whole, in order, and found again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.jaeger import FakeJaeger, FakeSpan, serve

from reprise.adapters import jaeger
from reprise.domain import errors
from reprise.snapshot import tables, trace_audit, trace_names, trace_store, traces
from reprise.snapshot.calls import Pair
from reprise.snapshot.request import RecordRequest

START = dt.datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=dt.UTC)
REQUEST = RecordRequest("uid", "shop", 7, START, START + dt.timedelta(seconds=65), patience_seconds=0.0)
PATIENT = dataclasses.replace(REQUEST, patience_seconds=20.0)
START_NS = traces.nanoseconds(START)
LONG = "5b8aa5a2d2c872e8321cf37308d69df2"


@pytest.fixture
async def server() -> AsyncIterator[FakeJaeger]:
    async with serve(FakeJaeger()) as running:
        yield running


@pytest.fixture
async def client(server: FakeJaeger) -> AsyncIterator[jaeger.Jaeger]:
    async with jaeger.Jaeger(server.url) as made:
        yield made


def trace_id(number: int) -> str:
    return f"{number + (1 << 100):032x}"


def span(number: int, seconds: float, service: str = "cart", span_id: str = "", **more: Any) -> FakeSpan:
    made = span_id or f"{number + 1:016x}"
    return FakeSpan(trace_id(number), made, service, START_NS + int(seconds * 1e9), **more)


def written(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / trace_store.FILE_NAME).read_bytes().splitlines()]


def ids(root: Path) -> list[str]:
    return [trace["traceID"] for trace in written(root)]


async def test_a_trace_is_what_jaegers_ui_gets_and_the_index_finds_it(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    server.spans = [
        span(1, 30, "frontend", "a1" * 8, name="GET /é", kind=3),
        span(1, 30.001, "cart", "b2" * 8, parent="a1" * 8, duration_ns=9_000_000, failed=True),
        span(2, 10, "cart", "c3" * 8),
        FakeSpan("0" * 16 + "c4" * 8, "c4" * 8, "ad", START_NS + 10**9),
    ]
    taken = await trace_store.take(client, tmp_path, REQUEST)

    assert ids(tmp_path) == ["c4" * 8, trace_id(2), trace_id(1)]
    (whole,) = await client.ui_traces([trace_id(1)])
    assert written(tmp_path)[2] == whole
    data = (tmp_path / trace_store.FILE_NAME).read_bytes()
    rows = tables.read_rows(tmp_path / trace_store.INDEX_NAME)
    for row, one in zip(rows, written(tmp_path), strict=True):
        line = data[int(row["offset"]) : int(row["offset"]) + int(row["bytes"])]
        assert (json.loads(line), line[-1:]) == (one, b"\n")
        assert (row["trace_id"], int(row["spans"])) == (one["traceID"], len(one["spans"]))
    start_us = START_NS // 1000 + 30_000_000
    assert (int(rows[2]["start_us"]), int(rows[2]["end_us"])) == (start_us, start_us + 10_000)
    assert json.loads(rows[2]["pairs"]) == [["cart", "GET /", "server"], ["frontend", "GET /é", "client"]]
    assert taken.calls.total == {Pair("frontend", "cart"): 1}
    assert taken.calls.edge(Pair("frontend", "cart"))["error_rate"] == 1.0
    assert taken.missing == []
    assert {entry.path: entry.rows for entry in taken.files} == {
        "otel_traces_raw.tsv": 4,
        "traces/traces.jsonl": 3,
        "traces/index.tsv": 3,
        "traces/services.json": 3,
    }


async def test_what_an_agent_may_see(server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path) -> None:
    server.spans = [
        span(1, -2, "frontend", "a1" * 8),
        span(1, 1, "cart", "b1" * 8),
        span(2, 1, "cart", attributes={"url": "http://gateway.reprise-system"}),
        span(3, 1, "prometheus", namespace="observability"),
        span(4, 66, "cart"),
        span(5, 64, "frontend", "a5" * 8),
        span(5, 66, "cart", "b5" * 8),
    ]
    await trace_store.take(client, tmp_path, REQUEST)

    assert ids(tmp_path) == [trace_id(3), trace_id(5)], "began in the window, names nothing hidden"
    assert [one["spanID"] for one in written(tmp_path)[1]["spans"]] == ["a5" * 8], "nothing from after it"
    rows = tables.read_rows(tmp_path / traces.FILE_NAME)
    assert {row["ServiceName"] for row in rows} == {"cart", "frontend"}, "the table is the application's"


async def test_a_trace_that_grows_while_it_is_read(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    """Its root, which began first, is in only when the second slice is read."""
    late = [span(1, 2, "frontend", "a1" * 8), span(1, 12, "ad", "d1" * 8, parent="a1" * 8)]
    server.spans = [span(2, 3), span(1, 9, "cart", "b1" * 8, parent="a1" * 8)]

    def arrive(path: str) -> None:
        if path == "/api/v3/traces" and "/api/traces" in server.asked and late:
            server.spans += late
            late.clear()

    server.before = arrive
    taken = await trace_store.take(client, tmp_path, REQUEST)

    assert ids(tmp_path) == [trace_id(1), trace_id(2)]
    assert {one["spanID"] for one in written(tmp_path)[0]["spans"]} == {"a1" * 8, "b1" * 8, "d1" * 8}
    rows = tables.read_rows(tmp_path / traces.FILE_NAME)
    assert sorted(row["SpanId"] for row in rows) == sorted(one.span_id for one in server.spans)
    assert taken.calls.total == {Pair("frontend", "cart"): 1, Pair("frontend", "ad"): 1}


async def test_a_trace_that_turns_out_to_have_begun_before_the_window(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    late = [span(1, -1, "frontend", "a1" * 8), span(1, 12, "ad", "d1" * 8)]
    server.spans = [span(1, 9)]

    def arrive(path: str) -> None:
        if path == "/api/v3/traces" and "/api/traces" in server.asked and late:
            server.spans += late
            late.clear()

    server.before = arrive
    await trace_store.take(client, tmp_path, REQUEST)
    assert ids(tmp_path) == []


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_lost_and_nothing_twice(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_store, "BATCH", 7)
    monkeypatch.setattr(trace_audit, "LIMIT", 11)
    chance = random.Random(seed)
    server.spans = [
        span(number, begin + chance.uniform(0, 15), service, f"{number:08x}{part:08x}")
        for number in range(150)
        for begin in [chance.choice([5.0, 20.0, chance.uniform(0, 48)])]
        for part, service in enumerate(chance.choices(["frontend", "cart", "ad/é"], k=4))
    ]
    await trace_store.take(client, tmp_path, REQUEST)

    found = await trace_audit.audit(client, tmp_path, REQUEST)
    assert found == trace_audit.Audit(600, 600, (), ())
    assert found.ok
    starts = [min(one["startTime"] for one in trace["spans"]) for trace in written(tmp_path)]
    assert starts == sorted(starts)
    rows = tables.read_rows(tmp_path / traces.FILE_NAME)
    assert len({(row["TraceId"], row["SpanId"]) for row in rows}) == len(rows) == 600

    chance.shuffle(server.spans)
    await trace_store.take(client, tmp_path / "again", REQUEST)
    assert ids(tmp_path / "again") == ids(tmp_path)


async def test_the_audit_finds_what_was_lost_and_what_is_there_twice(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    server.spans = [span(1, 1), span(2, 2), span(9, 2, attributes={"by": "kopf"})]
    await trace_store.take(client, tmp_path, REQUEST)
    server.spans.append(span(3, 64.9999))
    path = tmp_path / trace_store.FILE_NAME
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[0])

    found = await trace_audit.audit(client, tmp_path, REQUEST)

    assert (found.at_source, found.written, found.ok) == (3, 3, False)
    assert found.lost == (f"{trace_id(3)}/{4:016x}",)
    assert found.twice == (f"{trace_id(1)}/{2:016x}",)


async def test_an_audit_of_what_is_no_snapshot(client: jaeger.Jaeger, tmp_path: Path) -> None:
    with pytest.raises(errors.Corrupt, match="expected the traces"):
        await trace_audit.audit(client, tmp_path, REQUEST)


# -- outages ------------------------------------------------------------------------------------------


async def test_a_restart_is_waited_for(server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path) -> None:
    server.spans = [span(1, 1), span(2, 20)]
    server.down = 3
    taken = await trace_store.take(client, tmp_path, PATIENT)
    assert (ids(tmp_path), taken.missing) == ([trace_id(1), trace_id(2)], [])


async def test_what_comes_after_an_outage_is_one_gap(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    server.spans = [span(1, 1), span(2, 25)]

    def stop(path: str) -> None:
        if server.asked.count("/api/v3/traces") == 2:
            server.down = 99

    server.before = stop
    taken = await trace_store.take(client, tmp_path, REQUEST)

    assert ids(tmp_path) == [trace_id(1)]
    assert [(gap.signal, gap.what) for gap in taken.missing] == [
        ("traces", "2026-11-21T12:00:20.000000000Z to 2026-11-21T12:01:05.500000Z"),
        ("traces", "services and operations"),
    ]


async def test_nothing_at_all(server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path) -> None:
    server.down = 99
    with pytest.raises(errors.Unreachable, match="503"):
        await trace_store.take(client, tmp_path, REQUEST)


async def test_a_store_that_forgot_when_it_restarted(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    """It answers again, but with nothing: no error tells that the rest of the window is gone."""
    server.spans = [span(1, 1), span(2, 20)]

    def restart(path: str) -> None:
        if server.asked.count("/api/v3/traces") == 2:
            server.spans = []

    server.before = restart
    taken = await trace_store.take(client, tmp_path, REQUEST)

    assert ids(tmp_path) == [trace_id(1)]
    assert [gap.what for gap in taken.missing] == ["traces that Jaeger lost"]


# -- names --------------------------------------------------------------------------------------------


async def test_names_of_services_and_operations(
    server: FakeJaeger, client: jaeger.Jaeger, tmp_path: Path
) -> None:
    server.spans = [
        span(1, 1, "shop/é", name="b"),
        span(1, 2, "shop/é", name="a", kind=3),
        span(2, 1, "cart", name="probe by kopf"),
        span(3, 1, "reprise-gateway"),
    ]
    await trace_names.take(client, tmp_path, REQUEST)
    assert json.loads((tmp_path / trace_names.FILE_NAME).read_bytes()) == {
        "services": ["cart", "shop/é"],
        "operations": {"cart": [], "shop/é": ["a", "b"]},
        "kinds": {
            "cart": [],
            "shop/é": [{"name": "a", "spanKind": "client"}, {"name": "b", "spanKind": "server"}],
        },
        "dependencies": [{"parent": "frontend", "child": "cart", "callCount": 1}],
    }
