"""The pinned Jaeger beside the replay: the same spans, the same questions, the same answers.

Skipped where `reprise up` has not built Jaeger.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support import fetching, jaegers
from tests.support import snapshot_v2 as snapshots

from reprise.replay import source
from reprise.replay.clock import Clock
from reprise.replay.trace_index import TraceIndex
from reprise.replay.traces import Traces

pytestmark = pytest.mark.skipif(not jaegers.BUILT, reason="no Jaeger was built")


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """A Jaeger with memory storage that has the made-up traces, in the order of time."""
    async with aiohttp.ClientSession() as http, jaegers.running(tmp_path) as server:
        await server.take(snapshots.traces(), http)
        yield server.url, http


async def ask(live: tuple[str, aiohttp.ClientSession], path: str, query: dict[str, str]) -> tuple[int, Any]:
    url, http = live
    async with http.get(f"{url}/{path}", params=query) as answer:
        return answer.status, json.loads(await answer.text())


async def record(live: tuple[str, aiohttp.ClientSession], root: Path) -> None:
    """Put what Jaeger answers in the place of the made-up traces."""
    lines, rows, offset = [], ["trace_id\tstart_us\tend_us\toffset\tbytes\tspans\tpairs"], 0
    for trace in snapshots.traces():
        _, document = await ask(live, f"api/traces/{trace['traceID']}", {})
        (found,) = document["data"]
        line = snapshots.dump(found)
        begin = min(span["startTime"] for span in found["spans"])
        end = max(span["startTime"] + span["duration"] for span in found["spans"])
        pairs = [
            [found["processes"][span["processID"]]["serviceName"], span["operationName"], "server"]
            for span in found["spans"]
        ]
        size = len(line.encode())
        rows.append(f"{trace['traceID']}\t{begin}\t{end}\t{offset}\t{size}\t2\t{snapshots.quoted(pairs)}")
        lines.append(line)
        offset += size + 1
    (root / "traces" / "traces.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (root / "traces" / "index.tsv").write_text("".join(f"{row}\n" for row in rows))


def us(seconds: float) -> str:
    return str(int(snapshots.at(seconds).timestamp() * 1e6))


def comparable(answer: tuple[int, Any]) -> Any:
    """An answer without what changes from one to the next: Jaeger's order of spans and names of processes."""
    status, document = answer
    if status != 200:
        # What Go's JSON reader says of a value is its own.
        return status, document["errors"][0]["msg"].partition(" JSON: ")[0]
    found = []
    for item in document["data"]:
        if isinstance(item, dict):
            spans = [
                {**span, "processID": item["processes"][span["processID"]]}
                for span in sorted(item["spans"], key=lambda span: str(span["spanID"]))
            ]
            item = [item["traceID"], spans, item["warnings"]]
        found.append(item)
    return status, found, document["errors"]


SEARCHES: list[dict[str, str]] = [
    {},
    {"limit": "2"},
    {"limit": "0"},
    {"limit": "12000"},
    {"limit": "12001"},
    {"service": ""},
    {"service": "nobody"},
    {"operation": "GetCart"},
    {"service": "frontend", "operation": "GetCart"},
    {"start": us(100), "end": us(200)},
    {"start": us(120.0005), "end": us(200)},
    {"start": us(120.0015), "end": us(200)},
    {"start": us(120.001), "end": us(120.001)},
    {"minDuration": "20ms"},
    {"maxDuration": "10ms"},
    {"maxDuration": "10.5ms", "minDuration": "1us"},
    {"minDuration": "2"},
    {"minDuration": "2s", "maxDuration": "1s"},
    {"tag": "x"},
    {"tags": '{"a":1}'},
    *(
        {"tags": json.dumps({key: item})}
        for key, item in (
            ("error", "true"),
            ("error", "false"),
            ("span.kind", "server"),
            ("otel.status_code", "ERROR"),
            ("user.vip", "true"),
            ("user.vip", "True"),
            ("load", "0.5"),
            ("count", "3"),
            ("count", "3.0"),
            ("host.name", "b"),
            ("host.name", "a"),
            ("service.name", "cart"),
            ("event", "exception"),
            ("exception.type", "Timeout"),
        )
    ),
    {"service": "frontend", "tag": "http.code:500"},
    {"service": "frontend", "tags": '{"http.code":"200","error":"x"}'},
]


async def test_the_replay_answers_as_jaeger_does(
    live: tuple[str, aiohttp.ClientSession], tmp_path: Path
) -> None:
    root = snapshots.build(tmp_path / "snapshot")
    await record(live, root)
    found = source.read(root)
    index = TraceIndex(found, tmp_path / "cache")
    clock = Clock(snapshots.RECORDED, snapshots.RECORDED, moving=False)
    replay = Traces(found, clock, index, live[1])
    differences = []
    for search in SEARCHES:
        query = {"service": "cart", "start": us(0), "end": us(1800), "limit": "20", **search}
        theirs = await ask(live, "api/traces", query)
        ours = await fetching.ask(replay, "api/traces", list(query.items()))
        if comparable(theirs) != comparable(ours):
            differences.append((search, theirs, ours))
    for path in ("api/traces/" + "9" * 32, "api/traces/3", "api/services/cart/operations"):
        theirs, ours = await ask(live, path, {}), await fetching.ask(replay, path, [])
        if comparable(theirs) != comparable(ours):
            differences.append(({"path": path}, theirs, ours))
    index.close()
    assert differences == []
