"""Each signal: what becomes a row, and what must not."""

import datetime as dt
import itertools
import json
from typing import Any

import pytest

from reprise.adapters import prometheus
from reprise.adapters.jaeger import Span, SpanKind, StatusCode, Trace
from reprise.domain import topology
from reprise.snapshot import alerts, calls, events, logs, metrics, traces
from reprise.snapshot.request import RecordRequest

START = dt.datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=dt.UTC)
END = START + dt.timedelta(minutes=4)
REQUEST = RecordRequest("uid", "shop", 7, baseline_at=START, recorded_at=END)


def test_the_timeline_leaves_out_what_did_not_happen() -> None:
    assert REQUEST.timeline == {
        "baselineAt": "2026-11-21T12:00:00.500000Z",
        "recordedAt": "2026-11-21T12:04:00.500000Z",
    }


# -- events -------------------------------------------------------------------------------------------


def event(name: str, time: str, message: str = "Started", namespace: str = "shop") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "managedFields": [{"manager": "kubelet"}]},
        "involvedObject": {"kind": "Pod", "name": "cart-1", "namespace": namespace},
        "reason": "Started",
        "message": message,
        "lastTimestamp": time,
        "type": "Normal",
        "count": 3,
        "source": {"component": "kubelet"},
    }


def test_events_of_the_window_oldest_first_and_each_count_once() -> None:
    seen = events.Seen(REQUEST)
    for one in (
        event("late", "2026-11-21T12:03:00Z"),
        event("first second", "2026-11-21T12:00:00Z"),
        event("before", "2026-11-21T11:59:59Z"),
        event("after", "2026-11-21T12:05:00Z"),
        event("another namespace's", "2026-11-21T12:01:00Z", namespace="other"),
        event("late", "2026-11-21T12:03:00Z"),
        {**event("late", "2026-11-21T12:03:30Z"), "count": 4},
    ):
        seen.add(one)
    rows = seen.rows()
    found = [json.loads(str(body))["object"] for _, body in rows]
    assert [(one["metadata"]["name"], one["count"]) for one in found] == [
        ("first second", 3),
        ("late", 3),
        ("late", 4),
    ]
    assert rows[1][0] == "2026-11-21T12:03:00.000000Z"
    assert json.loads(str(rows[1][1]))["type"] == "MODIFIED"


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"count": 1}, 1), ({"count": None}, 1), ({"count": 0, "series": {"count": 7}}, 7)],
)
def test_counts_of_both_kinds_of_events(more: dict[str, Any], expected: int) -> None:
    assert events.count({**event("e", "2026-11-21T12:03:00Z"), **more}) == expected


# -- logs ---------------------------------------------------------------------------------------------

POD: dict[str, Any] = {
    "metadata": {
        "name": "cart-1",
        "namespace": "shop",
        "uid": "u",
        "labels": {"app.kubernetes.io/name": "cart"},
    },
    "spec": {"nodeName": "n1"},
    "status": {
        "initContainerStatuses": [{"name": "wait", "restartCount": 0, "state": {"terminated": {}}}],
        "containerStatuses": [
            {"name": "cart", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            {"name": "never", "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}},
        ],
    },
}


def test_logs_that_a_pod_can_have() -> None:
    assert list(logs.containers(POD)) == [("wait", False), ("cart", True), ("cart", False)]


def log_rows(text: str) -> list[dict[str, str]]:
    found = [logs.row(line, "cart", logs.resource_of(POD, "cart", False)) for line in text.splitlines()]
    return [dict(zip(logs.COLUMNS, map(str, row), strict=True)) for row in found]


def test_a_structured_line_gives_its_trace() -> None:
    line = {"message": "kept", "severity": "warn", "trace_id": "ab" * 16, "span_id": "cd" * 8, "order": 5}
    (row,) = log_rows(f"2026-11-21T12:01:00.123456789Z {json.dumps(line)}\n")
    assert row["Timestamp"] == "2026-11-21T12:01:00.123456789Z"
    assert (row["TraceId"], row["SpanId"], row["Body"]) == ("ab" * 16, "cd" * 8, "kept")
    assert (row["SeverityText"], row["SeverityNumber"], row["ServiceName"]) == ("WARN", "13", "cart")
    assert json.loads(row["LogAttributes"]) == {"order": "5"}
    assert json.loads(row["ResourceAttributes"])["k8s.pod.name"] == "cart-1"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("plain words", "plain words"),
        ('{"half": ', '{"half": '),
        ('{"no": "message"}', '{"no": "message"}'),
        ("", ""),
        ("a\\b\tc", "a\\\\b\\tc"),
    ],
)
def test_other_lines_are_kept_as_they_are(text: str, body: str) -> None:
    (row,) = log_rows(f"2026-11-21T12:01:00Z {text}\n")
    assert row["Body"] == body


