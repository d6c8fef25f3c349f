"""The pinned Jaeger with its storage in memory, as `reprise up` builds it: started, killed, started again."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from reprise.cluster import paths

# Found before tests are cut off from the home folder.
BUILT = sorted(paths.cache_dir().glob("go/jaeger-*/jaeger"))
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


def _config(query: int, grpc: int, receiver: int) -> dict[str, Any]:
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"mem": {"memory": {"max_traces": 12000}}}},
            "jaeger_query": {
                "storage": {"traces": "mem"},
                "http": {"endpoint": f"127.0.0.1:{query}"},
                "grpc": {"endpoint": f"127.0.0.1:{grpc}"},
            },
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{receiver}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "mem"}},
    }


class Server:
    """`url` stays the same over restarts; what it was given does not."""

    def __init__(self, folder: Path) -> None:
        query, grpc, receiver = free_ports(3)
        self.url, self._receiver = f"http://127.0.0.1:{query}", f"http://127.0.0.1:{receiver}/v1/traces"
        self._file = folder / "jaeger.yaml"
        self._file.write_text(yaml.safe_dump(_config(query, grpc, receiver)))
        self._process: asyncio.subprocess.Process | None = None
        self._draining: asyncio.Task[bytes] | None = None

    async def start(self) -> None:
        """Returns when it answers."""
        self._process = await asyncio.create_subprocess_exec(
            BUILT[-1],
            f"--config={self._file}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stderr is not None
        async with asyncio.timeout(START_SECONDS):
            while line := await self._process.stderr.readline():
                if b"Everything is ready" in line:
                    break
            else:
                raise AssertionError("Jaeger did not start")
        self._draining = asyncio.create_task(self._process.stderr.read())

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._draining is not None:
            await self._draining
            self._draining = None

    async def take(self, traces: Iterable[dict[str, Any]], http: aiohttp.ClientSession) -> None:
        """Traces in Jaeger's UI JSON, sent as an application would."""
        for trace in traces:
            async with http.post(self._receiver, json=otlp(trace)) as answer:
                assert answer.status == 200, await answer.text()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Server]:
    server = Server(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
