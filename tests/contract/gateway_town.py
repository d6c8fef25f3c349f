"""A cluster behind the gateway with something to find: objects, logs, metrics and traces, and hidden things
among all of them."""

import asyncio
import copy
import json
from typing import Any

from aiohttp import web
from tests.contract.gateway_fakes import TOKEN, Cluster, attempt

Json = dict[str, Any]
NOON = "2026-01-02T12:"
US = 1_767_355_200_000_000  # noon, in microseconds
# group/version -> plural, kind, short names, namespaced
SERVED = {
    "v1": [
        ("pods", "Pod", ("po",), True),
        ("services", "Service", ("svc",), True),
        ("configmaps", "ConfigMap", ("cm",), True),
        ("events", "Event", ("ev",), True),
        ("nodes", "Node", ("no",), False),
        ("secrets", "Secret", (), True),
        ("namespaces", "Namespace", ("ns",), False),
    ],
    "apps/v1": [
        ("deployments", "Deployment", ("deploy",), True),
        ("replicasets", "ReplicaSet", ("rs",), True),
    ],
    "events.k8s.io/v1": [("events", "Event", ("ev",), True)],
    "chaos-mesh.org/v1alpha1": [("networkchaos", "NetworkChaos", (), True)],
    "reprise.dev/v1alpha1": [("agentattempts", "AgentAttempt", (), True)],
}


def meta(name: str, namespace: str = "otel-demo", created: str = "11:00:00", **more: Any) -> Json:
    day = "2026-01-02T"
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": f"{namespace}-{name}",
        "creationTimestamp": f"{day}{created}Z",
        "managedFields": [{"manager": "reprise-operator"}],
        **more,
    }


def owned(kind: str, name: str) -> list[Json]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": True}]


def event(
    name: str, about: str, minute: int, namespace: str = "otel-demo", message: str = "it failed"
) -> Json:
    return {
        "metadata": meta(name, namespace),
        "involvedObject": {"kind": "Pod", "name": about, "namespace": namespace},
        "type": "Warning",
        "reason": "BackOff",
        "message": message,
        "count": 3,
        "lastTimestamp": f"{NOON}{minute:02}:00Z",
    }


LABELS = {"app": "cart"}
CONDITION = {
    "type": "Available",
    "status": "False",
    "reason": "MinimumReplicasUnavailable",
    "lastTransitionTime": f"{NOON}20:00Z",
    "message": "Deployment does not have minimum availability.",
}
OBJECTS: dict[str, list[Json]] = {
    "Pod": [
        {
            "metadata": meta("cart-1", labels=LABELS, ownerReferences=owned("ReplicaSet", "cart-rs")),
            "spec": {"nodeName": "n1", "containers": [{"name": "cart", "env": []}]},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "cart",
                        "restartCount": 2,
                        "lastState": {
                            "terminated": {
                                "exitCode": 137,
                                "reason": "OOMKilled",
                                "finishedAt": f"{NOON}30:00Z",
                            }
                        },
                    }
                ],
            },
        },
        {"metadata": meta("operator-1", "reprise-system"), "spec": {"containers": []}},
        {"metadata": meta("chaos-daemon-x", "chaos-mesh"), "spec": {"containers": []}},
    ],
    "Service": [{"metadata": meta("cart"), "spec": {"selector": LABELS}}],
    "ConfigMap": [{"metadata": meta("settings", created="12:40:00"), "data": {"a": "x" * 100}}],
    "Deployment": [
        {
            "metadata": meta("cart", generation=4),
            "spec": {
                "selector": {"matchLabels": LABELS},
                "template": {
                    "metadata": {"labels": LABELS},
                    "spec": {
                        "containers": [{"name": "cart", "envFrom": [{"configMapRef": {"name": "settings"}}]}]
                    },
                },
            },
            "status": {"conditions": [CONDITION]},
        }
    ],
    "ReplicaSet": [{"metadata": meta("cart-rs", ownerReferences=owned("Deployment", "cart")), "spec": {}}],
    "Node": [{"metadata": meta("n1", "")}],
    "Namespace": [{"metadata": meta(name, "")} for name in ("otel-demo", "reprise-system", "chaos-mesh")],
    "Secret": [{"metadata": meta("token"), "data": {"a": "c2VjcmV0LXZhbHVl"}}],
    "Event": [
        event("e1", "cart-1", 31),
        event("e2", "cart-1", 35, message="reprise touched this"),
        event("e3", "operator-1", 36, "reprise-system"),
    ],
    "NetworkChaos": [{"metadata": meta("delay")}],
}


