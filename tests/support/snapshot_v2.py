"""A small snapshot of schema version 2, made up: a shop with a pod that crashes, half an hour long."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.snapshot_v2 import Builder
from tests.support import snapshot_api

Json = dict[str, Any]
ID = "0123456789abcdef"
NAMESPACE = "otel-demo"
BASELINE = dt.datetime(2026, 1, 2, 12, 0, tzinfo=dt.UTC)
INJECTED = BASELINE + dt.timedelta(minutes=20)
SYMPTOM = BASELINE + dt.timedelta(minutes=22)
RECORDED = BASELINE + dt.timedelta(minutes=30)
LOG_LINES = 600
SCRAPE_SECONDS = 5
_COLUMNS = {
    "pods": (
        "Name", "Ready", "Status", "Restarts", "Age", "IP*", "Node*", "Nominated Node*", "Readiness Gates*",
    ),
    "events": ("Last Seen", "Type", "Reason", "Object", "Message"),
    "": ("Name", "Age"),
}  # fmt: skip


def text(time: dt.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def at(seconds: float) -> dt.datetime:
    """That many seconds after the beginning."""
    return BASELINE + dt.timedelta(seconds=seconds)


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# -- objects ----------------------------------------------------------------------------------------


def meta(name: str, namespace: str = NAMESPACE, revision: int = 100, **labels: str) -> Json:
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": f"{namespace}-{name}",
        "resourceVersion": str(revision),
        "creationTimestamp": text(at(-3600)),
        **({"labels": labels} if labels else {}),
    }


def pod(
    name: str,
    containers: Mapping[str, Json],
    *,
    namespace: str = NAMESPACE,
    node: str = "worker-1",
    phase: str = "Running",
    revision: int = 100,
    **labels: str,
) -> Json:
    """`containers` maps names to their status (`state`, `lastState`, …)."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(name, namespace, revision, **labels),
        "spec": {
            "containers": [{"name": one, "image": f"example/{one}:1", "resources": {}} for one in containers],
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            **({"nodeName": node} if node else {}),
        },
        "status": {
            "phase": phase,
            "podIPs": [{"ip": "10.0.0.7"}],
            "podIP": "10.0.0.7",
            "containerStatuses": [
                {"name": one, "image": f"example/{one}:1", "restartCount": 0, "ready": True, **status}
                for one, status in containers.items()
                if node
            ],
        },
    }


RUNNING: Json = {"state": {"running": {"startedAt": text(at(-3500))}}, "containerID": "containerd://aaa"}
CRASHING: Json = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://bbb"}},
    "ready": False,
}
UNPULLED: Json = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "ready": False}

CART = pod("cart-1", {"cart": RUNNING}, app="cart", tier="backend")
CHECKOUT = pod("checkout-1", {"checkout": RUNNING, "sidecar": RUNNING}, app="checkout", tier="backend")
QUOTE = pod("quote-1", {"quote": RUNNING}, app="quote")
AD = pod("ad-1", {"ad": CRASHING}, revision=210, app="ad")
CART_RELABELLED = pod("cart-1", {"cart": RUNNING}, revision=220, app="cart")
EMAIL = pod("email-1", {"email": UNPULLED}, phase="Pending", revision=205, app="email")
SHIPPING = pod("shipping-1", {"shipping": {}}, node="", phase="Pending", revision=206, app="shipping")
DNS = pod("coredns-1", {"coredns": RUNNING}, namespace="kube-system", app="dns")


def pod_cells(obj: Json) -> list[Any]:
    status = obj["status"]
    reason = next(
        (
            one["state"]["waiting"]["reason"]
            for one in status["containerStatuses"]
            if "waiting" in one.get("state", {})
        ),
        status["phase"],
    )
    node = obj["spec"].get("nodeName", "<none>")
    name = obj["metadata"]["name"]
    return [name, "1/1", reason, 0, "90m", status["podIP"], node, "<none>", "<none>"]


