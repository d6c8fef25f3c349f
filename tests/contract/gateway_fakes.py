"""An API server, Prometheus and Jaeger small enough to break on purpose, and a gateway before them."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from kubernetes.aio import client

from reprise.gateway import jaeger, prometheus, server
from reprise.gateway.registry import Registry
from reprise.gateway.upstream import Upstream

Json = dict[str, Any]
TOKEN = "a" * 64
OTHER_TOKEN = "b" * 64
WAIT_SECONDS = 10
PODS = "/api/v1/namespaces/otel-demo/pods"
ANSWER = {"entities": ["otel-demo/NetworkPolicy/a"]}


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 13, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def attempt(token: str, uid: str = "uid-1", **spec: Any) -> Json:
    return {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "AgentAttempt",
        "metadata": {"name": f"run-{uid}", "namespace": "default", "uid": uid, "resourceVersion": "100"},
        "spec": {
            "run": {"name": "netpol-incident", "uid": "r"},
            "index": 1,
            "agent": {"kind": "external"},
            "tokenSha256": hashlib.sha256(token.encode()).hexdigest(),
            "application": {"namespace": "otel-demo"},
            "window": {"start": "2026-01-02T12:00:00Z"},
            "budgets": {"wallClockSeconds": 600, "requests": 20},
            "injector": "hidden",
            **spec,
        },
    }


@dataclass
class Cluster:
    """The fake's state. `down` makes every answer a 503."""

    attempts: dict[str, Json] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ("otel-demo", "kube-system", "reprise-system", "chaos-mesh")
    pods: list[Json] = field(default_factory=list)
    down: bool = False
    seen: list[str] = field(default_factory=list)
    patches: list[Json] = field(default_factory=list)
    watchers: list[asyncio.Queue[Json]] = field(default_factory=list)
    version: int = 100
    # When set, a submission is stored, and answered only when this is set, with an error.
    answers: asyncio.Event | None = None
    stored: asyncio.Event = field(default_factory=asyncio.Event)
    pod_stream: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)

    def notify(self, kind: str, obj: Json) -> None:
        for queue in self.watchers:
            queue.put_nowait({"type": kind, "object": obj})

    def put(self, obj: Json) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.attempts[obj["metadata"]["uid"]] = obj
        self.notify("MODIFIED", obj)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path_qs)
        if self.down:
            return web.json_response({"kind": "Status", "message": "etcd is away"}, status=503)
        match request.path.strip("/").split("/"):
            case ["apis", "reprise.dev", "v1alpha1", "agentattempts"]:
                if request.query.get("watch"):
                    queue: asyncio.Queue[Json] = asyncio.Queue()
                    # What has changed since the list that the watch goes on from, as the API server tells it.
                    since = int(request.query.get("resourceVersion") or self.version)
                    for obj in self.attempts.values():
                        if int(obj["metadata"].get("resourceVersion") or 0) > since:
                            queue.put_nowait({"type": "MODIFIED", "object": obj})
                    self.watchers.append(queue)
                    return await self._stream(request, queue)
                items = list(self.attempts.values())
                return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": items})
            case ["apis", "reprise.dev", "v1alpha1", "namespaces", _, "agentattempts", name, "status"]:
                return await self._patch(request, name)
            case ["apis", "reprise.dev", "v1alpha1", "namespaces", _, "agentattempts", name]:
                (found,) = (one for one in self.attempts.values() if one["metadata"]["name"] == name)
                return web.json_response(found)
            case ["api", "v1", "namespaces"]:
                if request.query.get("watch"):
                    return await self._stream(request, asyncio.Queue())
                items = [{"metadata": {"name": name}} for name in self.namespaces]
                return web.json_response({"metadata": {"resourceVersion": "100"}, "items": items})
            case ["api", "v1", *_, "pods"]:
                if request.query.get("watch"):
                    return await self._stream(request, self.pod_stream)
                return self._page(request)
            case ["api", "v1", "namespaces", _, "pods", name, "log"]:
                return web.Response(text=f"hello from {name}\nasked gateway.reprise-system\nbye\n")
            case _:
                return web.json_response(
                    {"kind": "Status", "code": 404, "message": "no such path"}, status=404
                )

    async def _patch(self, request: web.Request, name: str) -> web.Response:
        body = await request.json()
        self.patches.append(body["status"])
        for obj in self.attempts.values():
            if obj["metadata"]["name"] == name:
                obj["status"] = {**obj.get("status", {}), **body["status"]}
                self.put(obj)
                if "submission" in body["status"] and self.answers is not None:
                    self.stored.set()
                    await self.answers.wait()
                    return web.json_response({"message": "too late"}, status=504)
                return web.json_response(obj)
        return web.json_response({"message": "gone"}, status=404)

    def _page(self, request: web.Request) -> web.Response:
        """Pages as the API server makes them, with its readable tokens."""
        begin = int(request.query.get("continue", "0:x").partition(":")[0])
        limit = int(request.query.get("limit", "0")) or len(self.pods)
        items, left = self.pods[begin : begin + limit], len(self.pods) - begin - limit
        meta: Json = {"resourceVersion": "200"}
        if left > 0:
            after = self.pods[begin + limit]["metadata"]
            meta |= {
                "continue": f"{begin + limit}:{after['namespace']}/{after['name']}",
                "remainingItemCount": left,
            }
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})

    async def _stream(self, request: web.Request, queue: asyncio.Queue[Json]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(json.dumps(await queue.get()).encode() + b"\n")


@dataclass
class Door:
    """A running gateway and its client."""

    cluster: Cluster
    registry: Registry
    http: TestClient[web.Request, web.Application]
    clock: Clock

    async def ask(
        self,
        method: str,
        path: str,
        token: str = TOKEN,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> tuple[int, Any]:
        """Status and body, decoded when it is JSON."""
        given = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, path, headers={**given, **(headers or {})}, **options) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    async def stored(self, uid: str = "uid-1", **expected: Any) -> Json:
        """Wait until the stored status holds the given fields."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                status: Json = self.cluster.attempts[uid].get("status", {})
                if all(status.get(key) == value for key, value in expected.items()):
                    return status
                await asyncio.sleep(0.01)


@asynccontextmanager
async def door(
    directory: Path, cluster: Cluster, clock: Clock, backends: web.Application | None = None
) -> AsyncIterator[Door]:
    """Start the fakes and a gateway that follows them; stop all in the end."""
    fake = web.Application()
    fake.router.add_route("*", "/{path:.*}", cluster.handle)
    async with (
        TestServer(fake) as api,
        TestServer(backends or web.Application()) as behind,
        Upstream(client.ApiClient(client.Configuration(host=str(api.make_url("/")).rstrip("/")))) as kube,
        aiohttp.ClientSession() as session,
    ):
        registry = Registry(kube, directory / "audit", clock)
        base = str(behind.make_url("/")).rstrip("/")
        app = server.Server(
            kube,
            registry,
            prometheus.Prometheus(f"{base}/prom", session),
            jaeger.Jaeger(f"{base}/traces", session),
        ).application()
        following = asyncio.create_task(registry.run())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await registry.wait_ready()
            async with TestClient(TestServer(app, handler_cancellation=True)) as http:
                yield Door(cluster, registry, http, clock)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def pod(name: str, namespace: str = "otel-demo") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name, "managedFields": [{}]}}


def trail(directory: Path, uid: str = "uid-1") -> list[dict[str, Any]]:
    """The lines that the gateway has written about an attempt."""
    return [json.loads(line) for line in (directory / "audit" / f"{uid}.jsonl").read_text().splitlines()]