def test_an_empty_trace_id_is_none() -> None:
    (row,) = log_rows(f'2026-11-21T12:01:00Z {{"message": "x", "trace_id": "{"0" * 32}"}}\n')
    assert row["TraceId"] == ""


# -- traces -------------------------------------------------------------------------------------------


def span(identity: str, service: str, parent: str = "", at_seconds: float = 60, **more: Any) -> Span:
    fields: dict[str, Any] = {
        "trace_id": "t1",
        "span_id": identity,
        "parent_span_id": parent,
        "trace_state": "",
        "service": service,
        "name": "GET /",
        "kind": SpanKind.SERVER,
        "start_ns": traces.nanoseconds(START) + int(at_seconds * 1e9) + 7,
        "duration_ns": 1_234_567,
        "status_code": StatusCode.UNSET,
        "status_message": "",
        "attributes": {},
        "resource_attributes": {"service.name": service, "k8s.namespace.name": "shop"},
        "scope_name": "shop",
        "scope_version": "",
    }
    return Span(**{**fields, **more})


def trace(*spans: Span, raw: dict[str, Any] | None = None) -> Trace:
    return Trace("t1", spans, raw or {})


def span_rows(*found: Trace) -> list[dict[str, str]]:
    return [dict(zip(traces.COLUMNS, map(str, row), strict=True)) for row in traces.rows(found, REQUEST)]


def test_a_span_keeps_its_nanoseconds() -> None:
    failed = span(
        "b", "cart", "a", status_code=StatusCode.ERROR, status_message="no\nanswer", attributes={"n": 1}
    )
    (row,) = span_rows(trace(failed))
    assert row["Timestamp"] == "2026-11-21T12:01:00.500000007Z"
    assert (row["Duration"], row["SpanKind"], row["StatusCode"]) == ("1234567", "Server", "Error")
    assert (row["ParentSpanId"], row["StatusMessage"]) == ("a", "no\\nanswer")
    assert json.loads(row["SpanAttributes"]) == {"n": "1"}


def test_events_and_links_come_from_the_wire_form() -> None:
    raw = {
        "spanId": "a",
        "events": [
            {
                "timeUnixNano": "1795262460000000001",
                "name": "exception",
                "attributes": [{"key": "exception.type", "value": {"stringValue": "Refused"}}],
            }
        ],
        "links": [{"traceId": "t0", "spanId": "z"}],
    }
    (row,) = span_rows(trace(span("a", "cart"), raw={"resourceSpans": [{"scopeSpans": [{"spans": [raw]}]}]}))
    assert json.loads(row["Events.Name"]) == ["exception"]
    assert json.loads(row["Events.Attributes"]) == [{"exception.type": "Refused"}]
    assert json.loads(row["Links.TraceId"]) == ["t0"]


