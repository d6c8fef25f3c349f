"""Takes the snapshot: every signal of the window into one folder that appears whole or not at all.

The signals are read side by side; each is written as it comes, so that what is held at once is one log, one
batch of traces, a few pods' series. Formatting and hashing run in a thread: the recorder shares its process
with handlers that must answer.
"""

import asyncio
import functools
import itertools
import os
import shutil
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reprise.adapters import jaeger, kube, prometheus
from reprise.domain import errors, topology
from reprise.snapshot import (
    alerts,
    calls,
    cluster,
    landing,
    manifest,
    metrics,
    private,
    scan,
    series,
    tables,
    trace_store,
    verify,
    watcher,
)
from reprise.snapshot.patience import Patience, patiently
from reprise.snapshot.request import RecordRequest
from reprise.snapshot.verify import PARTIAL

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

    async def take_cluster(self, spools: Path | None, called: Awaitable[calls.Calls]) -> None:
        """The objects are also the nodes of the topology."""
        part = await cluster.take(self.api, self.root, self.request, spools, watcher.utc_now)
        self.files += part.files
        self.missing += part.missing
        graph = await asyncio.to_thread(topology.build, part.objects, await called, self.request.namespace)
        await self.document("topology.json", graph, len(graph["nodes"]))

    async def take_traces(self, source: jaeger.Jaeger) -> calls.Calls:
        taken = await trace_store.take(source, self.root, self.request)
        self.files += taken.files
        self.missing += taken.missing
        return taken.calls

    async def take_series(self, source: prometheus.Prometheus) -> None:
        taken = await series.take(source, self.root, self.request)
        self.files += taken.files
        self.missing += taken.missing

    async def take_rules(self, source: prometheus.Prometheus) -> None:
        files, missing = await alerts.take_rules(source, self.root, self.request)
        self.files += files
        self.missing += missing

    async def take_alerts(self, source: prometheus.Prometheus) -> None:
        start, end = self.request.baseline_at.timestamp(), self.request.recorded_at.timestamp()
        patience = self.request.patience_seconds
        now = alerts.visible(map(alerts.active, await patiently(source.alerts, patience)), self.request)
        past = functools.partial(source.alert_history, start, end, self.request.scrape_interval_seconds)
        spans = await patiently(past, patience)
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
        ask = functools.partial(source.query, query, at=self.request.recorded_at.timestamp())
        found = await patiently(ask, self.request.patience_seconds)
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
        ask = functools.partial(source.query_range, query, start, end, request.scrape_interval_seconds)
        try:
            return await patiently(ask, request.patience_seconds)
        except errors.Unreachable as exc:
            self.missing.append(manifest.Missing("metrics", query, str(exc)))
            return ()

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
    *,
    spools: Path | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> manifest.Manifest:
    """Write the snapshot of a window to `directory` and return its manifest.

    spools: where the run's watcher has left what it saw (`watcher.follow`); nobody else may write there now.
    secrets: what goes to `<directory>.private/`, as plain JSON data with the keys of `private.KEYS` without
    `injector`, which is read here; None writes none, and proves nothing.

    Idempotent: a whole snapshot of this run is kept as it is; what an earlier process left half done is
    thrown away. A part that cannot be had (a log that is gone) is listed as missing; a backend that does not
    answer raises its error (Unreachable: call again). Raises Conflict when the folder holds another run's
    snapshot; Corrupt when it holds a damaged one, or when something of `secrets` is in what would be
    published; Refused when it cannot be written. Whatever it raises, nothing half-written is left.
    """
    final = Path(directory)
    partials = [path.with_name(path.name + PARTIAL) for path in (final, private.folder(final))]
    try:
        kept = await asyncio.to_thread(_existing, final, request.snapshot_id)
        if kept is not None:
            return kept
        await asyncio.to_thread(_discard, partials)
        try:
            recording = _Recording(api, partials[0], request)
            made = await _record(recording, metric_source, trace_source, spools)
            document = None if secrets is None else {**secrets, "injector": await _injector(api)}
            await asyncio.to_thread(_finish, partials, final, made, document)
        except BaseException:
            # What cannot be removed now (a thread may still write) is removed when it is tried again.
            await asyncio.to_thread(_discard, partials, ignore_errors=True)
            raise
    except OSError as exc:
        raise errors.Refused(
            f"{directory}: expected a place to write the snapshot to, found: {exc}; see its volume"
        ) from exc
    return made


async def _injector(api: kube.Kube) -> list[dict[str, Any]]:
    return await Patience().attempt(lambda: private.injector_objects(api))


async def _record(
    recording: _Recording,
    metric_source: prometheus.Prometheus,
    trace_source: jaeger.Jaeger,
    spools: Path | None,
) -> manifest.Manifest:
    recording.root.mkdir(parents=True)
    request = recording.request
    called: asyncio.Future[calls.Calls] = asyncio.get_running_loop().create_future()

    async def traced() -> None:
        called.set_result(await recording.take_traces(trace_source))

    # Telemetry's take_* functions are called here, beside the cluster's.
    await _all(
        traced(),
        recording.take_cluster(spools, called),
        recording.take_alerts(metric_source),
        recording.take_metrics(metric_source),
        recording.take_series(metric_source),
        recording.take_rules(metric_source),
    )
    return manifest.Manifest(
        id=request.snapshot_id,
        namespace=request.namespace,
        seed=request.seed,
        timeline=request.timeline,
        versions=request.versions,
        settings={"scrapeIntervalSeconds": request.scrape_interval_seconds, **request.settings},
        files=tuple(sorted(recording.files, key=lambda entry: entry.path)),
        missing=tuple(sorted(recording.missing, key=lambda gap: (gap.signal, gap.what))),
    )


async def _all(*parts: Awaitable[None]) -> None:
    """Run side by side; when one fails the others are stopped and waited for, and its error is raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _existing(final: Path, snapshot_id: str) -> manifest.Manifest | None:
    if not final.exists():
        return None
    report = verify.verify(final)
    if not report.ok:
        raise errors.Corrupt(
            f"{final}: expected a whole snapshot, found: {'; '.join(report.problems[:5])}; "
            "remove the folder to record again"
        )
    found = manifest.from_bytes((final / manifest.FILE_NAME).read_bytes())
    if found.id != snapshot_id:
        raise errors.Conflict(
            f"{final}: expected snapshot {snapshot_id}, found {found.id}; it is another run's and is kept"
        )
    return found


def _discard(folders: Iterable[Path], ignore_errors: bool = False) -> None:
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=ignore_errors)


def _finish(
    partials: Sequence[Path], final: Path, made: manifest.Manifest, document: Mapping[str, Any] | None
) -> None:
    """Everything is on disk before the name appears: the rename makes the snapshot.

    The operator's part comes before the public one: there is never a snapshot that cannot be scanned.
    """
    partial, secret_partial = partials
    with (partial / manifest.FILE_NAME).open("xb") as out:
        out.write(made.to_bytes())
        out.flush()
        os.fsync(out.fileno())
    if document is not None:
        report = scan.compare(partial, document, made.namespace)
        if not report.ok:
            raise errors.Corrupt(
                f"{final}: expected nothing of the answer in it, found: "
                f"{'; '.join(map(str, report.findings[:5]))}; it is not published"
            )
        private.write(secret_partial, made.id, document)
        # One may be there, of a process that died before it published the public part.
        _discard([private.folder(final)])
        landing.publish(secret_partial, private.folder(final))
    landing.publish(partial, final)
