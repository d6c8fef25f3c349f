"""An API server over HTTP, for what reads lists, Tables, watches, logs and discovery as bytes.

It does what a real one does where that matters to a reader: lists come in pages of one resourceVersion, watch
events of Tables carry columnDefinitions in the first event only, bookmarks come when `bookmark()` says so,
and a version older than `oldest` is answered with an ERROR event of code 410.
"""

import asyncio
import copy
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from reprise.adapters.kube import Kube

Json = dict[str, Any]
READ = ["delete", "get", "list", "patch", "watch"]
COLUMNS = [{"name": "Name", "type": "string", "format": "name"}, {"name": "Status", "type": "string"}]


@dataclass(frozen=True)
class Served:
    """One resource. tables: whether the server prints it as a Table."""

    kind: str
    plural: str
    namespaced: bool = True
    verbs: tuple[str, ...] = tuple(READ)
    tables: bool = True


# group/version → what is served, the preferred version of a group first.
SERVED: dict[str, tuple[Served, ...]] = {
    "v1": (
        Served("Pod", "pods"),
        Served("Namespace", "namespaces", namespaced=False),
        Served("Node", "nodes", namespaced=False),
        Served("Secret", "secrets"),
        Served("ConfigMap", "configmaps"),
        Served("Event", "events"),
    ),
    "apps/v1": (Served("Deployment", "deployments"),),
    "autoscaling/v2": (Served("HorizontalPodAutoscaler", "horizontalpodautoscalers"),),
    "autoscaling/v1": (Served("HorizontalPodAutoscaler", "horizontalpodautoscalers"),),
    "coordination.k8s.io/v1": (Served("Lease", "leases"),),
    "metrics.k8s.io/v1beta1": (Served("PodMetrics", "pods", verbs=("get", "list"), tables=False),),
    "chaos-mesh.org/v1alpha1": (Served("NetworkChaos", "networkchaos"),),
}