@pytest.mark.parametrize(
    "left_out",
    [
        span("a", "cart", at_seconds=-1),
        span("a", "cart", at_seconds=241),
        span("a", "cart", attributes={"url": "http://gateway.reprise-system/"}),
    ],
    ids=["before the window", "after it", "names what is hidden"],
)
def test_spans_left_out(left_out: Span) -> None:
    assert span_rows(trace(left_out)) == []


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([span("a", "cart")], True),
        ([span("a", "x", resource_attributes={"k8s.namespace.name": "other"})], False),
        ([span("a", "jaeger", resource_attributes={})], False),
        ([span("a", "cart", resource_attributes={})], True),
        ([span("a", "x", resource_attributes={"k8s.namespace.name": "other"}), span("b", "cart", "a")], True),
    ],
    ids=["ours", "another namespace's", "the backend's own", "no namespace known", "touches ours"],
)
def test_which_traces_belong(spans: list[Span], expected: bool) -> None:
    assert traces.belongs(trace(*spans), "shop") is expected


class Slices:
    """Jaeger with one trace over a slice's edge, and, if asked to, a storage that insists on a service."""

    def __init__(self, insists: bool) -> None:
        self.insists = insists
        self.asked: list[tuple[str, float, float]] = []

    async def services(self) -> list[str]:
        return ["cart", "frontend"]

    async def traces(self, service: str, start: float, end: float) -> list[Trace]:
        if self.insists and not service:
            raise traces.errors.InvalidInput("service is required")
        self.asked.append((service, start, end))
        at = START.timestamp()
        first = [trace(span("a", "frontend", at_seconds=9), span("b", "cart", "a", at_seconds=11))]
        return first if start < at + 20 else []


@pytest.mark.parametrize("insists", [False, True])
async def test_every_slice_is_asked_for_and_every_trace_comes_once(insists: bool) -> None:
    source = Slices(insists)
    batches = [batch async for batch in traces.read(source, REQUEST)]  # type: ignore[arg-type]
    assert [found.trace.trace_id for batch in batches for found in batch.found] == ["t1"]
    edges = [(start, end) for service, start, end in source.asked if service in ("", "cart")]
    assert edges[0][0] == REQUEST.view.window_start.timestamp()
    assert edges[-1][1] == END.timestamp()
    assert all(one[1] == two[0] for one, two in itertools.pairwise(edges))


# -- metrics and alerts -------------------------------------------------------------------------------


def test_metric_rows() -> None:
    series = prometheus.Series(
        {
            "__name__": "traces_span_metrics_duration_milliseconds_bucket",
            "service_name": "cart",
            "le": "250",
            "status_code": "STATUS_CODE_ERROR",
            "namespace": "shop",
            "span_name": "GET /",
        },
        ((1795262460.5, 3.0), (1795262465.5, float("nan"))),
    )
    first, second = metrics.service_rows([series], REQUEST, "cart")
    row = dict(zip(metrics.SERVICE_COLUMNS, map(str, first), strict=True))
    assert row["value"] == "3"
    assert row["bucket_le"] == "250"
    assert row["status_code"] == "STATUS_CODE_ERROR"
    assert json.loads(row["tags"]) == {"namespace": "shop", "span_name": "GET /"}
    assert row["timestamp"].endswith(".500000000Z")
    assert second[2] == "NaN"


@pytest.mark.parametrize(
    ("value", "text"), [(1.5, "1.5"), (float("inf"), "+Inf"), (-2.0, "-2"), (1e300, "1e+300")]
)
def test_values_read_back(value: float, text: str) -> None:
    series = prometheus.Series({"__name__": "m", "pod": "p"}, ((1795262460.0, value),))
    ((_, _, found, pod, _, _),) = metrics.pod_rows([series], REQUEST, "p")
    assert (found, pod) == (text, "p")
    assert float(found) == value


@pytest.mark.parametrize("labels", [{"namespace": "other"}, {"namespace": "shop", "job": "reprise"}])
def test_series_of_others_are_left_out(labels: dict[str, str]) -> None:
    series = prometheus.Series({"__name__": "m", **labels}, ((0.0, 1.0),))
    assert list(metrics.pod_rows([series], REQUEST, "p")) == []


def test_selectors_quote() -> None:
    assert metrics.pod_selector("shop", 'a"b') == '{namespace="shop",pod="a\\"b"}'


