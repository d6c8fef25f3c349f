"""Where a replayed run's snapshot is: in the operator's volume, or brought there from an archive or a store.

What is brought lies beside the recorded ones as `fetched-<digest>`, with the operator's part beside it:
without that nothing can be scored, so it is looked for before anything large is fetched.
"""

import asyncio
import shutil
from pathlib import Path

from reprise.adapters.wire import benchmark_run
from reprise.domain import errors
from reprise.domain.run import Run
from reprise.handlers import lease
from reprise.handlers.runtime import Runtime
from reprise.snapshot import archive, fetched, kept, landing, manifest, private, storage

PREFIX = "fetched-"


async def ensure(runtime: Runtime, run: Run) -> Path:
    """The folder of the snapshot that the run names, fetched unless it is there.

    Raises NotFound when there is no such snapshot or nothing to score it with, Corrupt, Refused (hostile
    members, no room, no permission), Unsupported, InvalidInput, Unreachable.
    """
    directory = runtime.settings.data / "snapshots"
    source = run.spec.source
    if "://" not in source and not source.endswith(archive.SUFFIX):
        if not (directory / source).is_dir():
            raise errors.NotFound(
                f"expected a snapshot called {source} in the operator's volume, found none; the status of "
                "the run that recorded it has its path, and a retention policy may have dropped it since"
            )
        return directory / source
    address = source if "://" in source else str(directory / source)
    return await asyncio.to_thread(_bring, directory, address)


def _bring(directory: Path, address: str) -> Path:
    found = fetched.look(address)
    final = directory / f"{PREFIX}{found.digest}"
    _ensure_private(directory, found, final)
    # Half of what is free: a node without room evicts pods, the operator's own among them.
    limit = min(archive.LIMIT_BYTES, shutil.disk_usage(directory).free // 2)
    try:
        fetched.land(found, final, limit)
    except errors.RepriseError:
        if not final.is_dir():
            shutil.rmtree(private.folder(final), ignore_errors=True)
        raise
    # NB: another run that failed to fetch the same may have taken it away.
    _ensure_private(directory, found, final)
    return final


def _has_private(snapshot: Path, snapshot_id: str) -> bool:
    try:
        private.read(private.folder(snapshot), snapshot_id)
    except (errors.NotFound, errors.Corrupt):
        return False
    return True


def _ensure_private(directory: Path, found: fetched.Found, final: Path) -> None:
    """The operator's part beside `final`: from the volume, where the run that recorded it has left it, else
    from beside the snapshot in its store."""
    if _has_private(final, found.manifest.id):
        return
    into = private.folder(final)
    for beside in sorted(directory.glob(f"*{private.ENDING}")):
        snapshot = beside.with_name(beside.name.removesuffix(private.ENDING))
        if beside != into and _has_private(snapshot, found.manifest.id):
            names = (manifest.FILE_NAME, private.FILE_NAME)
            landing.write_files(into, {name: (beside / name).read_bytes() for name in names})
            return
    try:
        storage.fetch_private(found.address, into)
        private.read(into, found.manifest.id)
    except errors.NotFound as exc:
        raise errors.NotFound(
            f"{found.address}: expected the operator's part of the snapshot, in the operator's volume or "
            f"beside it in its store; found neither ({exc}); `reprise snapshot push --with-private` puts it "
            "there"
        ) from exc
    except errors.Corrupt:
        shutil.rmtree(into, ignore_errors=True)
        raise


def folder(runtime: Runtime, run: Run) -> Path:
    """The same, once the run's status says which it is."""
    snapshot = run.status.snapshot
    name = snapshot.name if snapshot else run.spec.source
    return runtime.settings.data / "snapshots" / name


async def forget(runtime: Runtime, run: Run) -> None:
    """Remove what was brought for this run, unless another one has to do with it or may be about to."""
    path = folder(runtime, run)
    if run.status.snapshot is None or not path.name.startswith(PREFIX):
        return
    for item in await lease.all_runs(runtime.kube):
        if item["metadata"]["uid"] == run.ref.uid or not lease.is_replay(item):
            continue
        other = benchmark_run.snapshot_name(item)
        if other == path.name or (not other and not lease.phase_of(item).terminal):
            return
    await asyncio.to_thread(_remove, path, run.ref.uid)


def _remove(path: Path, by: str) -> None:
    kept.condemn(path.parent, path.name, by)
    kept.discard(path.parent, by)
    path.with_name(path.name + fetched.LOCK).unlink(missing_ok=True)