def event(name: str, about: Json, reason: str, seconds: float, kind: str = "Warning") -> tuple[Json, Json]:
    """The same Event as v1 and as events.k8s.io/v1."""
    target = {
        "kind": about["kind"],
        "namespace": about["metadata"].get("namespace", ""),
        "name": about["metadata"]["name"],
        "uid": about["metadata"]["uid"],
        "apiVersion": about["apiVersion"],
    }
    time = text(at(seconds))
    common = {"metadata": meta(name, revision=230), "reason": reason, "type": kind}
    old = {
        "apiVersion": "v1",
        "kind": "Event",
        **common,
        "involvedObject": target,
        "message": f"it is {reason}",
        "source": {"component": "kubelet"},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 3,
        "reportingComponent": "kubelet",
    }
    new = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        **common,
        "regarding": target,
        "note": f"it is {reason}",
        "reportingController": "kubelet",
        "deprecatedFirstTimestamp": time,
        "deprecatedLastTimestamp": time,
        "deprecatedCount": 3,
        "eventTime": None,
    }
    return old, new


def event_cells(obj: Json) -> list[Any]:
    about = obj.get("involvedObject") or obj["regarding"]
    return ["5m", obj["type"], obj["reason"], f"pod/{about['name']}", obj.get("message") or obj["note"]]


def plain_cells(obj: Json) -> list[Any]:
    return [obj["metadata"]["name"], "90m"]


def simple(api_version: str, kind: str, name: str, namespace: str = NAMESPACE, **more: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": meta(name, namespace), **more}


def columns(plural: str) -> list[Json]:
    return [
        {
            "name": name.rstrip("*"),
            "type": "string",
            "format": "name" if name == "Name" else "",
            "description": name,
            "priority": int(name.endswith("*")),
        }
        for name in _COLUMNS.get(plural, _COLUMNS[""])
    ]


def objects() -> dict[tuple[str, str], list[Json]]:
    """(group, plural) -> the objects at the end of the recording."""
    events = [
        event("ad-1.a", AD, "BackOff", 1500),
        event("cart-1.b", CART, "Started", 600, "Normal"),
    ]
    usage, room = {"cpu": "12m", "memory": "34Mi"}, {"cpu": "4", "memory": "8Gi"}
    deployment = {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "cart"}},
            "template": {"metadata": {"labels": {"app": "cart"}}, "spec": CART["spec"]},
        },
        "status": {"replicas": 1, "readyReplicas": 1},
    }
    return {
        ("", "namespaces"): [
            {**simple("v1", "Namespace", name, ""), "status": {"phase": "Active"}}
            for name in ("default", "kube-system", NAMESPACE)
        ],
        ("", "nodes"): [
            simple("v1", "Node", "worker-1", "", spec={}, status={"capacity": room, "allocatable": room})
        ],
        # In the order of a server's list.
        ("", "pods"): [DNS, AD, CART_RELABELLED, CHECKOUT, EMAIL, SHIPPING],
        ("", "services"): [simple("v1", "Service", "cart", spec={"type": "ClusterIP"}, status={})],
        ("", "events"): [old for old, _ in events],
        ("events.k8s.io", "events"): [new for _, new in events],
        ("apps", "deployments"): [simple("apps/v1", "Deployment", "cart", **deployment)],
        ("metrics.k8s.io", "pods"): [
            simple(
                "metrics.k8s.io/v1beta1",
                "PodMetrics",
                "cart-1",
                timestamp=text(RECORDED),
                window="15s",
                containers=[{"name": "cart", "usage": usage}],
            )
        ],
        ("metrics.k8s.io", "nodes"): [
            simple(
                "metrics.k8s.io/v1beta1",
                "NodeMetrics",
                "worker-1",
                "",
                timestamp=text(RECORDED),
                window="15s",
                usage=usage,
            )
        ],
    }


def pod_history() -> list[tuple[str, float, int, Json]]:
    """(type, seconds, resourceVersion, object), the base first."""
    base = [("BASE", 0.0, 100, obj) for obj in (DNS, CART, CHECKOUT, QUOTE)]
    return [
        *base,
        ("ADDED", 1200, 205, EMAIL),
        ("ADDED", 1201, 206, SHIPPING),
        ("ADDED", 1210, 210, AD),
        ("MODIFIED", 1380, 220, CART_RELABELLED),
        ("DELETED", 1500, 230, {**QUOTE, "metadata": {**QUOTE["metadata"], "resourceVersion": "230"}}),
    ]


# -- telemetry --------------------------------------------------------------------------------------


def log_lines(container: str, count: int = LOG_LINES) -> list[str]:
    """One every three seconds from the beginning on."""
    return [
        f"{text(at(3 * n)).removesuffix('Z')}.000000{n % 1000:03d}Z {container} says {n}"
        for n in range(count)
    ]