def test_alert_file_name_has_the_time_in_it() -> None:
    assert alerts.file_name(END) == "alerts/alerts_at_2026-11-21T12-04-00.500000.json"


def test_an_alert_that_fired_and_ended_is_resolved() -> None:
    span = prometheus.AlertSpan(
        "A", prometheus.AlertState.FIRING, {"alertname": "A"}, START, START, END, False
    )
    assert alerts.stretch(span)["state"] == "resolved"
    assert alerts.stretch(span)["endedAt"] == "2026-11-21T12:04:00.500000Z"


def test_alerts_of_other_namespaces_and_of_ours_are_left_out() -> None:
    found = alerts.visible(
        [
            {"labels": {"alertname": "B", "namespace": "shop"}},
            {"labels": {"alertname": "A"}},
            {"labels": {"alertname": "C", "namespace": "other"}},
            {"labels": {"alertname": "D", "job": "reprise-operator"}},
        ],
        REQUEST,
    )
    assert [one["labels"]["alertname"] for one in found] == ["A", "B"]


# -- topology -----------------------------------------------------------------------------------------


def ui_span(identity: str, service: str, parent: str = "", **more: Any) -> dict[str, Any]:
    reference = {"refType": "CHILD_OF", "traceID": "t1", "spanID": parent}
    made = {
        "traceID": "t1",
        "spanID": identity,
        "operationName": "GET /",
        "references": [reference] if parent else [],
        "startTime": 1,
        "duration": 1,
        "tags": [],
        "processID": service,
    }
    return {**made, **more}


def ui_trace(*spans: dict[str, Any]) -> dict[str, Any]:
    names = {one["processID"] for one in spans}
    return {
        "traceID": "t1",
        "spans": list(spans),
        "processes": {name: {"serviceName": name} for name in names},
    }


@pytest.mark.parametrize("order", [1, -1])
def test_quantiles_do_not_hang_on_the_order(order: int) -> None:
    called = calls.Calls()
    for micros in range(1000, 1_001_000, 1000)[::order]:
        called.add(ui_trace(ui_span("a", "frontend"), ui_span("b", "cart", "a", duration=micros)))
    found = called.edge(calls.Pair("frontend", "cart"))
    assert found["p50_ms"] == pytest.approx(500, rel=0.01)
    assert found["p95_ms"] == pytest.approx(950, rel=0.01)
    assert (found["count"], found["failed"], found["error_rate"]) == (1000, 0, 0.0)


@pytest.mark.parametrize(
    ("child", "expected"),
    [
        (ui_span("b", "frontend", "a"), 0),
        (ui_span("b", "cart", "unknown"), 0),
        (ui_span("b", "cart", "a"), 1),
        (
            ui_span("b", "cart", references=[{"refType": "FOLLOWS_FROM", "traceID": "t1", "spanID": "a"}]),
            0,
        ),
    ],
    ids=["the same service", "a parent that is not there", "another service", "a link"],
)
def test_which_spans_are_calls(child: dict[str, Any], expected: int) -> None:
    called = calls.Calls()
    called.add(ui_trace(ui_span("a", "frontend"), child))
    assert called.total.total() == expected


