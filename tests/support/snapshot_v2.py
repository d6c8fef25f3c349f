"""A small snapshot of schema version 2, made up: a shop with a pod that crashes, half an hour long."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ID = "0123456789abcdef"
NAMESPACE = "otel-demo"
BASELINE = dt.datetime(2026, 1, 2, 12, 0, tzinfo=dt.UTC)
INJECTED = BASELINE + dt.timedelta(minutes=20)
SYMPTOM = BASELINE + dt.timedelta(minutes=22)
RECORDED = BASELINE + dt.timedelta(minutes=30)
LOG_LINES = 600
SCRAPE_SECONDS = 5
_READS = ["get", "list", "watch"]
_COLUMNS = {
    "pods": (
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
        "IP*",
        "Node*",
        "Nominated Node*",
        "Readiness Gates*",
    ),
    "events": ("Last Seen", "Type", "Reason", "Object", "Message"),
    "": ("Name", "Age"),
}


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


# (group, version, plural, kind, namespaced, short name)
KINDS = (
    ("", "v1", "configmaps", "ConfigMap", True, "cm"),
    ("", "v1", "events", "Event", True, "ev"),
    ("", "v1", "namespaces", "Namespace", False, "ns"),
    ("", "v1", "nodes", "Node", False, "no"),
    ("", "v1", "pods", "Pod", True, "po"),
    ("", "v1", "services", "Service", True, "svc"),
    ("apps", "v1", "deployments", "Deployment", True, "deploy"),
    ("apps", "v1", "replicasets", "ReplicaSet", True, "rs"),
    ("batch", "v1", "jobs", "Job", True, "job"),
    ("coordination.k8s.io", "v1", "leases", "Lease", True, "lease"),
    ("events.k8s.io", "v1", "events", "Event", True, "ev"),
    ("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", False, ""),
    ("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True, ""),
)


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


class _Writer:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.files: list[Json] = []

    def write(self, name: str, data: str) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = data.encode()
        path.write_bytes(encoded)
        has_head = name.endswith(".tsv") or name.startswith("objects/")
        rows = encoded.count(b"\n") - has_head
        self.files.append(
            {
                "path": name,
                "sha256": hashlib.sha256(encoded).hexdigest(),
                "bytes": len(encoded),
                "rows": rows,
            }
        )

    def lines(self, name: str, values: Iterable[Any]) -> None:
        self.write(name, "".join(f"{value if isinstance(value, str) else dump(value)}\n" for value in values))


def _cells(plural: str, obj: Json) -> list[Any]:
    return {"pods": pod_cells, "events": event_cells}.get(plural, plain_cells)(obj)


def build(root: Path) -> Path:
    """Write the snapshot into the folder `root`; returns it."""
    out = _Writer(root)
    _api(out)
    here = objects()
    for group, version, plural, kind, namespaced, _ in KINDS:
        has_table = group != "metrics.k8s.io"
        name = f"{group or 'core'}~{version}~{plural}.jsonl"
        head = {
            "apiVersion": f"{group}/{version}" if group else version,
            "kind": f"{kind}List",
            "itemKind": kind,
            "plural": plural,
            "namespaced": namespaced,
            "verbs": _READS,
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
    out.write("metrics/metadata.json", dump({"up": [{"type": "gauge", "help": "is up", "unit": ""}]}) + "\n")
    out.write("alerts/rules.json", dump(rules()) + "\n")
    out.write("alerts/history.json", "[]\n")
    _traces(out)
    out.write("topology.json", dump({"nodes": [], "edges": []}) + "\n")
    for table in ("k8s_events_raw", "k8s_objects_raw", "otel_logs_raw", "otel_traces_raw"):
        out.write(f"{table}.tsv", "Timestamp\n")
    manifest = {
        "schemaVersion": 2,
        "id": ID,
        "namespace": NAMESPACE,
        "seed": 7,
        "timeline": {
            "baselineAt": text(BASELINE),
            "injectedAt": text(INJECTED),
            "symptomAt": text(SYMPTOM),
            "recordedAt": text(RECORDED),
        },
        "versions": {},
        "settings": {},
        "files": sorted(out.files, key=lambda entry: str(entry["path"])),
        "missing": [],
    }
    (root / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return root


def quoted(value: object) -> str:
    """JSON as a cell of a table that the recorder writes: see docs/snapshot-format.md, Tables."""
    return '"' + dump(value).replace('"', '""') + '"'


def _traces(out: _Writer) -> None:
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
    out.write("traces/services.json", dump(services) + "\n")


def _api(out: _Writer) -> None:
    out.write("api/version.json", dump({"major": "1", "minor": "36", "gitVersion": "v1.36.3"}) + "\n")
    out.write("api/api.json", dump({"kind": "APIVersions", "versions": ["v1"]}) + "\n")
    groups = sorted({(group, version) for group, version, *_ in KINDS if group})
    listed = []
    for group, version in groups:
        known = {"groupVersion": f"{group}/{version}", "version": version}
        one = {"name": group, "versions": [known], "preferredVersion": known}
        listed.append(one)
        out.write(f"api/apis~{group}.json", dump({"kind": "APIGroup", "apiVersion": "v1", **one}) + "\n")
    out.write("api/apis.json", dump({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}) + "\n")
    for group, version in [("", "v1"), *groups]:
        resources = [
            {
                "name": plural,
                "singularName": kind.lower(),
                "namespaced": namespaced,
                "kind": kind,
                "verbs": _READS if group != "metrics.k8s.io" else _READS[:2],
                **({"shortNames": [short]} if short else {}),
            }
            for its, _, plural, kind, namespaced, short in KINDS
            if its == group
        ]
        if not group:
            logs = {
                "name": "pods/log",
                "singularName": "",
                "namespaced": True,
                "kind": "Pod",
                "verbs": ["get"],
            }
            resources.append(logs)
        name = f"api/apis~{group}~{version}.json" if group else "api/api~v1.json"
        document = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": resources,
        }
        out.write(name, dump(document) + "\n")
    for name, chosen in (("api", [("", "v1")]), ("apis", groups)):
        items = [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [{"version": version, "resources": _aggregated(group), "freshness": "Current"}],
            }
            for group, version in chosen
        ]
        document = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }
        out.write(f"api/{name}.aggregated.json", dump(document) + "\n")
    _schemas(out)


def _aggregated(group: str) -> list[Json]:
    found = []
    for its, version, plural, kind, namespaced, short in KINDS:
        if its != group:
            continue
        one = {
            "resource": plural,
            "responseKind": {"group": group, "version": version, "kind": kind},
            "scope": "Namespaced" if namespaced else "Cluster",
            "singularResource": kind.lower(),
            "verbs": _READS if group != "metrics.k8s.io" else _READS[:2],
            **({"shortNames": [short]} if short else {}),
        }
        if (group, plural) == ("", "pods"):
            kind_of = {"group": "", "version": "v1", "kind": "Pod"}
            one["subresources"] = [{"subresource": "log", "responseKind": kind_of, "verbs": ["get"]}]
        found.append(one)
    return found


def _schemas(out: _Writer) -> None:
    gvk = {"group": "", "version": "v1", "kind": "Pod"}
    spec = {
        "description": "What the pod shall be.",
        "type": "object",
        "properties": {"nodeName": {"description": "Where it shall run.", "type": "string"}},
    }
    pod_schema = {
        "description": "A pod.",
        "type": "object",
        "properties": {"spec": {"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}},
        "x-kubernetes-group-version-kind": [gvk],
    }
    operation = {"get": {"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": gvk}}
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": {"/api/v1/namespaces/{namespace}/pods": operation},
        "components": {"schemas": {"io.k8s.api.core.v1.Pod": pod_schema, "io.k8s.api.core.v1.PodSpec": spec}},
    }
    out.write("api/openapi~v3~api~v1.json", dump(document) + "\n")
    index = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=1"}}}
    out.write("api/openapi~v3.json", dump(index) + "\n")
