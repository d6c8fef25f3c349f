"""Snapshots in other programs' formats. A format is a module with `write(snapshot, folder)`.

`export` checks the snapshot and lets the folder appear whole or not at all. Nothing here may read what is not
listed in the manifest.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from reprise.domain import errors
from reprise.snapshot import landing, reader
from reprise.snapshot.export import itbench, otlp, parquet

FORMATS: Mapping[str, Callable[[reader.Snapshot, Path], None]] = {
    "itbench": itbench.write,
    "parquet": parquet.write,
    "otlp": otlp.write,
}


def export(path: Path | str, form: str, out: Path | str) -> list[str]:
    """Write a snapshot in another format to the new folder `out`; returns its files' paths, sorted.

    Raises NotFound, Corrupt (the snapshot), InvalidInput (no such format), Conflict (`out` exists), Refused
    (it cannot be written), Unsupported (an optional module is not installed).
    """
    if form not in FORMATS:
        raise errors.InvalidInput(f"expected a format of {', '.join(FORMATS)}; found {form}")
    snapshot, final = reader.open_snapshot(path), Path(out)
    problems = snapshot.digest_problems()
    if problems:
        raise errors.Corrupt(f"{path}: {'; '.join(problems[:5])}; only a whole snapshot is exported")
    if final.exists():
        raise errors.Conflict(f"{final}: expected no such folder yet, found one; remove it or name another")
    partial = final.with_name(final.name + landing.PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a process that died
        partial.mkdir(parents=True)
        try:
            FORMATS[form](snapshot, partial)
            partial.rename(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as exc:
        raise errors.Refused(f"{final}: expected a place to write to, found: {exc}; see its volume") from exc
    return sorted(str(file.relative_to(final)) for file in final.rglob("*") if file.is_file())