def test_topology_relations() -> None:
    labels = {"app": "cart"}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": "shop",
            "containers": [
                {
                    "name": "c",
                    "env": [{"name": "VALKEY_ADDR", "value": "valkey-cart:6379"}],
                    "volumeMounts": [
                        {"name": "v", "mountPath": "/etc/cart"},
                        {"name": "d", "mountPath": "/d"},
                    ],
                }
            ],
            "volumes": [
                {"name": "v", "configMap": {"name": "settings"}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
            ],
        },
    }

    def obj(kind: str, name: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": name, "namespace": "shop", **more.pop("meta", {})}, **more}

    owned = {"ownerReferences": [{"kind": "Deployment", "name": "cart"}]}
    called = calls.Calls()
    failed = [{"key": "error", "type": "bool", "value": True}]
    called.add(
        ui_trace(
            ui_span("a", "frontend"),
            ui_span("b", "cart", "a", duration=20_000, tags=failed),
            ui_span("c", "cart", "b"),
        )
    )
    graph = topology.build(
        [
            obj("Deployment", "cart", spec={"template": template}),
            obj("ReplicaSet", "cart-1", meta=owned, spec={"template": template}),
            obj("Pod", "cart-1-x", meta={"labels": labels}, spec={"nodeName": "n1"}),
            obj("Service", "cart", spec={"selector": labels}),
            obj("Service", "valkey-cart", spec={"selector": {"app": "valkey"}}),
            obj("ServiceAccount", "shop"),
            obj("ConfigMap", "settings"),
            obj("ResourceQuota", "compute"),
            obj("NetworkPolicy", "deny", spec={"podSelector": {"matchLabels": labels}}),
            obj("PersistentVolumeClaim", "data", spec={"volumeName": "pv1", "storageClassName": "fast"}),
            obj(
                "HorizontalPodAutoscaler",
                "cart",
                spec={"scaleTargetRef": {"kind": "Deployment", "name": "cart"}},
            ),
            obj("Event", "cart.1"),
            obj("ConfigMap", "theirs", meta={"namespace": "other"}),
            {"kind": "PersistentVolume", "metadata": {"name": "pv1"}, "spec": {"storageClassName": "fast"}},
            {"kind": "StorageClass", "metadata": {"name": "fast"}},
            {"kind": "Namespace", "metadata": {"name": "other"}},
            {"kind": "Node", "metadata": {"name": "n1"}},
        ],
        called,
        "shop",
    )
    edges = {(e["source"], e["relation"], e["target"]): e.get("meta") for e in graph["edges"]}
    for expected in (
        ("Namespace/shop", "contains", "Deployment/cart"),
        ("Deployment/cart", "contains", "ReplicaSet/cart-1"),
        ("Node/n1", "contains", "Pod/cart-1-x"),
        ("Service/cart", "contains", "Pod/cart-1-x"),
        ("Deployment/cart", "depends_on", "ConfigMap/settings"),
        ("Deployment/cart", "depends_on", "ServiceAccount/shop"),
        ("Deployment/cart", "depends_on", "Service/valkey-cart"),
        ("Deployment/cart", "depends_on", "NetworkPolicy/deny"),
        ("Deployment/cart", "depends_on", "ResourceQuota/compute"),
        ("Deployment/cart", "depends_on", "HorizontalPodAutoscaler/cart"),
        ("HorizontalPodAutoscaler/cart", "depends_on", "Deployment/cart"),
        ("PersistentVolumeClaim/data", "depends_on", "PersistentVolume/pv1"),
        ("PersistentVolumeClaim/data", "depends_on", "StorageClass/fast"),
        ("PersistentVolume/pv1", "depends_on", "StorageClass/fast"),
        ("App/cart", "is_alias", "Service/cart"),
    ):
        assert expected in edges
    made = edges["App/frontend", "calls", "Service/cart"]
    assert made is not None
    assert {key: made[key] for key in ("count", "failed", "error_rate")} == {
        "count": 1,
        "failed": 1,
        "error_rate": 1.0,
    }
    assert made["p50_ms"] == made["p95_ms"] == pytest.approx(20, rel=0.01)
    assert ("App/cart", "calls", "Service/cart") not in edges, "a call within a service is none"
    assert edges["Deployment/cart", "depends_on", "ConfigMap/settings"] == {
        "volume": "v",
        "mounts": ["c:/etc/cart"],
    }
    assert edges["Deployment/cart", "depends_on", "PersistentVolumeClaim/data"] == {
        "volume": "d",
        "mounts": ["c:/d"],
    }
    ids = {node["id"] for node in graph["nodes"]}
    assert not ids & {"Event/cart.1", "ConfigMap/theirs", "Namespace/other"}
    assert all({e["source"], e["target"]} <= ids for e in graph["edges"])
    assert {e["relation"] for e in graph["edges"]} <= {"contains", "depends_on", "calls", "is_alias"}