def span(name: str, parent: str, service: str, at: int, duration: int, **tags: Any) -> Json:
    return {
        "traceID": "abc1",
        "spanID": name,
        "operationName": f"do {name}",
        "references": [{"refType": "CHILD_OF", "traceID": "abc1", "spanID": parent}] if parent else [],
        "startTime": US + 60_000_000 + at,
        "duration": duration,
        "tags": [
            {"key": key.replace("__", "."), "type": "string", "value": item} for key, item in tags.items()
        ],
        "logs": [],
        "processID": service,
    }


def trace(trace_id: str, *spans: Json) -> Json:
    services = {one["processID"] for one in spans}
    processes = {service: {"serviceName": service, "tags": []} for service in services}
    return {"traceID": trace_id, "spans": list(spans), "processes": processes, "warnings": None}


TRACES = [
    trace(
        "abc1",
        span("a", "", "frontend", 0, 9000, error="true"),
        span("b", "a", "checkout", 1000, 7000, error="true"),
        span("c", "b", "cart", 2000, 5000, error="true", otel__status_description="connection refused"),
        span("d", "b", "currency", 7500, 100),
    ),
    trace("abc2", span("a", "", "frontend", 5_000_000, 800)),
    trace("abc3", span("a", "", "reprise-operator", 0, 800)),
]
LOG = [
    (f"{NOON}10:00.000000001Z", "GET /cart/1 took 12 ms"),
    (f"{NOON}10:01.000000001Z", "ERROR connection to valkey-cart:6379 refused, try 1"),
    (f"{NOON}10:02.000000001Z", "GET /cart/2 took 9 ms"),
    (f"{NOON}10:03.000000001Z", "ERROR connection to valkey-cart:6379 refused, try 2"),
    (f"{NOON}10:04.000000001Z", "asked gateway.reprise-system for something"),
]