def series() -> list[Json]:
    """`up` of two jobs, of which one ends with a staleness marker at 1,300 s; an alert from 1,320 s on."""
    end = int((RECORDED - BASELINE).total_seconds())

    def one(labels: Json, begin: int, stop: int, value: str, stale: bool = False) -> Json:
        count = (stop - begin) // SCRAPE_SECONDS
        first = int(at(begin).timestamp() * 1000)
        values = [value] * count
        if stale:
            values[-1] = "stale"
        return {
            "metric": dict(sorted(labels.items())),
            "t": [first, *[SCRAPE_SECONDS * 1000] * (count - 1)],
            "v": values,
        }

    return sorted(
        [
            one({"__name__": "up", "job": "cart", "namespace": NAMESPACE}, 0, end, "1"),
            one({"__name__": "up", "job": "quote", "namespace": NAMESPACE}, 0, 1300, "1", stale=True),
            one({"__name__": "latency_seconds", "job": "cart", "le": "+Inf"}, 0, end, "NaN"),
            one(
                {"__name__": "ALERTS", "alertname": "AdDown", "alertstate": "firing", "namespace": NAMESPACE},
                1320,
                end,
                "1",
            ),
            one(
                {"__name__": "ALERTS_FOR_STATE", "alertname": "AdDown", "namespace": NAMESPACE},
                1320,
                end,
                str(int(at(1320).timestamp())),
            ),
        ],
        key=lambda row: sorted(row["metric"].items()),
    )


def rules() -> Json:
    alert = {
        "labels": {"alertname": "AdDown", "namespace": NAMESPACE},
        "annotations": {"summary": "ad is down"},
        "state": "firing",
        "activeAt": text(at(1320)),
        "value": "1e+00",
    }
    rule = {
        "state": "firing",
        "name": "AdDown",
        "query": "up == 0",
        "duration": 0,
        "labels": {},
        "annotations": {},
        "alerts": [alert],
        "health": "ok",
        "type": "alerting",
    }
    return {"groups": [{"name": "shop", "file": "shop.yaml", "interval": 5, "rules": [rule]}]}


def span(
    trace: str,
    number: int,
    process: str,
    operation: str,
    start_us: int,
    duration_us: int,
    kind: str,
    parent: int | None = None,
    tags: Sequence[tuple[str, Any]] = (),
    logs: Sequence[tuple[str, Any]] = (),
) -> Json:
    names = {bool: "bool", int: "int64", float: "float64", str: "string"}
    refs = [{"refType": "CHILD_OF", "traceID": trace, "spanID": f"{parent:016x}"}] if parent else []
    every = [("span.kind", kind), *tags]
    return {
        "traceID": trace,
        "spanID": f"{number:016x}",
        "operationName": operation,
        "references": refs,
        "startTime": start_us,
        "duration": duration_us,
        "tags": [{"key": key, "type": names[type(value)], "value": value} for key, value in every],
        "logs": [
            {
                "timestamp": start_us,
                "fields": [{"key": key, "type": names[type(value)], "value": value} for key, value in logs],
            }
        ]
        if logs
        else [],
        "processID": process,
        "warnings": None,
    }


def trace(number: int, seconds: float, millis: int, *, failed: bool = False) -> Json:
    """frontend calls cart. The call takes half as long."""
    begin = int(at(seconds).timestamp() * 1_000_000)
    identity = f"{number:032x}"
    code = 500 if failed else 200
    status = [("error", True), ("otel.status_code", "ERROR")] if failed else [("otel.status_code", "OK")]
    return {
        "traceID": identity,
        "spans": [
            span(identity, 1, "p1", "GET /", begin, millis * 1000, "server", tags=[("http.code", code)]),
            span(
                identity,
                2,
                "p2",
                "GetCart",
                begin + 1000,
                millis * 500,
                "server",
                1,
                tags=[("user.vip", True), ("load", 0.5), ("count", 3.0), *status],
                logs=[("event", "exception"), ("exception.type", "Timeout")],
            ),
        ],
        "processes": {
            "p1": {
                "serviceName": "frontend",
                "tags": [{"key": "host.name", "type": "string", "value": "a"}],
            },
            "p2": {"serviceName": "cart", "tags": [{"key": "host.name", "type": "string", "value": "b"}]},
        },
        "warnings": None,
    }


