"""Takes the snapshot: every signal of the window into one folder that appears whole or not at all.

The signals are read side by side; each is written as it comes, so that what is held at once is one log, one
batch of traces, a few pods' series. Formatting and hashing run in a thread: the recorder shares its process
with handlers that must answer.
"""

import asyncio
import itertools
import os
import shutil
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any

from reprise.adapters import jaeger, kube, prometheus
from reprise.domain import errors, topology
from reprise.snapshot import (
    alerts,
    events,
    logs,
    manifest,
    metrics,
    objects,
    tables,
    traces,
    verify,
)
from reprise.snapshot.request import RecordRequest, rfc3339

PARTIAL = ".partial"
# Reads in flight against one backend.
PARALLEL = 4


class _Recording:
    """One attempt at a snapshot: the folder under construction and what has been put into it."""

    def __init__(self, api: kube.Kube, root: Path, request: RecordRequest) -> None:
        self.api = api
        self.root = root
        self.request = request
        self.files: list[manifest.FileEntry] = []
        self.missing: list[manifest.Missing] = []

    def done(self, writer: tables.FileWriter) -> None:
        self.files.append(writer.entry)

    async def document(self, name: str, value: object, rows: int) -> None:
        self.files.append(await asyncio.to_thread(tables.write_json, self.root, name, value, rows))

    # -- one method a signal ----------------------------------------------------------------------

    async def take_objects_and_logs(self, calls: Awaitable[traces.Calls]) -> None:
        """Objects first: they say which pods have logs, and they are the nodes of the topology."""
        every: list[dict[str, Any]] = []
        read_at = rfc3339(self.request.recorded_at)
        with tables.TableWriter(self.root, "k8s_objects_raw.tsv", objects.COLUMNS) as table:
            async for collection in objects.read_all(self.api, self.request):
                rows = await asyncio.to_thread(objects.rows, collection, read_at)
                await asyncio.to_thread(table.write_rows, rows)
                for name, document in objects.documents(collection):
                    await self.document(name, document, len(collection.items))
                every += collection.items
        self.done(table)
        pods = [obj for obj in every if obj["kind"] == "Pod"]
        await self.take_logs(pods)
        known_calls = await calls
        graph = await asyncio.to_thread(topology.build, every, known_calls, self.request.namespace)
        await self.document("topology.json", graph, len(graph["nodes"]))

    async def take_logs(self, pods: Sequence[dict[str, Any]]) -> None:
        with tables.TableWriter(self.root, logs.FILE_NAME, logs.COLUMNS) as table:
            async for found in logs.read(self.api, self.request, pods):
                if isinstance(found, manifest.Missing):
                    self.missing.append(found)
                else:
                    rows = await asyncio.to_thread(logs.rows, found, self.request)
                    await asyncio.to_thread(table.write_rows, rows)
        self.done(table)

    async def take_events(self) -> None:
        with tables.TableWriter(self.root, events.FILE_NAME, events.COLUMNS) as table:
            found = await events.read(self.api, self.request)
            table.write_rows(events.rows(found))
        self.done(table)

    async def take_traces(self, source: jaeger.Jaeger) -> traces.Calls:
        calls = traces.Calls()
        with tables.TableWriter(self.root, traces.FILE_NAME, traces.COLUMNS) as table:
            async for batch in traces.read(source, self.request):
                calls.add(batch)
                rows = await asyncio.to_thread(traces.rows, batch, self.request)
                await asyncio.to_thread(table.write_rows, rows)
        self.done(table)
        return calls

    async def take_alerts(self, source: prometheus.Prometheus) -> None:
        start, end = self.request.baseline_at.timestamp(), self.request.recorded_at.timestamp()
        now = alerts.visible(map(alerts.active, await source.alerts()), self.request)
        spans = await source.alert_history(start, end, self.request.scrape_interval_seconds)
        history = alerts.visible(map(alerts.stretch, spans), self.request)
        for name, found in (
            (alerts.file_name(self.request.recorded_at), now),
            (alerts.HISTORY_NAME, history),
        ):
            await self.document(name, found, len(found))

    async def take_metrics(self, source: prometheus.Prometheus) -> None:
        pods = await self._values(source, metrics.pods_query(self.request), "pod")
        services = await self._values(source, metrics.services_query(self.request), "service_name")
        gate = asyncio.Semaphore(PARALLEL)
        await _all(
            *(self._pod(source, gate, pod) for pod in pods),
            *(self._service(source, gate, service) for service in services),
        )

    async def _values(self, source: prometheus.Prometheus, query: str, label: str) -> list[str]:
        found = await source.query(query, at=self.request.recorded_at.timestamp())
        return sorted({sample.labels[label] for sample in found if sample.labels.get(label)})

    async def _pod(self, source: prometheus.Prometheus, gate: asyncio.Semaphore, pod: str) -> None:
        query = metrics.pod_selector(self.request.namespace, pod)
        async with gate:
            series = await self._series(source, query)
            rows = metrics.pod_rows(series, self.request, pod)
            await self._metric_table(metrics.pod_file(pod), metrics.POD_COLUMNS, rows)

    async def _service(self, source: prometheus.Prometheus, gate: asyncio.Semaphore, service: str) -> None:
        async with gate:
            series = await self._series(source, metrics.service_selector(service))
            rows = metrics.service_rows(series, self.request, service)
            await self._metric_table(metrics.service_file(service), metrics.SERVICE_COLUMNS, rows)

    async def _series(self, source: prometheus.Prometheus, query: str) -> Sequence[prometheus.Series]:
        request = self.request
        start, end = request.baseline_at.timestamp(), request.recorded_at.timestamp()
        return await source.query_range(query, start, end, request.scrape_interval_seconds)

    async def _metric_table(
        self, name: str, columns: Sequence[str], rows: Iterator[Sequence[tables.Cell]]
    ) -> None:
        first = next(rows, None)
        if first is None:
            return  # hidden, or gone before the window's first sample

        def write() -> tables.TableWriter:
            with tables.TableWriter(self.root, name, columns) as table:
                table.write_rows(itertools.chain([first], rows))
            return table

        self.done(await asyncio.to_thread(write))


