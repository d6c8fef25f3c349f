"""Memory of `reprise replay` over generated snapshots of two sizes: it must not grow with the snapshot.

Sizes as in `bench.snapshots`. Each is started first and later; then every service's traces are searched with
the highest limit, single traces, pods and a whole log are asked for, and the peak is read.
"""

import asyncio
import csv
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.fakes import snapshot_v2

from bench import attempts, serving
from bench.connection import Connection
from bench.snapshots import LARGE_SPANS, LINES, MB, SPANS, size_mb
from bench.table import Figure, percentile, render, say

SEARCHES = int(os.environ.get("BENCH_SEARCHES", "10"))
NODE = "worker-1"
Json = dict[str, Any]


def make_servable(root: Path) -> None:
    """Give a generated snapshot what a replay reads of a recorded one: discovery, namespaces, the index
    of its traces, and its largest log under the name of a container that runs on a node."""
    groups = root / "api" / "apis.json"
    if not groups.is_file():
        groups.write_text('{"kind":"APIGroupList","apiVersion":"v1","groups":[]}\n')
    _add_namespaces(root, json.loads((root / "manifest.json").read_bytes())["namespace"])
    index = root / "traces" / "index.tsv"
    if index.read_bytes().count(b"\n") < 2:
        _write_index(root / "traces" / "traces.jsonl", index)
    pods = root / "objects" / "core~v1~pods.jsonl"
    head, first, *rest = pods.read_text().splitlines()
    row = json.loads(first)
    container = row["object"]["spec"]["containers"][0]["name"]
    row["object"]["spec"]["nodeName"] = NODE
    running = {
        "name": container,
        "containerID": "containerd://1",
        "state": {"running": {"startedAt": snapshot_v2.rfc(snapshot_v2.BASELINE)}},
    }
    row["object"].setdefault("status", {})["containerStatuses"] = [running]
    pods.write_text("\n".join([head, json.dumps(row, separators=(",", ":")), *rest]) + "\n")
    meta = row["object"]["metadata"]
    largest = max((root / "logs").rglob("*.log"), key=lambda path: path.stat().st_size)
    log = root / "logs" / meta["namespace"] / meta["name"] / f"{container}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    largest.rename(log)
    _list_again(root, {largest.relative_to(root).as_posix(): log.relative_to(root).as_posix()})


def _add_namespaces(root: Path, name: str) -> None:
    """The gateway follows them before it serves."""
    path = root / "objects" / "core~v1~namespaces.jsonl"
    if path.is_file():
        return
    column = {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}
    head = {
        "apiVersion": "v1", "kind": "NamespaceList", "itemKind": "Namespace", "plural": "namespaces",
        "namespaced": False, "verbs": ["get", "list", "watch"], "resourceVersion": "100",
        "columnDefinitions": [column],
    }  # fmt: skip
    meta = {"name": name, "uid": "uid-namespace", "resourceVersion": "1"}
    row = {"cells": [name], "object": {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}}
    path.write_text(f"{json.dumps(head)}\n{json.dumps(row)}\n")


def _write_index(traces: Path, index: Path) -> None:
    """A row a trace, as the recorder writes it."""
    offset = 0
    with traces.open("rb") as lines, index.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, delimiter="\t", lineterminator="\n")
        rows.writerow(("trace_id", "start_us", "end_us", "offset", "bytes", "spans", "pairs"))
        for line in lines:
            trace = json.loads(line)
            spans = trace["spans"]
            services = {key: process["serviceName"] for key, process in trace["processes"].items()}
            pairs = sorted({(services[span["processID"]], span["operationName"], "") for span in spans})
            rows.writerow(
                (
                    trace["traceID"],
                    min(span["startTime"] for span in spans),
                    max(span["startTime"] + span["duration"] for span in spans),
                    offset,
                    len(line),
                    len(spans),
                    json.dumps(pairs),
                )
            )
            offset += len(line)


def _list_again(root: Path, moved: dict[str, str]) -> None:
    """The manifest once more, of what lies there now. `moved`: old names to new ones."""
    path = root / "manifest.json"
    document = json.loads(path.read_bytes())
    known = {moved.get(entry["path"], entry["path"]): entry["rows"] for entry in document["files"]}
    for name in sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()):
        if name != path.name:
            known.setdefault(name, 1)
    document["files"] = [_entry(root, name, rows) for name, rows in sorted(known.items())]
    path.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n")


def _entry(root: Path, name: str, rows: int) -> Json:
    """A file as the manifest lists it: a row is a line, after the header where there is one; documents count
    their own `rows`."""
    digest, size, lines = hashlib.sha256(), 0, 0
    with (root / name).open("rb") as data:
        while chunk := data.read(MB):
            digest.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
    if name.endswith((".tsv", ".jsonl", ".log")):
        rows = lines - (name.endswith(".tsv") or name.startswith("objects/"))
    return {"path": name, "sha256": digest.hexdigest(), "bytes": size, "rows": rows}


async def _ask(one: serving.Serving) -> list[float]:
    """Ask for all that is large; milliseconds of each search for traces."""
    millis = []
    place = one.places[0]
    async with Connection(place) as door:

        async def get(path: str) -> bytes:
            took, body = await door.ask(place.request(path, "application/json", "identity"))
            millis.append(took)
            return body

        table = json.loads((await door.ask(place.request("/api/v1/pods", encoding="identity")))[1])
        for row in table["rows"]:
            meta = row["object"]["metadata"]
            await door.ask(
                place.request(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log", "*/*")
            )
        for _ in range(SEARCHES):
            for service in ("frontend", "cart", "checkout", "payment"):
                found = json.loads(await get(f"/jaeger/api/traces?service={service}&limit=500"))["data"]
                if not found:
                    raise RuntimeError(f"expected traces of {service}, found none")
            await door.ask(place.request(f"/jaeger/api/traces/{found[-1]['traceID']}", "application/json"))
            await door.ask(place.request("/prometheus/api/v1/query?query=up", "application/json"))
    return millis


def one_size(spans: int) -> list[Figure]:
    name = f"{spans // 1000}k spans"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        say(f"{name}: makes the snapshot")
        made = snapshot_v2.make(root / "a", traces=spans // snapshot_v2.SPANS_PER_TRACE, logs=LINES)
        make_servable(made)
        figures = [Figure(f"{name}: folder", "MB", [size_mb(made)])]
        for label in ("first", "later"):
            with serving.serving(made, root / f"out-{label}", root / "cache") as one:
                say(f"{name}: start, {label}: {one.seconds:.1f} s")
                figures.append(Figure(f"{name}: start, {label}", "s", [one.seconds]))
                started = attempts.resident_mib(one.pid, peak=True)
                millis = asyncio.run(_ask(one))
                peak = attempts.resident_mib(one.pid, peak=True)
                metrics = sum(attempts.resident_mib(pid, peak=True) for pid in one.children())
            figures += [
                Figure(f"{name}: peak memory at the {label} start", "MiB", [started]),
                Figure(f"{name}: peak memory after questions, {label}", "MiB", [peak]),
                Figure(f"{name}: peak memory of its Prometheus, {label}", "MiB", [metrics]),
            ]
        figures.append(Figure(f"{name}: 500 traces of one service, p50", "ms", [percentile(millis, 0.5)]))
    return figures


def main() -> str:
    figures = one_size(SPANS)
    if LARGE_SPANS:
        figures += one_size(LARGE_SPANS)
    return render(
        f"`reprise replay` of generated snapshots, {LINES} log lines (sizes in MB: {MB} bytes)", figures
    )