class Town(Cluster):
    """Serves OBJECTS the way that an API server does: aggregated discovery, lists, Tables, selectors."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = copy.deepcopy(OBJECTS)
        self.log = list(LOG)
        self.telemetry: list[tuple[str, dict[str, str]]] = []
        self.traces = copy.deepcopy(TRACES)
        self.samples = 10
        # While true, ConfigMaps and logs are never answered; each such request is put into `held`.
        self.holds = False
        self.held: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    def with_attempt(cls, **spec: Any) -> "Town":
        made = cls()
        made.put(attempt(TOKEN, **spec))
        return made

    async def handle(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if self.down or request.query.get("watch") or "agentattempts" in parts:
            return await super().handle(request)
        self.seen.append(request.path_qs)
        if self.holds and ("configmaps" in parts or "log" in parts):
            self.held.put_nowait(request.path)
            await asyncio.Event().wait()
        match parts:
            case ["api"]:
                return web.json_response(_discovery("v1"))
            case ["apis"]:
                return web.json_response(_discovery(*(key for key in SERVED if key != "v1")))
            case ["api", "v1", "namespaces", _, "pods", name, "log"]:
                return self._log(request, name)
            case ["api", *rest] | ["apis", _, *rest]:
                return self._objects(request, rest)
        return web.json_response({"kind": "Status", "code": 404, "message": "no such path"}, status=404)

    def _log(self, request: web.Request, name: str) -> web.Response:
        if name != "cart-1":
            return _status(404, f'pods "{name}" not found')
        if request.query.get("container", "cart") != "cart":
            return _status(400, "container other is not valid for pod cart-1")
        lines = self.log[-int(request.query["tailLines"]) :]
        return web.Response(text="".join(f"{time} {text}\n" for time, text in lines))

    def _objects(self, request: web.Request, rest: list[str]) -> web.Response:
        _, *rest = rest
        namespace = name = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            _, namespace, *rest = rest
        plural, *names = rest
        name = names[0] if names else ""
        kind = next(kind for served in SERVED.values() for known, kind, _, _ in served if known == plural)
        found = [
            one
            for one in self.objects.get(kind, ())
            if one["metadata"].get("namespace", "") == namespace or not namespace
        ]
        if name:
            found = [one for one in found if one["metadata"]["name"] == name]
            if not found:
                return _status(404, f'{plural} "{name}" not found')
            return web.json_response({"kind": kind, "apiVersion": "v1", **found[0]})
        for selector in filter(None, request.query.get("fieldSelector", "").split(",")):
            key, _, value = selector.partition("=")
            found = [one for one in found if _at(one, key) == value]
        if "as=Table" in request.headers["Accept"]:
            columns = [
                {"name": "Name", "priority": 0},
                {"name": "Age", "priority": 0},
                {"name": "IP", "priority": 1},
            ]
            rows = [{"cells": [one["metadata"]["name"], "1h", "10.0.0.1"], "object": one} for one in found]
            return web.json_response({"kind": "Table", "columnDefinitions": columns, "rows": rows})
        return web.json_response(
            {
                "kind": f"{kind}List",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": "200"},
                "items": found,
            }
        )

    def backends(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._telemetry)
        return app

    async def _telemetry(self, request: web.Request) -> web.Response:
        self.telemetry.append((request.path, dict(request.query)))
        hidden = {"__name__": "up", "namespace": "chaos-mesh"}
        metrics = [{"__name__": "up", "namespace": "otel-demo", "pod": "cart-1"}, hidden]
        match request.path.strip("/").split("/"):
            case ["prom", *_, "query"]:
                if request.query["query"] == "up{":
                    return web.json_response(
                        {"status": "error", "error": "parse error: unexpected end"}, status=400
                    )
                rows = [{"metric": metric, "value": [1, "1"]} for metric in metrics]
                return _success({"resultType": "vector", "result": rows})
            case ["prom", *_, "query_range"]:
                values = [[US / 1e6 + 5 * n, str(n % 7)] for n in range(self.samples)]
                rows = [{"metric": metric, "values": values} for metric in metrics]
                return _success({"resultType": "matrix", "result": rows})
            case ["prom", *_, "rules"]:
                alerts = [
                    {
                        "state": "firing",
                        "labels": {"alertname": name, "namespace": namespace},
                        "annotations": {"summary": "too many errors"},
                        "activeAt": f"{NOON}21:00Z",
                    }
                    for name, namespace in (("CartErrors", "otel-demo"), ("Chaos", "chaos-mesh"))
                ]
                rule = {"name": "r", "query": "vector(1)", "alerts": alerts}
                return _success({"groups": [{"name": "g", "rules": [rule]}]})
            case ["traces", *_, "dependencies"]:
                edges = [
                    ("frontend", "checkout", 7),
                    ("checkout", "cart", 5),
                    ("frontend", "reprise-operator", 1),
                ]
                data = [{"parent": one, "child": other, "callCount": count} for one, other, count in edges]
                return web.json_response({"data": data})
            case ["traces", _, "traces"]:
                return web.json_response({"data": self.traces})
            case ["traces", _, "traces", trace_id]:
                return web.json_response({"data": [one for one in self.traces if one["traceID"] == trace_id]})
        return web.json_response({}, status=404)


def _discovery(*versions: str) -> Json:
    items = []
    for served in versions:
        group, _, version = served.rpartition("/")
        resources = [
            {
                "resource": plural,
                "responseKind": {"group": group, "version": version, "kind": kind},
                "scope": "Namespaced" if namespaced else "Cluster",
                "singularResource": kind.lower(),
                "shortNames": list(short),
                "verbs": ["get", "list", "watch", "delete"],
            }
            for plural, kind, short, namespaced in SERVED[served]
        ]
        item = {"version": version, "resources": resources}
        items.append({"metadata": {"name": group} if group else {}, "versions": [item]})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}


def _at(obj: Json, path: str) -> Any:
    found: Any = obj
    for part in path.split("."):
        found = (found or {}).get(part)
    return found


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


def _success(data: Json) -> web.Response:
    return web.Response(text=json.dumps({"status": "success", "data": data}), content_type="application/json")