def traces() -> list[Json]:
    """Five, a minute apart, the last one failed; 10 ms, 20 ms … 50 ms long."""
    return [trace(n, 60 * n, 10 * n, failed=n == 5) for n in range(1, 6)]


# -- files ------------------------------------------------------------------------------------------


def _cells(plural: str, obj: Json) -> list[Any]:
    return {"pods": pod_cells, "events": event_cells}.get(plural, plain_cells)(obj)


def build(root: Path) -> Path:
    """Write the snapshot into the folder `root`; returns it."""
    out = Builder(root)
    snapshot_api.write(out)
    here = objects()
    for group, version, plural, kind, namespaced, _ in snapshot_api.KINDS:
        has_table = group != "metrics.k8s.io"
        name = f"{group or 'core'}~{version}~{plural}.jsonl"
        head = {
            "apiVersion": f"{group}/{version}" if group else version,
            "kind": f"{kind}List",
            "itemKind": kind,
            "plural": plural,
            "namespaced": namespaced,
            "verbs": snapshot_api.READS,
            "resourceVersion": "300" if has_table else "",
            "columnDefinitions": columns(plural) if has_table else None,
        }
        found = here.get((group, plural), [])
        out.lines(
            f"objects/{name}",
            [
                head,
                *({"cells": _cells(plural, obj) if has_table else None, "object": obj} for obj in found),
            ],
        )
    changes = [
        {
            "type": kind,
            "time": text(at(seconds)),
            "resourceVersion": str(revision),
            "cells": pod_cells(obj),
            "object": obj,
        }
        for kind, seconds, revision, obj in pod_history()
    ]
    out.lines("history/core~v1~pods.jsonl", changes)
    out.lines("logs/otel-demo/cart-1/cart.log", log_lines("cart"))
    out.lines("logs/otel-demo/checkout-1/checkout.log", log_lines("checkout", 10))
    out.lines("logs/otel-demo/checkout-1/sidecar.log", log_lines("sidecar", 10))
    out.lines("logs/otel-demo/ad-1/ad.log", log_lines("ad", 3))
    out.lines("logs/otel-demo/ad-1/ad.previous.log", log_lines("old ad", 3))
    out.lines("metrics/series.jsonl", series())
    out.json("metrics/metadata.json", {"up": [{"type": "gauge", "help": "is up", "unit": ""}]})
    out.json("alerts/rules.json", rules())
    out.json("alerts/history.json", [])
    _traces(out)
    out.json("topology.json", {"nodes": [], "edges": []})
    for table in ("k8s_events_raw", "k8s_objects_raw", "otel_logs_raw", "otel_traces_raw"):
        out.text(f"{table}.tsv", "Timestamp\n")
    times = {"baselineAt": BASELINE, "injectedAt": INJECTED, "symptomAt": SYMPTOM, "recordedAt": RECORDED}
    timeline = {name: text(time) for name, time in times.items()}
    return out.finish(id=ID, namespace=NAMESPACE, timeline=timeline, versions={}, settings={})


def quoted(value: object) -> str:
    """JSON as a cell of a table that the recorder writes: see docs/snapshot-format.md, Tables."""
    return '"' + dump(value).replace('"', '""') + '"'


def _traces(out: Builder) -> None:
    rows, lines, offset = [], [], 0
    for one in traces():
        line = dump(one)
        spans = one["spans"]
        begin = min(each["startTime"] for each in spans)
        end = max(each["startTime"] + each["duration"] for each in spans)
        pairs = [["frontend", "GET /", "server"], ["cart", "GetCart", "server"]]
        size = len(line.encode())
        rows.append(
            "\t".join(map(str, (one["traceID"], begin, end, offset, size, len(spans), quoted(pairs))))
        )
        lines.append(line)
        offset += size + 1
    out.lines("traces/traces.jsonl", lines)
    out.lines("traces/index.tsv", ["trace_id\tstart_us\tend_us\toffset\tbytes\tspans\tpairs", *rows])
    services = {
        "services": ["frontend", "cart"],
        "operations": {"frontend": ["GET /"], "cart": ["GetCart"]},
        "kinds": {
            "frontend": [{"name": "GET /", "spanKind": "server"}],
            "cart": [{"name": "GetCart", "spanKind": "server"}],
        },
        "dependencies": [{"parent": "frontend", "child": "cart", "callCount": 5}],
    }
    out.json("traces/services.json", services)
