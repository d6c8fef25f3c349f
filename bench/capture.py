"""What a recording takes and whether it is whole, beside `kubectl get -A -o json` of the same kinds.

The operator's own code, in this process: its watcher follows the cluster for `BENCH_WINDOW_SECONDS` (600),
then its recorder takes the snapshot and verifies it. Prometheus and Jaeger are reached through the API
server, which the operator, being inside, has no need of.

What was at the source is counted by other roads: a watch of Events by kubectl, and searches of Jaeger service
by service. So that there are Events in a quiet cluster, `BENCH_EVENTS` (50) about a node are made and counted
up over the window, in the namespace `default`; they are removed in the end.
"""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import os
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bench.kubectl import kubectl
from bench.table import Figure, render, say
from reprise.adapters.kube import Kube
from reprise.domain import redaction
from reprise.handlers import connections
from reprise.snapshot import archive, events, manifest, recorder, tables, trace_audit, verify, watcher
from reprise.snapshot.request import RecordRequest

WINDOW_SECONDS = float(os.environ.get("BENCH_WINDOW_SECONDS", "600"))
NAMESPACE = os.environ.get("BENCH_NAMESPACE", "otel-demo")
EVENTS = int(os.environ.get("BENCH_EVENTS", "50"))
LISTS = int(os.environ.get("BENCH_ROUNDS", "3"))
# How often each Event of ours is seen.
STEPS = 4
# Exporters hand spans on every few seconds: the source is counted when the window's last have come.
LATE_SECONDS = 20.0
MB = 1_000_000
T = TypeVar("T")
Seen = tuple[str, int]


class Held(NamedTuple):
    """What the source had against what was written."""

    at_source: int
    written: int
    lost: int
    twice: int


def held(source: set[Seen], rows: list[Seen]) -> Held:
    """Compare observations, each (uid, count), with rows of a table."""
    return Held(len(source), len(rows), len(source - set(rows)), len(rows) - len(set(rows)))


def observed(lines: Iterator[bytes], request: RecordRequest) -> set[Seen]:
    """(uid, count) of what a watch of Events said, as far as it belongs into the snapshot's table."""
    found = set()
    for line in lines:
        item = json.loads(line)
        event = item["object"]
        if item["type"] not in ("ADDED", "MODIFIED") or not events.belongs(event, request.namespace):
            continue
        at = redaction.event_time(event)
        within = at is not None and request.view.window_start <= at <= request.recorded_at
        if within and not redaction.hides(request.view, "", "events", event):
            found.add((event["metadata"]["uid"], events.count(event)))
    return found


def written(root: Path) -> list[Seen]:
    """(uid, count) of every row of the snapshot's table of Events."""
    bodies = (json.loads(row["Body"])["object"] for row in tables.read_rows(root / events.FILE_NAME))
    return [(body["metadata"]["uid"], events.count(body)) for body in bodies]


def _event(number: int, count: int, node: str, prefix: str) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{node}.{prefix}{number:04x}", "namespace": "default"},
        "involvedObject": {"kind": "Node", "name": node, "uid": node, "apiVersion": "v1"},
        "reason": "NodeCondition",
        "message": "the node was looked at",
        "type": "Normal",
        "count": count,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": "node-observer"},
    }


@contextlib.contextmanager
def _events_watched(path: Path) -> Iterator[None]:
    """Events as kubectl sees them, a line each, into a file."""
    seconds = int(WINDOW_SECONDS + 600)
    command = ["kubectl", "get", "--raw", f"/api/v1/events?watch=true&timeoutSeconds={seconds}"]
    with path.open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


async def _window(node: str, prefix: str) -> None:
    """Let the window go by, with Events of ours in it."""
    for step in range(1, STEPS + 1):
        await asyncio.sleep(WINDOW_SECONDS / (STEPS + 1))
        items = [_event(number, step, node, prefix) for number in range(EVENTS)]
        if items:
            document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            await asyncio.to_thread(kubectl, "apply", "--server-side", "-f", "-", stdin=document)
        say(f"{step} of {STEPS + 1} parts of the window are over")
    await asyncio.sleep(WINDOW_SECONDS / (STEPS + 1))


async def _followed(spools: Path, window: Callable[[], Any]) -> dt.datetime:
    """Have the watcher follow while the window goes by; when it had its first lists."""
    tried = watcher.Tried()
    task = asyncio.create_task(watcher.follow(connections.open_kube, spools, True, tried))
    try:
        await asyncio.wait_for(tried.all.wait(), 120)
        begun = dt.datetime.now(dt.UTC)
        await window()
    finally:
        task.cancel()
        await asyncio.wait([task])
    return begun


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def _size(folder: Path, made: manifest.Manifest, *starts: str) -> float:
    """MB of the files whose names begin so."""
    return sum(entry.size_bytes for entry in made.files if entry.path.startswith(starts)) / MB


