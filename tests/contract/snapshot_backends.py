"""The three backends of the recorder, in memory: a namespace with one pod, a trace, a few series."""

import copy
import datetime as dt
from array import array
from typing import Any

from tests.fakes.api_server import ApiServer

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
        "labels": {"app": "cart"},
        "managedFields": [{"manager": "reprise"}],
        "annotations": {"reprise.dev/run": "x", "plain": "kept"},
    },
    "spec": {"nodeName": "n1", "containers": [{"name": "cart"}]},
    "status": {"containerStatuses": [{"name": "cart", "restartCount": 1, "state": {"running": {}}}]},
}
STATUS = {"containerStatuses": [{"name": "dns", "restartCount": 0, "state": {"running": {}}}]}
LOG = b'2026-11-21T12:00:10.5Z {"message": "hello", "trace_id": "abc"}\n2026-11-21T12:00:11Z plain\n'


def api_server() -> ApiServer:
    """One pod of the application, one of the cluster's, and what must not be seen."""
    server = ApiServer()
    for name in ("shop", "kube-system", "reprise-system", "chaos-mesh"):
        server.put("namespaces", name)
    server.put("nodes", "n1")
    server.put("pods", "cart-1", "shop", **copy.deepcopy(POD))
    server.put("pods", "coredns-1", "kube-system", status=STATUS)
    server.put("pods", "operator-1", "reprise-system", status=STATUS)
    server.put("secrets", "s", "shop", data={"a": "c2VjcmV0"})
    server.put("leases", "n1", "kube-node-lease", group="coordination.k8s.io/v1")
    server.put("leases", "scheduler", "kube-system", group="coordination.k8s.io/v1")
    server.put("pods", "cart-1", "shop", group="metrics.k8s.io/v1beta1", usage={"cpu": "5m"})
    server.put("networkchaos", "abcde", "chaos-mesh", group="chaos-mesh.org/v1alpha1", spec={"mode": "all"})
    server.put(
        "events",
        "e1",
        "shop",
        involvedObject={"kind": "Pod", "name": "cart-1"},
        reason="Started",
        lastTimestamp="2026-11-21T12:00:30Z",
    )
    server.logs["shop", "cart-1", "cart", False] = LOG
    server.logs["kube-system", "coredns-1", "dns", False] = b"2026-11-21T12:00:12Z ready\n"
    return server


SECRETS: Json = {
    "run": {"namespace": "default", "name": "first-run", "uid": "run-uid"},
    "scenario": {"name": "cart-unreachable", "application": "otel-demo"},
    "truth": [{"entity": "shop/NetworkPolicy/cart-ingress", "equivalents": []}],
    "plan": [{"create": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cart-ingress"}}}],
    "mechanisms": ["network-policy-ingress-block"],
}


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
            "groups": [
                {
                    "name": "g",
                    "interval": 5,
                    "rules": [{"type": "alerting", "name": "A", "labels": {}, "alerts": []}],
                }
            ]
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
            "ab", "cd", "", "", "cart", "GET", SpanKind.SERVER, at, 5, StatusCode.OK, "", {}, resource, "", ""
        )
        return [Trace("ab", (span,), {})]

    async def ui_traces(self, trace_ids: list[str]) -> list[Json]:
        span = {
            "traceID": "ab",
            "spanID": "cd",
            "operationName": "GET",
            "references": [],
            "startTime": int(START.timestamp() * 1e6) + 5_000_000,
            "duration": 0,
            "tags": [],
            "processID": "p1",
            "warnings": None,
        }
        processes = {"p1": {"serviceName": "cart", "tags": []}}
        return [{"traceID": "ab", "spans": [span], "processes": processes, "warnings": None}]

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
