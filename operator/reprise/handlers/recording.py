"""Record a run's snapshot in a thread with an event loop and connections of its own: handlers must answer."""

import asyncio
import datetime as dt
import functools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reprise
from reprise.adapters import run_document
from reprise.adapters.jaeger import Jaeger
from reprise.adapters.kube import Kube
from reprise.adapters.prometheus import Prometheus
from reprise.adapters.run_store import RunStore
from reprise.domain import errors, run_status, scenario
from reprise.domain.run import Run
from reprise.handlers.runtime import Scenarios
from reprise.handlers.watching import Watchers
from reprise.snapshot import recorder, verify
from reprise.snapshot.request import RecordRequest


@dataclass(frozen=True)
class Sources:
    """Connections that belong to the loop that opened them."""

    kube: Kube
    prometheus: Prometheus
    jaeger: Jaeger


Connect = Callable[[], AbstractAsyncContextManager[Sources]]


class ThreadRecorder:
    """`runtime.Recorder` on a real cluster; snapshots go to `directory/<run uid>`."""

    def __init__(
        self, connect: Connect, directory: Path, scenarios: Scenarios, store: RunStore, watchers: Watchers
    ) -> None:
        self._connect = connect
        self._directory = directory
        self._scenarios = scenarios
        self._store = store
        self._watchers = watchers

    async def record(self, run: Run) -> run_status.Snapshot:
        wanted = await self._scenarios.get(run.spec.scenario)
        timeline = run.status.timeline
        if wanted is None or timeline.baseline_at is None:
            raise errors.Corrupt(f"{run.ref}: expected a known scenario and a baseline before recording")
        request = RecordRequest(
            run_uid=run.ref.uid,
            namespace=run.spec.application.namespace,
            seed=run.spec.seed,
            baseline_at=timeline.baseline_at - dt.timedelta(seconds=run.spec.gates.baseline_window_seconds),
            recorded_at=dt.datetime.now(dt.UTC),
            injected_at=None if wanted.control else timeline.injected_at,
            symptom_at=None if wanted.control else timeline.symptom_at,
            injector_hidden=wanted.injector is scenario.Injector.HIDDEN,
            run_name=run.ref.name,
            # NB: not under the product's name, which nobody may read in a snapshot.
            versions={"recorder": reprise.__version__},
            # Neither the scenario's name nor its symptoms: they could be the answer.
            settings={"baselineWindowSeconds": run.spec.gates.baseline_window_seconds},
        )
        uid = run.ref.uid
        planned, true = await self._store.load_plan(uid), await self._store.load_truth(uid)
        if planned is None or true is None:
            raise errors.Corrupt(f"{run.ref}: expected its stored plan and truth, found none")
        # From here on the recorder alone writes to the spools; when it fails, it takes them up again itself.
        await self._watchers.pause(uid)
        work = functools.partial(
            self._record,
            self._directory / uid,
            request,
            run_document.document(run, wanted, planned, true),
            timeout_seconds=run.spec.gates.record_timeout_seconds,
        )
        return await asyncio.to_thread(_in_own_loop, work)

    async def _record(
        self, path: Path, request: RecordRequest, secret: Mapping[str, Any], *, timeout_seconds: float
    ) -> run_status.Snapshot:
        try:
            async with asyncio.timeout(timeout_seconds), self._connect() as sources:
                await recorder.record(
                    sources.kube,
                    sources.prometheus,
                    sources.jaeger,
                    path,
                    request,
                    spools=self._watchers.spools(request.run_uid),
                    secrets=secret,
                )
        except TimeoutError as exc:
            raise errors.Unreachable(f"expected the snapshot within {timeout_seconds} s") from exc
        report = await asyncio.to_thread(verify.verify, path)
        if not report.ok:
            raise errors.Corrupt(f"{path}: the snapshot does not verify: {'; '.join(report.problems[:5])}")
        return run_status.Snapshot(str(path), report.digest, report.files)


def _in_own_loop(work: Callable[[], Awaitable[run_status.Snapshot]]) -> run_status.Snapshot:
    async def main() -> run_status.Snapshot:
        return await work()

    return asyncio.run(main())
