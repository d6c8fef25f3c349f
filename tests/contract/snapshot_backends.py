"""The three backends of the recorder, in memory: a namespace with one pod, a trace, a few series."""

import copy
import datetime as dt
from array import array
from typing import Any

from reprise.adapters import prometheus, remote_read
from reprise.adapters.jaeger import Span, SpanKind, StatusCode, Trace
from reprise.domain import errors
from reprise.snapshot.request import RecordRequest

Json = dict[str, Any]
START = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
END = START + dt.timedelta(seconds=45)
REQUEST = RecordRequest(
    "run-uid",
    "shop",
    7,
    baseline_at=START,
    recorded_at=END,
    injected_at=START + dt.timedelta(seconds=20),
    symptom_at=START + dt.timedelta(seconds=40),
    versions={"application": "2.2.0"},
    patience_seconds=0.0,
)

POD: Json = {
    "metadata": {
        "name": "cart-1",
        "namespace": "shop",
        "uid": "u",
        "labels": {"app": "cart"},
        "managedFields": [{"manager": "reprise"}],
        "annotations": {"reprise.dev/run": "x", "plain": "kept"},
    },
    "spec": {"nodeName": "n1", "containers": [{"name": "cart"}]},
    "status": {"containerStatuses": [{"name": "cart", "restartCount": 1, "state": {"running": {}}}]},
}
# path of a group's resources -> kind, plural, namespaced, objects
SERVED: dict[str, list[tuple[str, str, bool, list[Json]]]] = {
    "/api/v1": [
        ("Pod", "pods", True, [POD]),
        (
            "Namespace",
            "namespaces",
            False,
            [{"metadata": {"name": n}} for n in ("shop", "other", "reprise-system")],
        ),
        (
            "Secret",
            "secrets",
            True,
            [{"metadata": {"name": "s", "namespace": "shop"}, "data": {"a": "c2VjcmV0"}}],
        ),
        ("Node", "nodes", False, [{"metadata": {"name": "n1"}}]),
    ],
    "/apis/apps/v1": [("Deployment", "deployments", True, [])],
}


class FakeKube:
    """Answers the paths that the recorder asks for; everything else is not served."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    async def request(self, method: str, path: str, **options: Any) -> Json:
        self.requests.append(path)
        assert method == "GET", "the recorder only reads"
        if path == "/apis/apps":
            return {"preferredVersion": {"groupVersion": "apps/v1"}}
        if path in SERVED:
            return {
                "resources": [
                    {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]}
                    for kind, plural, namespaced, _ in SERVED[path]
                ]
            }
        for base, resources in SERVED.items():
            for _, plural, _, objects in resources:
                if path.startswith(base) and path.rpartition("/")[2] == plural:
                    found = copy.deepcopy(objects)
                    if "as=Table" in options.get("accept", ""):
                        # Go writes an empty slice that was never made as null.
                        rows = [{"cells": [o["metadata"]["name"]], "object": o} for o in found] or None
                        return {"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": rows}
                    return {"items": found or None}
        raise errors.NotFound(path)

    async def path(self, api_version: str, kind: str, namespace: str = "") -> str:
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural = next(p for k, p, _, _ in SERVED[base] if k == kind)
        return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"

    async def list_objects(self, api_version: str, kind: str, namespace: str = "", **more: str) -> list[Json]:
        if more:
            return []
        return [
            {
                "metadata": {"name": "e1", "namespace": "shop"},
                "involvedObject": {"kind": "Pod", "name": "cart-1"},
                "reason": "Started",
                "lastTimestamp": "2026-11-21T12:00:30Z",
            }
        ]

    async def logs(self, namespace: str, pod: str, **query: str) -> str:
        if query.get("previous"):
            raise errors.InvalidInput("previous terminated container not found")
        return '2026-11-21T12:00:10.5Z {"message": "hello", "trace_id": "abc"}\n2026-11-21T12:00:11Z plain\n'


class FakePrometheus:
    async def query(self, expr: str, at: float | None = None) -> list[prometheus.Sample]:
        label, names = ("pod", ["cart-1", "gone-0"]) if "by (pod)" in expr else ("service_name", ["cart"])
        return [prometheus.Sample({label: name}, 0.0, 1.0) for name in names]

    async def query_range(self, expr: str, start: float, end: float, step: float) -> list[prometheus.Series]:
        if "gone-0" in expr:
            return []
        points = tuple((start + step * n, float(n)) for n in range(3))
        return [prometheus.Series({"__name__": "up", "namespace": "shop"}, points)]

    async def alerts(self) -> list[prometheus.Alert]:
        state = prometheus.AlertState.FIRING
        return [prometheus.Alert("A", state, {"alertname": "A", "namespace": "shop"}, {}, START, "1")]

    async def series_names(self, start: float, end: float) -> list[str]:
        return ["up"]

    async def external_labels(self) -> dict[str, str]:
        return {}

    async def read_raw(
        self, name: str, start_ms: int, end_ms: int, external_labels: dict[str, str]
    ) -> list[remote_read.RawSeries]:
        labels = (("__name__", name), ("namespace", "shop"))
        return [remote_read.RawSeries(labels, array("q", [start_ms]), array("d", [1.0]))]

    async def metadata(self) -> Json:
        return {"up": [{"type": "gauge", "help": "", "unit": ""}]}

    async def alerting_rules(self) -> Json:
        return {
            "groups": [{"name": "g", "interval": 5, "rules": [{"name": "A", "labels": {}, "alerts": []}]}]
        }

    async def alert_history(self, start: float, end: float, step: float) -> list[prometheus.AlertSpan]:
        return []


class FakeJaeger:
    async def services(self) -> list[str]:
        return ["cart"]

    async def traces(self, service: str, start: float, end: float) -> list[Trace]:
        resource = {"k8s.namespace.name": "shop", "service.name": "cart"}
        at = int(START.timestamp() * 1e9) + 5_000_000_000
        span = Span(
            "t", "s", "", "", "cart", "GET", SpanKind.SERVER, at, 5, StatusCode.OK, "", {}, resource, "", ""
        )
        return [Trace("t", (span,), {})]

    async def ui_traces(self, trace_ids: list[str]) -> list[Json]:
        span = {
            "traceID": "t",
            "spanID": "s",
            "operationName": "GET",
            "references": [],
            "startTime": int(START.timestamp() * 1e6) + 5_000_000,
            "duration": 0,
            "tags": [],
            "processID": "p1",
            "warnings": None,
        }
        processes = {"p1": {"serviceName": "cart", "tags": []}}
        return [{"traceID": "t", "spans": [span], "processes": processes, "warnings": None}]

    async def ui_services(self) -> list[str]:
        return ["cart"]

    async def ui_operations(self, service: str) -> list[str]:
        return ["GET"]

    async def ui_kinds(self, service: str) -> list[Json]:
        return [{"name": "GET", "spanKind": ""}]

    async def ui_dependencies(self, end_ms: int, lookback_ms: int) -> list[Json]:
        return []


class BrokenJaeger(FakeJaeger):
    async def traces(self, service: str, start: float, end: float) -> list[Trace]:
        raise errors.Unreachable("Jaeger did not answer")
