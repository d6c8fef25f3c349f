"""Each signal: what becomes a row, and what must not."""

import datetime as dt
import itertools
import json
from typing import Any

import pytest

from reprise.adapters import prometheus
from reprise.adapters.jaeger import Span, SpanKind, StatusCode, Trace
from reprise.domain import topology
from reprise.snapshot import alerts, events, logs, metrics, traces
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


def test_events_of_the_window_oldest_first() -> None:
    found = events.select(
        [
            event("late", "2026-11-21T12:03:00Z"),
            event("first second", "2026-11-21T12:00:00Z"),
            event("before", "2026-11-21T11:59:59Z"),
            event("after", "2026-11-21T12:05:00Z"),
            event("names us", "2026-11-21T12:01:00Z", "patched by reprise"),
            event("hidden namespace", "2026-11-21T12:01:00Z", namespace="reprise-system"),
        ],
        REQUEST,
    )
    assert [one["metadata"]["name"] for one in found] == ["first second", "late"]
    assert "managedFields" not in found[0]["metadata"]


def test_an_event_row_has_the_shape_that_readers_parse() -> None:
    ((timestamp, body),) = events.rows(events.select([event("e", "2026-11-21T12:03:00Z")], REQUEST))
    assert timestamp == "2026-11-21T12:03:00.000000Z"
    parsed = json.loads(str(body))
    assert parsed["type"] == "MODIFIED"
    assert parsed["object"]["involvedObject"]["name"] == "cart-1"


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
    found = logs.rows(logs.Stream(POD, "cart", False, text), REQUEST)
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


def test_lines_after_the_window_or_naming_us_are_left_out() -> None:
    assert log_rows("2026-11-21T12:05:00Z late\n2026-11-21T12:01:00Z asked by reprise\n") == []


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
    assert [found.trace_id for batch in batches for found in batch] == ["t1"]
    edges = [(start, end) for service, start, end in source.asked if service in ("", "cart")]
    assert edges[0][0] == START.timestamp()
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


def test_topology_relations() -> None:
    labels = {"app": "cart"}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": "shop",
            "containers": [{"name": "c", "env": [{"name": "VALKEY_ADDR", "value": "valkey-cart:6379"}]}],
            "volumes": [{"name": "v", "configMap": {"name": "settings"}}],
        },
    }

    def obj(kind: str, name: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": name, "namespace": "shop", **more.pop("meta", {})}, **more}

    owned = {"ownerReferences": [{"kind": "Deployment", "name": "cart"}]}
    calls = traces.Calls()
    calls.add(
        [
            trace(
                span("a", "frontend"),
                span("b", "cart", "a", status_code=StatusCode.ERROR),
                span("c", "cart", "b"),
            )
        ]
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
            {"kind": "Node", "metadata": {"name": "n1"}},
        ],
        calls,
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
        ("App/cart", "is_alias", "Service/cart"),
    ):
        assert expected in edges
    assert edges["App/frontend", "calls", "Service/cart"] == {"count": 1, "failed": 1}
    assert ("App/cart", "calls", "Service/cart") not in edges, "a call within a service is none"
    ids = {node["id"] for node in graph["nodes"]}
    assert all({e["source"], e["target"]} <= ids for e in graph["edges"])
    assert {e["relation"] for e in graph["edges"]} <= {"contains", "depends_on", "calls", "is_alias"}
