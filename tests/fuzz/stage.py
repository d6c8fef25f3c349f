"""The gateway's whole application in one process, without a socket: bytes of HTTP in, bytes of HTTP out.

Behind it stands a system that answers everything with the same few objects, some of them hidden, and writes
down what it was asked. What must never come out bears MARK.
"""

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from reprise.adapters import kube
from reprise.gateway import attempt as attempts
from reprise.gateway import audit, jaeger, prometheus, server
from reprise.gateway.session import Session
from tests.contract.gateway_fakes import TOKEN, attempt

Json = dict[str, Any]
MARK = "zqxjkv"
NOW = datetime(2026, 1, 2, 13, 0, tzinfo=UTC)
HIDDEN = frozenset({"reprise-system", "reprise-agents", "chaos-mesh"})
NAMESPACES = HIDDEN | {"otel-demo", "default", "kube-node-lease"}
CONNECTION_SECONDS = 20


def clock() -> datetime:
    return NOW


def _object(name: str, namespace: str, **rest: Any) -> Json:
    meta = {
        "name": name,
        "namespace": namespace,
        "uid": name,
        "resourceVersion": "150",
        "creationTimestamp": "2026-01-02T12:30:00Z",
        "managedFields": [{"manager": MARK}],
        "selfLink": f"/{MARK}",
        "annotations": {"kopf.dev/last": MARK, "kubectl.kubernetes.io/last-applied-configuration": MARK},
    }
    return {"metadata": meta, "spec": {}, **rest}


OBJECTS = [
    _object("cart", "otel-demo", data={"a": "1", "b": f"see {MARK} in reprise-system"}),
    _object(f"op-{MARK}", "reprise-system"),
    _object(f"chaos-daemon-{MARK}", "otel-demo"),
    _object(f"kopf-{MARK}", "default"),
]
LOG = (
    b"2026-01-02T12:30:00Z fine\n2026-01-02T12:30:01Z " + MARK.encode() + b" asked by reprise-operator\nbye\n"
)


def _served(is_core: bool) -> list[Json]:
    """The items of aggregated discovery under /api, and under /apis."""
    found = []
    for group, kinds in {
        "": ("Pod", "Service", "ConfigMap", "Event", "Node"),
        "apps": ("Deployment",),
    }.items():
        resources = [
            {
                "resource": f"{kind.lower()}s",
                "responseKind": {"group": group, "version": "v1", "kind": kind},
                "scope": "Cluster" if kind == "Node" else "Namespaced",
                "singularResource": kind.lower(),
                "verbs": ["get", "list", "watch", "delete"],
            }
            for kind in kinds
        ]
        if (group == "") == is_core:
            version = {"version": "v1", "resources": resources}
            found.append({"metadata": {"name": group} if group else {}, "versions": [version]})
    return found


