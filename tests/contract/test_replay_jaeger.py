"""The pinned Jaeger beside the replay: the same spans, the same questions, the same answers.

Skipped where `reprise up` has not built Jaeger.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.support import snapshot_v2 as snapshots

from reprise.cluster import paths
from reprise.replay import source
from reprise.replay.clock import Clock
from reprise.replay.trace_index import TraceIndex
from reprise.replay.traces import Traces

# Found before tests are cut off from the home folder.
_BUILT = sorted(paths.cache_dir().glob("go/jaeger-*/jaeger"))
pytestmark = pytest.mark.skipif(not _BUILT, reason="no Jaeger was built")
START_SECONDS = 120
_KINDS = {"server": 2, "client": 3}


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def value(item: object) -> dict[str, Any]:
    match item:
        case bool():
            return {"boolValue": item}
        case int():
            return {"intValue": str(item)}
        case float():
            return {"doubleValue": item}
        case _:
            return {"stringValue": str(item)}


def attributes(pairs: Iterator[tuple[str, object]] | list[tuple[str, object]]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(item)} for key, item in pairs]


def otlp(trace: dict[str, Any]) -> dict[str, Any]:
    """The made-up trace, as an application would send it."""
    derived = {"span.kind", "error", "otel.status_code"}
    resources = []
    for span in trace["spans"]:
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        process = trace["processes"][span["processID"]]
        begin = span["startTime"] * 1000
        one: dict[str, Any] = {
            "traceId": span["traceID"],
            "spanId": span["spanID"],
            "parentSpanId": span["references"][0]["spanID"] if span["references"] else "",
            "name": span["operationName"],
            "kind": _KINDS[tags["span.kind"]],
            "startTimeUnixNano": str(begin),
            "endTimeUnixNano": str(begin + span["duration"] * 1000),
            "attributes": attributes([(key, item) for key, item in tags.items() if key not in derived]),
            "status": {"code": {"OK": 1, "ERROR": 2}.get(tags.get("otel.status_code", ""), 0)},
        }
        for log in span["logs"]:
            fields = {field["key"]: field["value"] for field in log["fields"]}
            name = fields.pop("event")
            moment = {
                "timeUnixNano": str(begin),
                "name": name,
                "attributes": attributes(list(fields.items())),
            }
            one["events"] = [moment]
        of = [
            ("service.name", process["serviceName"]),
            *((tag["key"], tag["value"]) for tag in process["tags"]),
        ]
        resources.append({"resource": {"attributes": attributes(of)}, "scopeSpans": [{"spans": [one]}]})
    return {"resourceSpans": resources}


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """A Jaeger with memory storage that has the made-up traces, in the order of time."""
    query, grpc, receiver = free_ports(3)
    storage = {"backends": {"mem": {"memory": {"max_traces": 12000}}}}
    config = {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": storage,
            "jaeger_query": {
                "storage": {"traces": "mem"},
                "http": {"endpoint": f"127.0.0.1:{query}"},
                "grpc": {"endpoint": f"127.0.0.1:{grpc}"},
            },
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{receiver}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "mem"}},
    }
    (tmp_path / "jaeger.yaml").write_text(yaml.safe_dump(config))
    process = await asyncio.create_subprocess_exec(
        _BUILT[-1],
        f"--config={tmp_path / 'jaeger.yaml'}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := await process.stderr.readline():
                if b"Everything is ready" in line:
                    break
            else:
                raise AssertionError("Jaeger did not start")
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as http:
            for trace in snapshots.traces():
                async with http.post(f"http://127.0.0.1:{receiver}/v1/traces", json=otlp(trace)) as answer:
                    assert answer.status == 200, await answer.text()
            yield f"http://127.0.0.1:{query}", http
    finally:
        process.kill()
        await process.wait()
    await draining


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
        ours = await replay.ask("api/traces", list(query.items()))
        if comparable(theirs) != comparable(ours):
            differences.append((search, theirs, ours))
    for path in ("api/traces/" + "9" * 32, "api/traces/3", "api/services/cart/operations"):
        theirs, ours = await ask(live, path, {}), await replay.ask(path, [])
        if comparable(theirs) != comparable(ours):
            differences.append(({"path": path}, theirs, ours))
    index.close()
    assert differences == []