@dataclass
class ApiServer:
    """`put` and `drop` change objects; `logs`: bytes or a status by (namespace, pod, container, previous)."""

    version: int = 1000
    oldest: int = 0
    objects: dict[str, dict[tuple[str, str], Json]] = field(default_factory=lambda: defaultdict(dict))
    history: dict[str, list[tuple[int, str, Json]]] = field(default_factory=lambda: defaultdict(list))
    logs: dict[tuple[str, str, str, bool], bytes | int] = field(default_factory=dict)
    # path → how many of the next requests for it fail with 503
    failing: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    watches: int = 0
    _waiting: set[asyncio.Event] = field(default_factory=set)
    _epoch: int = 0

    # -- what tests do --------------------------------------------------------------------------------

    def put(self, plural: str, name: str, namespace: str = "", group: str = "v1", **more: Any) -> Json:
        """Make or change an object."""
        collection = self.objects[f"{group}/{plural}"]
        known = collection.get((namespace, name))
        self.version += 1
        meta = {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "uid": known["metadata"]["uid"] if known else f"uid-{plural}-{namespace}-{name}-{self.version}",
            "resourceVersion": str(self.version),
            **more.pop("metadata", {}),
        }
        obj = {**more, "metadata": meta}
        collection[namespace, name] = obj
        self._tell(f"{group}/{plural}", "MODIFIED" if known else "ADDED", obj)
        return obj

    def drop(self, plural: str, name: str, namespace: str = "", group: str = "v1") -> None:
        obj = copy.deepcopy(self.objects[f"{group}/{plural}"].pop((namespace, name)))
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self._tell(f"{group}/{plural}", "DELETED", obj)

    def bookmark(self, plural: str, group: str = "v1") -> None:
        self.version += 1
        obj = {"metadata": {"resourceVersion": str(self.version), "creationTimestamp": None}}
        self._tell(f"{group}/{plural}", "BOOKMARK", obj)

    def forget(self) -> None:
        """Compact: what happened up to now cannot be watched from any more, and watches break off."""
        self.version += 1
        self.oldest = self.version
        self.history.clear()
        self.restart()

    def restart(self) -> None:
        """Every watch breaks off."""
        self._epoch += 1
        self._wake()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    def _tell(self, collection: str, kind: str, obj: Json) -> None:
        self.history[collection].append((self.version, kind, copy.deepcopy(obj)))
        self._wake()

    # -- HTTP -----------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.requests.append(f"{path}?watch" if request.query.get("watch") else path)
        if self.failing.get(path, 0) > 0:
            self.failing[path] -= 1
            return _status(503, "etcd is away")
        if path in self.refused:
            return _status(403, "no")
        match path.strip("/").split("/"):
            case ["api", "v1", "namespaces", namespace, "pods", pod, "log"]:
                return await self._log(request, namespace, pod)
            case ["version"]:
                return web.json_response({"gitVersion": "v1.34.0"})
            case ["api" | "apis" | "openapi", *_] if (found := self._discovery(request)) is not None:
                return web.json_response(found)
            case ["api", "v1", *rest]:
                return await self._collection(request, "v1", rest)
            case ["apis", group, version, *rest]:
                return await self._collection(request, f"{group}/{version}", rest)
        return _status(404, "the server could not find the requested resource")

    def _discovery(self, request: web.Request) -> Json | None:
        versions: dict[str, list[str]] = {}
        for name in SERVED:
            if "/" in name:
                versions.setdefault(name.partition("/")[0], []).append(name)
        groups = [
            {
                "name": group,
                "versions": [{"groupVersion": v, "version": v.partition("/")[2]} for v in served],
                "preferredVersion": {"groupVersion": served[0], "version": served[0].partition("/")[2]},
            }
            for group, served in versions.items()
        ]
        parts = request.path.strip("/").split("/")
        if "APIGroupDiscoveryList" in request.headers.get("Accept", "") and len(parts) == 1:
            items = [{"metadata": {"name": group}, "versions": []} for group in versions]
            return {"kind": "APIGroupDiscoveryList", "items": items if parts == ["apis"] else []}
        match parts:
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                return {"kind": "APIGroupList", "groups": groups}
            case ["apis", group] if group in versions:
                return next(found for found in groups if found["name"] == group)
            case ["openapi", "v2"]:
                return {"swagger": "2.0", "definitions": {"BenchmarkRun": {}, "Pod": {}}}
            case ["openapi", "v3"]:
                return {"paths": {"api/v1": {}, "apis/apps/v1": {}, "apis/reprise.dev/v1alpha1": {}}}
            case ["openapi", "v3", *_]:
                return {"openapi": "3.0"}
        name = "/".join(parts[1:])
        if parts[0] in ("api", "apis") and name in SERVED:
            listed = [
                {"name": one.plural, "kind": one.kind, "namespaced": one.namespaced, "verbs": [*one.verbs]}
                for one in SERVED[name]
            ]
            return {"kind": "APIResourceList", "groupVersion": name, "resources": listed}
        return None

    async def _collection(
        self, request: web.Request, api_version: str, rest: list[str]
    ) -> web.StreamResponse:
        namespace = ""
        if len(rest) == 3 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        served = [one for one in SERVED.get(api_version, ()) if [one.plural] == rest]
        if not served:
            return _status(404, "the server could not find the requested resource")
        if request.query.get("watch"):
            return await self._watch(request, api_version, served[0])
        found = sorted(self.objects[f"{api_version}/{served[0].plural}"].items())
        items = [obj for (where, _), obj in found if namespace in ("", where)]
        limit = int(request.query.get("limit") or len(items) or 1)
        begin, _, pinned = request.query.get("continue", "0:").partition(":")
        version = pinned or str(self.version)
        if pinned and int(pinned) < self.oldest:
            return _status(410, "The provided continue parameter is too old")
        page = items[int(begin) : int(begin) + limit]
        meta: Json = {"resourceVersion": version}
        if int(begin) + limit < len(items):
            meta |= {"continue": f"{int(begin) + limit}:{version}", "remainingItemCount": 1}
        if _is_table(request, served[0]):
            rows = [_row(api_version, served[0], obj) for obj in page] or None
            return web.json_response(
                {"kind": "Table", "metadata": meta, "columnDefinitions": COLUMNS, "rows": rows}
            )
        # Go writes an empty slice that was never made as null; items of lists have no kind.
        kind = f"{served[0].kind}List"
        return web.json_response({"kind": kind, "metadata": meta, "items": page or None})

    async def _watch(self, request: web.Request, api_version: str, served: Served) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json;stream=watch"})
        await response.prepare(request)
        version, epoch = int(request.query["resourceVersion"]), self._epoch
        if version < self.oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(_line({"type": "ERROR", "object": gone}))
            return response
        changed = asyncio.Event()
        self._waiting.add(changed)
        self.watches += 1
        first = True
        deadline = asyncio.get_running_loop().time() + int(request.query["timeoutSeconds"])
        try:
            while epoch == self._epoch:
                changed.clear()
                for when, kind, obj in list(self.history[f"{api_version}/{served.plural}"]):
                    if when > version:
                        version = when
                        await response.write(_line(_event(request, api_version, served, kind, obj, first)))
                        first = False
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
        except TimeoutError:
            return response
        finally:
            self.watches -= 1
            self._waiting.discard(changed)
        assert request.transport is not None
        request.transport.abort()
        return response

    async def _log(self, request: web.Request, namespace: str, pod: str) -> web.StreamResponse:
        key = (namespace, pod, request.query["container"], request.query.get("previous") == "true")
        found = self.logs.get(key, 400)
        if isinstance(found, int):
            return _status(found, "previous terminated container not found")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(found[: int(request.query["limitBytes"])])
        return response


def _event(request: web.Request, api_version: str, served: Served, kind: str, obj: Json, first: bool) -> Json:
    if not _is_table(request, served):
        return {"type": kind, "object": {"kind": served.kind, "apiVersion": api_version, **obj}}
    table = {"kind": "Table", "metadata": {}, "columnDefinitions": COLUMNS if first else None}
    return {"type": kind, "object": {**table, "rows": [_row(api_version, served, obj)]}}


def _row(api_version: str, served: Served, obj: Json) -> Json:
    cells = [obj["metadata"].get("name", ""), (obj.get("status") or {}).get("phase", "")]
    return {"cells": cells, "object": {"kind": served.kind, "apiVersion": api_version, **obj}}


def _is_table(request: web.Request, served: Served) -> bool:
    return served.tables and "as=Table" in request.headers.get("Accept", "")


def _line(event: Json) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


@asynccontextmanager
async def serve(server: ApiServer) -> AsyncIterator[str]:
    """Its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app) as running:
        yield str(running.make_url("/")).rstrip("/")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Kube]:
    async with Kube(client.ApiClient(client.Configuration(host=url))) as kube:
        yield kube