class Body:
    """An answer that is there already."""

    def __init__(self, status: int, data: bytes) -> None:
        self.status = status
        self._data = data
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._data

    async def read(self) -> bytes:
        return self._data

    async def __aenter__(self) -> "Body":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class Behind:
    """Everything that the gateway asks: the API server, and the status of the attempt."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Sequence[tuple[str, str]]]] = []

    def _answer(self, path: str, query: Sequence[tuple[str, str]], accept: str) -> Body:
        self.asked.append((path, query))
        if path.endswith("/log"):
            cut = next((int(value) for name, value in query if name == "limitBytes"), len(LOG))
            return Body(200, LOG[:cut])
        if "apidiscovery" in accept:
            document: Any = {"kind": "APIGroupDiscoveryList", "items": _served(path == "/api")}
        elif path in ("/api", "/apis") or path.startswith("/openapi") or path == "/version":
            document = {"kind": "APIGroupList", "groups": [{"name": "reprise.dev", "x": MARK}]}
        elif ("watch", "true") in query:
            lines = [json.dumps({"type": "ADDED", "object": one}).encode() + b"\n" for one in OBJECTS]
            return Body(200, b"".join(lines))
        elif "as=Table" in accept:
            rows = [{"cells": [one["metadata"]["name"]], "object": one} for one in OBJECTS]
            document = {"kind": "Table", "metadata": {"continue": f"1:{MARK}"}, "rows": rows}
        elif path.rpartition("/")[2] in ("cart", "otel-demo"):
            document = OBJECTS[0]
        elif path.rpartition("/")[2] == "missing":
            status = {"kind": "Status", "code": 404, "message": f"{MARK} of reprise", "metadata": {}}
            return Body(404, json.dumps(status).encode())
        else:
            meta = {"resourceVersion": "200", "remainingItemCount": 3}
            document = {"kind": "List", "apiVersion": "v1", "metadata": meta, "items": OBJECTS}
        return Body(200, json.dumps(document).encode())

    async def open(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        accept: str = "application/json",
        timeout_seconds: float = 0,
    ) -> Any:
        return self._answer(path, query, accept)

    async def read(
        self, path: str, query: Sequence[tuple[str, str]] = (), accept: str = "application/json"
    ) -> kube.Response:
        found = self._answer(path, query, accept)
        return kube.Response(found.status, "application/json", await found.read())

    async def request(self, method: str, path: str, **options: Any) -> Json:
        return {"metadata": {"uid": "uid-1"}, "status": (options.get("body") or {}).get("status", {})}

    def version_of(self, path: str) -> str | None:
        return None


class Metrics(prometheus.Prometheus):
    """A Prometheus with a hidden series, and a look at what it is asked."""

    def __init__(self, behind: Behind) -> None:
        super().__init__("", None, clock)  # type: ignore[arg-type] - nothing is fetched
        self._behind = behind

    async def fetch(self, endpoint: str, form: list[tuple[str, str]]) -> tuple[int, bytes]:
        self._behind.asked.append((f"prometheus/{endpoint}", form))
        rows: list[Json] = [{"namespace": "otel-demo"}, {"namespace": "chaos-mesh", "pod": MARK}]
        if endpoint.startswith("query"):
            series = [{"metric": row, "values": [[1767355200, "1"]]} for row in rows]
            return _ok({"status": "success", "data": {"resultType": "matrix", "result": series}})
        match endpoint:
            case "rules":
                alerts = [{"labels": row, "annotations": {}, "state": "firing"} for row in rows]
                data: Any = {"groups": [{"name": "g", "rules": [{"name": "r", "alerts": alerts}]}]}
            case "alerts":
                data = {"alerts": [{"labels": row} for row in rows]}
            case "metadata":
                data = {f"reprise_{MARK}": []}
            case "series":
                data = rows
            case _:
                data = ["otel-demo", f"reprise-{MARK}"]
        return _ok({"status": "success", "data": data})


class Traces(jaeger.Jaeger):
    def __init__(self, behind: Behind) -> None:
        super().__init__("", None, clock)  # type: ignore[arg-type] - nothing is fetched
        self._behind = behind

    async def fetch(self, path: str, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        self._behind.asked.append((f"jaeger/{path}", query))
        if path == "api/dependencies":
            edges = [("frontend", "cart"), ("frontend", f"reprise-{MARK}")]
            data = [{"parent": one, "child": other, "callCount": 1} for one, other in edges]
            return _ok({"data": data})
        if "traces" not in path:
            return _ok({"data": ["cart", f"reprise-{MARK}"]})
        span = {
            "traceID": "a", "spanID": "b", "operationName": "GET", "startTime": 1767357000000000,
            "duration": 5, "references": [], "tags": [], "logs": [], "processID": "p",
        }  # fmt: skip
        traces = [
            {"traceID": "a", "spans": [span], "processes": {"p": {"serviceName": name, "tags": []}}}
            for name in ("cart", f"kopf-{MARK}")
        ]
        return _ok({"data": traces})


def _ok(document: Json) -> tuple[int, bytes]:
    return 200, json.dumps(document).encode()


class OneAttempt:
    """Stands in for the registry: one attempt, whose token is TOKEN."""

    is_ready = True
    attempt_uids = ("uid-1",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, token: str) -> Session | None:
        return self._session if token == TOKEN else None

    def has_namespace(self, view: Any, name: str) -> bool:
        return name in NAMESPACES - HIDDEN

    def namespaces(self, view: Any) -> list[str]:
        return sorted(NAMESPACES - HIDDEN)


class Wire(asyncio.Transport):
    """A connection whose other end keeps what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self._closing = False
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.sent += data

    def writelines(self, parts: Any) -> None:
        for part in parts:
            self.write(part)

    def close(self) -> None:
        self._closing = True
        self.closed.set()

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return

    def get_write_buffer_size(self) -> int:
        return 0


class Failures(logging.Handler):
    """What aiohttp, or the gateway, says of an exception that nobody expected."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # What is no HTTP at all is answered with 400 by aiohttp, which logs that at length.
        if record.exc_info and not isinstance(record.exc_info[1], HttpProcessingError):
            self.texts.append(logging.Formatter().format(record))


class Stage:
    """One gateway for many inputs: each has a new attempt and a new connection."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self.failures = Failures()
        for name in ("aiohttp.server", "reprise.gateway", "asyncio", "mcp"):
            logger = logging.getLogger(name)
            logger.addHandler(self.failures)
            logger.propagate = False
        self.behind = Behind()
        self._registry = OneAttempt(self._session())
        served = server.Server(
            self.behind,  # type: ignore[arg-type]
            self._registry,  # type: ignore[arg-type]
            Metrics(self.behind),
            Traces(self.behind),
            clock,
        )
        self._app = web.AppRunner(served.application(), access_log=None, handler_cancellation=True)
        self._runner.run(self._app.setup())

    def _session(self) -> Session:
        found = attempts.from_json(attempt(TOKEN, budgets={"wallClockSeconds": 600, "requests": 10**6}))
        path = Path(self._directory.name) / "uid-1.jsonl"
        path.unlink(missing_ok=True)
        trail = audit.Trail(path.parent, "uid-1")
        return Session(found, self.behind, trail, clock)  # type: ignore[arg-type]

    def exchange(self, data: bytes) -> bytes:
        """All that comes back for `data`, whose sender then says no more."""
        self._registry._session.close()
        self._registry._session = self._session()
        self.behind.asked.clear()
        self.failures.texts.clear()
        return self._runner.run(self._exchange(data))

    async def _exchange(self, data: bytes) -> bytes:
        assert self._app.server is not None
        protocol, wire = self._app.server(), Wire()
        protocol.connection_made(wire)
        task = protocol._task_handler
        try:
            protocol.data_received(data)
            # What waits for the rest of a request waits for its timeout, which is not ours to see.
            idle = 0
            while not wire.is_closing() and idle < 3:
                await asyncio.sleep(0)
                waits = protocol._waiter is not None and not protocol._messages
                idle = idle + 1 if waits or protocol._current_request is None else 0
                if protocol._current_request is not None and self._is_starved(protocol):
                    break
        finally:
            protocol.connection_lost(None)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return bytes(wire.sent)

    @staticmethod
    def _is_starved(protocol: Any) -> bool:
        """The handler waits for more of the body."""
        payload = protocol._current_request._payload
        return getattr(payload, "_waiter", None) is not None and not payload.is_eof()