def kinds(made: manifest.Manifest) -> list[str]:
    """What the snapshot lists, as arguments of kubectl: `<plural>.<version>.<group>`."""
    stems = [Path(entry.path).stem.split("~") for entry in made.files if entry.path.startswith("objects/")]
    return [f"{plural}.{version}.{'' if group == 'core' else group}" for group, version, plural in stems]


async def _measure(root: Path) -> list[Figure]:
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    prefix = secrets.token_hex(6)
    snapshot, spools, seen = root / "snapshot", root / "spools", root / "events.jsonl"
    async with await Kube.connect() as kube:
        where = await connections.endpoints(kube)
    try:
        with _events_watched(seen):
            say(f"a window of {WINDOW_SECONDS:g} s begins")
            begun = await _followed(spools, lambda: _window(node, prefix))
            request = RecordRequest(
                secrets.token_hex(8), NAMESPACE, 0, begun, recorded_at=dt.datetime.now(dt.UTC)
            )
            say("records")
            at = time.perf_counter()
            async with connections.open_sources(where) as sources:
                made = await recorder.record(
                    sources.kube,
                    sources.prometheus,
                    sources.jaeger,
                    snapshot,
                    request,
                    spools=spools,
                    secrets=_secrets(request),
                )
            record_seconds = time.perf_counter() - at
            verify_seconds, report = await asyncio.to_thread(_timed, lambda: verify.verify(snapshot))
            if not report.ok:
                raise RuntimeError(f"expected a whole snapshot, found {report.problems[:5]}")
            say(f"took {record_seconds:.1f} s; asks kubectl for the same kinds")
            names = ",".join(kinds(made))
            listed = [_timed(lambda: kubectl("get", "-A", "-o", "json", names)) for _ in range(LISTS)]
            await asyncio.sleep(LATE_SECONDS)
    finally:
        ours = [_event(number, 0, node, prefix)["metadata"]["name"] for number in range(EVENTS)]
        if ours:
            kubectl("delete", "events", "-n", "default", "--ignore-not-found", *ours)
    with seen.open("rb") as lines:
        counted = held(observed(lines, request), written(snapshot))
    say("counts the spans at Jaeger")
    async with connections.open_sources(where) as sources:
        spans = await trace_audit.audit(sources.jaeger, snapshot, request)
        earlier = request.recorded_at - dt.timedelta(seconds=LATE_SECONDS)
        settled = await trace_audit.audit(
            sources.jaeger, snapshot, dataclasses.replace(request, recorded_at=earlier)
        )
    pack_seconds, _ = _timed(lambda: archive.pack(snapshot, root / "snapshot.tar.zst"))
    say(f"missing, by the manifest: {[dataclasses.astuple(gap) for gap in made.missing] or 'nothing'}")
    whole = sum(entry.size_bytes for entry in made.files) / MB
    return [
        Figure("record", "s", [record_seconds]),
        Figure("verify", "s", [verify_seconds]),
        Figure("snapshot", "MB", [whole]),
        Figure("of these objects/", "MB", [_size(snapshot, made, "objects/")]),
        Figure("of these history/", "MB", [_size(snapshot, made, "history/")]),
        Figure("archive (.tar.zst)", "MB", [(root / "snapshot.tar.zst").stat().st_size / MB]),
        Figure("pack", "s", [pack_seconds]),
        Figure(f"`kubectl get -A -o json` of the same {len(kinds(made))} kinds", "s", [s for s, _ in listed]),
        Figure("its answer", "MB", [statistics.median(len(text.encode()) for _, text in listed) / MB]),
        Figure("Events seen by kubectl's watch (each count)", "", [counted.at_source]),
        Figure("Events written", "rows", [counted.written]),
        Figure("Events lost", "", [counted.lost], "0"),
        Figure("Events twice", "", [counted.twice], "0"),
        Figure("spans at Jaeger", "", [spans.at_source]),
        Figure("spans written", "rows", [spans.written]),
        Figure(f"spans lost, begun {LATE_SECONDS:g} s or more before the end", "", [len(settled.lost)], "0"),
        Figure(
            f"spans lost, begun in the last {LATE_SECONDS:g} s", "", [len(spans.lost) - len(settled.lost)]
        ),
        Figure("spans twice", "", [len(spans.twice)], "0"),
    ]


def _secrets(request: RecordRequest) -> dict[str, Any]:
    """The operator's part of a run without a fault: it is looked for, as in every run."""
    return {
        "run": {"namespace": "default", "name": f"bench-{request.run_uid}", "uid": request.run_uid},
        "scenario": {"name": f"window-{request.run_uid}", "injector": "hidden"},
        "truth": [],
        "plan": [],
        "mechanisms": [],
    }


def main() -> str:
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_measure(Path(folder)))
    return render(f"A window of {WINDOW_SECONDS:g} s of {NAMESPACE}, recorded", figures)