async def record(
    api: kube.Kube,
    metric_source: prometheus.Prometheus,
    trace_source: jaeger.Jaeger,
    directory: Path | str,
    request: RecordRequest,
) -> manifest.Manifest:
    """Write the snapshot of a window to `directory` and return its manifest.

    Idempotent: a whole snapshot of this run is kept as it is; what an earlier process left half done is
    thrown away. A part that cannot be had (a log that is gone) is listed as missing; a backend that does not
    answer raises its error (Unreachable: call again). Raises Conflict when the folder holds another run's
    snapshot, Corrupt when it holds a damaged one, Refused when it cannot be written.
    """
    try:
        return await _record(api, metric_source, trace_source, Path(directory), request)
    except OSError as exc:
        raise errors.Refused(
            f"{directory}: expected a place to write the snapshot to, found: {exc}; see its volume"
        ) from exc


async def _record(
    api: kube.Kube,
    metric_source: prometheus.Prometheus,
    trace_source: jaeger.Jaeger,
    final: Path,
    request: RecordRequest,
) -> manifest.Manifest:
    kept = await asyncio.to_thread(_existing, final, request.run_uid)
    if kept is not None:
        return kept
    partial = final.with_name(final.name + PARTIAL)
    await asyncio.to_thread(_begin, partial)
    recording = _Recording(api, partial, request)
    calls: asyncio.Future[traces.Calls] = asyncio.get_running_loop().create_future()

    async def traced() -> None:
        calls.set_result(await recording.take_traces(trace_source))

    await _all(
        traced(),
        recording.take_objects_and_logs(calls),
        recording.take_events(),
        recording.take_alerts(metric_source),
        recording.take_metrics(metric_source),
    )
    made = manifest.Manifest(
        run_uid=request.run_uid,
        namespace=request.namespace,
        seed=request.seed,
        timeline=request.timeline,
        versions=request.versions,
        settings={"scrapeIntervalSeconds": request.scrape_interval_seconds, **request.settings},
        files=tuple(sorted(recording.files, key=lambda entry: entry.path)),
        missing=tuple(sorted(recording.missing, key=lambda gap: (gap.signal, gap.what))),
    )
    await asyncio.to_thread(_finish, partial, final, made)
    return made


async def _all(*parts: Awaitable[None]) -> None:
    """Run side by side; when one fails the others are stopped and waited for, and its error is raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _existing(final: Path, run_uid: str) -> manifest.Manifest | None:
    if not final.exists():
        return None
    report = verify.verify(final)
    if not report.ok:
        raise errors.Corrupt(
            f"{final}: expected a whole snapshot, found: {'; '.join(report.problems[:5])}; "
            "remove the folder to record again"
        )
    found = manifest.from_bytes((final / manifest.FILE_NAME).read_bytes())
    if found.run_uid != run_uid:
        raise errors.Conflict(f"{final}: expected run {run_uid}, found the snapshot of run {found.run_uid}")
    return found


def _begin(partial: Path) -> None:
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)


def _finish(partial: Path, final: Path, made: manifest.Manifest) -> None:
    """Everything is on disk before the name appears: the rename makes the snapshot."""
    with (partial / manifest.FILE_NAME).open("xb") as out:
        out.write(made.to_bytes())
        out.flush()
        os.fsync(out.fileno())
    for folder, _, _ in os.walk(partial):
        _sync(Path(folder))
    partial.rename(final)
    _sync(final.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
