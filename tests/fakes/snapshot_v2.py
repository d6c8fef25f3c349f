"""Makes snapshots of schema version 2 as large as asked for: a shop of four services, healthy or at fault.

Used by the tests of what is done with finished snapshots, and by `bench.snapshots`.
"""

import datetime as dt
import hashlib
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
BASELINE = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
INJECTED, SYMPTOM, RECORDED = (BASELINE + dt.timedelta(seconds=n) for n in (100, 130, 200))
CALLS = (("frontend", "cart"), ("frontend", "checkout"), ("checkout", "payment"))
EVENT_TSV = "Timestamp\tBody\n"
OBJECT_TSV = "timestamp\tbody\tnamespace\tobject_kind\tobject_name\n"
LOG_TSV = (
    "Timestamp\tTraceId\tSpanId\tTraceFlags\tSeverityText\tSeverityNumber\tServiceName\tBody"
    "\tResourceAttributes\tLogAttributes\n"
)
TRACE_TSV = "Timestamp\tTraceId\tSpanId\tParentSpanId\tSpanName\tServiceName\tSpanAttributes\tDuration\n"
POD_TSV = "metric_name\ttimestamp\tvalue\tpod_name\tnamespace\ttags\n"


def rfc(time: dt.datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def deployment(name: str, image: str = "shop:1", version: str = "1", ready: int = 1) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": version},
        "spec": {
            "replicas": 1,
            "template": {"spec": {"containers": [{"name": name, "image": image}, {"name": "side"}]}},
        },
        "status": {
            "readyReplicas": ready,
            "conditions": [{"type": "Available", "lastTransitionTime": rfc(RECORDED)}],
        },
    }


def pod(name: str, template_hash: str, suffix: str, phase: str = "Running") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{template_hash}-{suffix}",
            "generateName": f"{name}-{template_hash}-",
            "namespace": "shop",
            "labels": {"app": name, "pod-template-hash": template_hash},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-{template_hash}", "uid": suffix}],
        },
        "spec": {"containers": [{"name": name, "image": "shop:1"}]},
        "status": {"phase": phase, "podIP": f"10.0.0.{len(suffix)}", "startTime": rfc(BASELINE)},
    }


def flags(variant: str) -> Json:
    text = json.dumps({"flags": {"cartFailure": {"defaultVariant": variant, "state": "ENABLED"}}}, indent=1)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "flagd-config", "namespace": "shop"},
        "data": {"demo.flagd.json": text},
    }


def policy(name: str) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"]},
    }


def event(count: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "cart.1", "namespace": "shop", "uid": "event-1"},
        "involvedObject": {"kind": "Pod", "name": "cart-5d-abcde", "namespace": "shop"},
        "reason": "BackOff",
        "message": "back\toff\nagain",
        "type": "Warning",
        "count": count,
        "source": {"component": "kubelet"},
        "lastTimestamp": rfc(SYMPTOM),
    }


