"""The retention policy of a run on the operator's volume."""

import asyncio
import logging
from collections.abc import Iterable

from reprise.adapters.kube import Json
from reprise.adapters.wire import benchmark_run
from reprise.domain import retention
from reprise.domain.run import Run
from reprise.handlers import lease
from reprise.handlers.runtime import Runtime
from reprise.snapshot import archive, kept

logger = logging.getLogger(__name__)


async def condemn(runtime: Runtime, run: Run) -> tuple[str, ...]:
    """Take away what the policy does not keep; returns the names of all that this run has taken away, what
    an earlier process took included. Raises Unreachable, Refused."""
    used = in_use(await lease.all_runs(runtime.kube)) | {run.ref.uid}
    return await asyncio.to_thread(_condemn, runtime, run, used)


def _condemn(runtime: Runtime, run: Run, used: frozenset[str]) -> tuple[str, ...]:
    if run.spec.retention is None:
        return ()
    directory = runtime.settings.data / "snapshots"
    there = kept.recorded(directory, kept.Origin(run.ref.namespace, run.spec.scenario), used)
    for item in retention.to_drop(run.spec.retention, there, runtime.clock()):
        logger.info("%s: its retention policy drops the snapshot %s", run.ref, item.name)
        kept.condemn(directory, item.name, run.ref.uid)
    return tuple(kept.condemned(directory, run.ref.uid))


async def discard(runtime: Runtime, run: Run) -> None:
    """Remove what was taken away. Raises Refused."""
    await asyncio.to_thread(kept.discard, runtime.settings.data / "snapshots", run.ref.uid)


def in_use(runs: Iterable[Json]) -> frozenset[str]:
    """Names of snapshots that a run still needs: that it records, or that it replays."""
    found = set()
    for item in runs:
        if lease.phase_of(item).terminal:
            continue
        found.add(str(item["metadata"]["uid"]))
        source = ((item.get("spec") or {}).get("snapshot") or {}).get("source") or ""
        found |= {str(source).removesuffix(archive.SUFFIX), benchmark_run.snapshot_name(item)}
    return frozenset(found - {""})