class Builder:
    """Writes files and, at last, the manifest that lists them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Json] = []

    def chunks(self, path: str, parts: Iterable[bytes]) -> int:
        full = self.folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        # One row is one line, after the header where there is one.
        digest, size, rows = hashlib.sha256(), 0, -int(path.endswith(".tsv") or path.startswith("objects/"))
        with full.open("wb") as out:
            for part in parts:
                out.write(part)
                digest.update(part)
                size += len(part)
                rows += part.count(b"\n")
        self.files.append({"path": path, "sha256": digest.hexdigest(), "bytes": size, "rows": rows})
        return size

    def text(self, path: str, text: str) -> None:
        self.chunks(path, [text.encode()])

    def json(self, path: str, value: object) -> None:
        self.chunks(path, [dump(value) + b"\n"])

    def lines(self, path: str, values: Iterable[object]) -> None:
        """One line each: a text as it is, anything else as JSON."""
        self.chunks(path, ((v.encode() if isinstance(v, str) else dump(v)) + b"\n" for v in values))

    def collection(self, name: str, kind: str, plural: str, objects: list[Json], past: list[Json]) -> None:
        group, version, _ = name.split("~")
        head = {
            "apiVersion": version if group == "core" else f"{group}/{version}",
            "kind": f"{kind}List",
            "itemKind": kind,
            "plural": plural,
            "namespaced": True,
            "verbs": ["get", "list", "watch"],
            "resourceVersion": "100",
            "columnDefinitions": [{"name": "Name", "type": "string", "format": "name"}],
        }
        rows = [{"cells": [item["metadata"]["name"]], "object": item} for item in objects]
        self.lines(f"objects/{name}.jsonl", [head, *rows])
        self.lines(f"history/{name}.jsonl", past)

    def finish(self, **more: Any) -> Path:
        times = {"baselineAt": BASELINE, "injectedAt": INJECTED, "symptomAt": SYMPTOM, "recordedAt": RECORDED}
        document = {
            "schemaVersion": 2,
            "id": "0123456789abcdef",
            "namespace": "shop",
            "seed": 7,
            "timeline": {name: rfc(time) for name, time in times.items()},
            "versions": {"application": "2.2.0"},
            "settings": {"scrapeIntervalSeconds": 5.0},
            "files": sorted(self.files, key=lambda item: str(item["path"])),
            "missing": [],
            **more,
        }
        (self.folder / "manifest.json").write_bytes(dump(document) + b"\n")
        return self.folder


def seen(kind: str, time: dt.datetime, obj: Json) -> Json:
    return {
        "type": kind,
        "time": rfc(time),
        "resourceVersion": obj["metadata"].get("resourceVersion", "1"),
        "cells": [obj["metadata"]["name"]],
        "object": obj,
    }


def span_tags(kind: str, failed: bool) -> list[Json]:
    return [
        {"key": "span.kind", "type": "string", "value": kind},
        {"key": "http.response.status_code", "type": "int64", "value": 500 if failed else 200},
        {"key": "url.path", "type": "string", "value": "/api/cart?session=1&currency=USD"},
        {"key": "otel.scope.name", "type": "string", "value": "shop.http"},
        *([{"key": "otel.status_code", "type": "string", "value": "ERROR"}] if failed else []),
        *([{"key": "error", "type": "bool", "value": True}] if failed else []),
    ]


def trace(number: int, rng: random.Random, faulty: bool, total: int) -> Json:
    """Four calls, eight spans: client and server of each, below one root."""
    start = int(BASELINE.timestamp() * 1e6) + number * 200_000_000 // max(total, 1)
    after = start >= INJECTED.timestamp() * 1e6
    trace_id = f"{rng.getrandbits(128):032x}"
    failed = faulty and after
    spans: list[Json] = []

    def span(service: str, name: str, kind: str, parent: str, micros: int, broken: bool) -> str:
        span_id = f"{rng.getrandbits(64) | 1:016x}"
        link = [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent}] if parent else []
        spans.append(
            {
                "traceID": trace_id,
                "spanID": span_id,
                "operationName": name,
                "references": link,
                "startTime": start + len(spans) * 100,
                "duration": micros,
                "tags": span_tags(kind, broken),
                "logs": [
                    {"timestamp": start + 5, "fields": [{"key": "event", "type": "string", "value": "x"}]}
                ]
                if broken
                else [],
                "processID": f"p-{service}",
                "warnings": None,
            }
        )
        return span_id

    root = span("frontend", "GET /", "server", "", 20_000 + rng.randrange(4000), failed)
    for caller, callee in CALLS:
        broken = failed and callee == "cart"
        micros = (900_000 if broken else 3_000) + rng.randrange(1000)
        client = span(caller, f"call {callee}", "client", root, micros + 500, broken)
        span(callee, f"{callee}.Serve", "server", client, micros, broken)
    processes = {
        f"p-{name}": {
            "serviceName": name,
            "tags": [{"key": "k8s.namespace.name", "type": "string", "value": "shop"}],
        }
        for name in ("frontend", "cart", "checkout", "payment")
    }
    return {"traceID": trace_id, "spans": spans, "processes": processes, "warnings": None}


SPANS_PER_TRACE = 1 + 2 * len(CALLS)


def log_lines(count: int, seed: int) -> Iterable[bytes]:
    rng = random.Random(seed)
    for number in range(count):
        time = rfc(BASELINE + (RECORDED - BASELINE) * number / max(count, 1))
        text = f'{{"level":"info","message":"served item {rng.randrange(1000)}","trace_id":"{number:032x}"}}'
        yield f"{time} {text}\n".encode()


def make(
    folder: Path,
    *,
    faulty: bool = True,
    traces: int = 20,
    logs: int = 20,
    seed: int = 1,
    more: Callable[[Builder], None] | None = None,
) -> Path:
    """Write a snapshot. The fault: a policy on cart, its flag on, its image changed, its errors."""
    build = Builder(folder)
    suffix = f"{seed:05d}"
    old, new = deployment("cart"), deployment("cart", "shop:broken", "50", ready=0)
    present = new if faulty else old
    first, second = pod("cart", "5d", suffix), pod("cart", "6f", suffix, "Pending")
    changed = [seen("MODIFIED", SYMPTOM, new)] if faulty else []
    build.collection(
        "apps~v1~deployments", "Deployment", "deployments", [present], [seen("BASE", BASELINE, old), *changed]
    )
    replaced = [seen("DELETED", SYMPTOM, first), seen("ADDED", SYMPTOM, second)] if faulty else []
    build.collection(
        "core~v1~pods",
        "Pod",
        "pods",
        [second if faulty else first],
        [seen("BASE", BASELINE, first), *replaced],
    )
    variant = "on" if faulty else "off"
    flagged = [seen("MODIFIED", INJECTED + dt.timedelta(seconds=1), flags("on"))] if faulty else []
    build.collection(
        "core~v1~configmaps",
        "ConfigMap",
        "configmaps",
        [flags(variant)],
        [seen("BASE", BASELINE, flags("off")), *flagged],
    )
    policies = [policy("cart-ingress")] if faulty else []
    build.collection(
        "networking.k8s.io~v1~networkpolicies",
        "NetworkPolicy",
        "networkpolicies",
        policies,
        [seen("ADDED", INJECTED + dt.timedelta(seconds=2), item) for item in policies],
    )
    events = [event(2), event(7)] if faulty else []
    build.collection(
        "core~v1~events", "Event", "events", events[-1:], [seen("ADDED", SYMPTOM, item) for item in events]
    )
    labels = {
        "alertname": "HighRequestErrorRate",
        "severity": "critical",
        "namespace": "shop",
        "service_name": "cart",
    }
    firing = {
        "labels": labels,
        "annotations": {"summary": "cart fails"},
        "state": "firing",
        "activeAt": rfc(SYMPTOM),
        "value": "0.5",
    }
    build.json(f"alerts/alerts_at_{RECORDED:%Y-%m-%dT%H-%M-%S.%f}.json", [firing] if faulty else [])
    stretch = {**firing, "annotations": {}, "startedAt": rfc(SYMPTOM), "endedAt": None, "value": ""}
    build.json("alerts/history.json", [stretch] if faulty else [])
    build.json("alerts/rules.json", {"groups": []})
    rng = random.Random(seed)
    build.lines("traces/traces.jsonl", (trace(n, rng, faulty, traces) for n in range(traces)))
    build.json(
        "traces/services.json", {"services": ["cart"], "operations": {}, "kinds": {}, "dependencies": []}
    )
    build.text("traces/index.tsv", "trace_id\tstart_us\tend_us\toffset\tbytes\tspans\tpairs\n")
    build.chunks("logs/shop/cart-1/cart.log", log_lines(logs, seed))
    at = int(BASELINE.timestamp() * 1000)
    build.lines(
        "metrics/series.jsonl",
        [{"metric": {"__name__": "up", "pod": "cart-1"}, "t": [at, 5000, 5000], "v": ["1", "NaN", "stale"]}],
    )
    build.json("metrics/metadata.json", {})
    build.json("api/version.json", {"major": "1", "minor": "34"})
    build.json("api/apis.json", {"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
    calls = [
        {
            "source": f"App/{a}",
            "relation": "calls",
            "target": f"Service/{b}",
            "meta": {
                "count": 9,
                "failed": 9 if faulty and b == "cart" else 0,
                "p50_ms": 3.0,
                "p95_ms": 4.5,
                "error_rate": 0.0,
            },
        }
        for a, b in CALLS
    ]
    depends = [
        {
            "source": "Deployment/cart",
            "relation": "depends_on",
            "target": "NetworkPolicy/cart-ingress",
            "meta": {"why": "it selects"},
        }
    ]
    build.json(
        "topology.json",
        {
            "nodes": [{"id": "App/cart", "kind": "App", "name": "cart"}],
            "edges": [*calls, *(depends if faulty else [])],
        },
    )
    _tables(build, events)
    if more is not None:
        more(build)
    return build.finish()


def _tables(build: Builder, events: list[Json]) -> None:
    def cell(value: object) -> str:
        return '"' + json.dumps(value, ensure_ascii=True).replace('"', '""') + '"'

    build.text(
        "k8s_events_raw.tsv",
        EVENT_TSV + "".join(f"{rfc(SYMPTOM)}\t{cell({'object': e, 'type': 'ADDED'})}\n" for e in events),
    )
    build.text(
        "k8s_objects_raw.tsv",
        OBJECT_TSV + f"{rfc(RECORDED)}\t{cell(deployment('cart'))}\tshop\tDeployment\tcart\n",
    )
    resource = cell({"k8s.pod.name": "cart-1"})
    build.text(
        "otel_logs_raw.tsv",
        LOG_TSV + f"{rfc(SYMPTOM)}\t\t\t0\tINFO\t9\tcart\ta\\tb\\nc\t{resource}\t{cell({})}\n",
    )
    build.text(
        "otel_traces_raw.tsv", TRACE_TSV + f"{rfc(SYMPTOM)}\tab\tcd\t\tGET\tcart\t{cell({'a': 'b'})}\t5\n"
    )
    build.text("metrics/pod_cart-1.tsv", POD_TSV + f"up\t{rfc(SYMPTOM)}\t1\tcart-1\tshop\t{cell({})}\n")
