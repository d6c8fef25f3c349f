"""Is a snapshot what its manifest says? Every difference at once."""

import dataclasses
import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reprise.domain import errors
from reprise.snapshot import manifest as manifests
from reprise.snapshot import schema

# Without these no incident can be worked on.
REQUIRED = (
    "api/version.json",
    "api/apis.json",
    "k8s_events_raw.tsv",
    "k8s_objects_raw.tsv",
    "objects/core~v1~events.jsonl",
    "objects/core~v1~pods.jsonl",
    "otel_logs_raw.tsv",
    "otel_traces_raw.tsv",
    "topology.json",
)
_CHUNK_BYTES = 1 << 20
PARTIAL = manifests.PARTIAL


@dataclass(frozen=True)
class VerifyReport:
    """`problems` is empty when the snapshot is whole. `digest` is that of the manifest, "" without one."""

    path: str
    digest: str
    files: int
    rows: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(path: Path | str) -> VerifyReport:
    """Check schema, timeline, and every file's presence, size, digest and rows.

    Raises NotFound when there is no folder. Reads each file once; memory does not grow with them.
    """
    root = Path(path)
    if not root.is_dir():
        half = root.with_name(root.name + PARTIAL)
        raise errors.NotFound(
            f"expected a snapshot folder, found nothing at {root}; "
            + (f"{half.name} was cut off while it was written: record again" if half.is_dir() else "")
            + ("" if half.is_dir() else "name one that was recorded")
        )
    if root.name.endswith(PARTIAL):
        text = "half-written: it was cut off while it was recorded; record again"
        return VerifyReport(str(root), "", 0, 0, (text,))
    try:
        data = (root / manifests.FILE_NAME).read_bytes()
        manifest = manifests.from_bytes(data)
    except FileNotFoundError:
        return VerifyReport(str(root), "", 0, 0, (f"{manifests.FILE_NAME}: missing",))
    except errors.Corrupt as exc:
        return VerifyReport(str(root), "", 0, 0, (str(exc),))
    problems = [*_timeline(manifest), *_files(root, manifest)]
    return VerifyReport(
        path=str(root),
        digest="sha256:" + hashlib.sha256(data).hexdigest(),
        files=len(manifest.files),
        rows=sum(entry.rows for entry in manifest.files),
        problems=tuple(problems),
    )


def verify_all(path: Path | str) -> VerifyReport:
    """`verify`, and whether every document has the shape of the format. Parses what it reads: slower."""
    report = verify(path)
    if not report.digest:
        return report
    shapes = schema.schema_problems(path, only_present=True)
    return dataclasses.replace(report, problems=(*report.problems, *shapes))


def _timeline(manifest: manifests.Manifest) -> Iterator[str]:
    before: tuple[str, dt.datetime] | None = None
    for name in manifests.TIMELINE:
        text = manifest.timeline.get(name)
        if text is None:
            # A control injects nothing, so only the two ends must be known.
            if name in ("baselineAt", "recordedAt"):
                yield f"timeline: {name} is missing"
            continue
        try:
            time = dt.datetime.fromisoformat(text)
        except ValueError:
            yield f"timeline: {name}: expected an RFC 3339 time, found {text!r}"
            continue
        if time.tzinfo is None:
            yield f"timeline: {name}: expected a time with its zone, found {text!r}"
            continue
        if before and time < before[1]:
            yield f"timeline: expected {before[0]} before {name}, found {before[1].isoformat()} after {text}"
        before = (name, time)


def _files(root: Path, manifest: manifests.Manifest) -> Iterator[str]:
    listed: set[str] = set()
    for entry in manifest.files:
        name = entry.path
        if name in listed:
            yield f"{name}: listed twice in the manifest"
        listed.add(name)
        path = root / name
        if not manifests.stays_inside(name):
            yield (
                f"{name}: expected a path inside the snapshot, of letters, digits and ._~- between slashes"
            )
        elif not path.resolve().is_relative_to(root.resolve()) or path.is_symlink() or not path.is_file():
            yield f"{name}: missing" if not path.exists() else f"{name}: expected a plain file"
        else:
            yield from _one(path, entry)
    yield from (f"{name}: not listed in the manifest" for name in REQUIRED if name not in listed)
    if not any(name.startswith("alerts/") for name in listed):
        yield "alerts/: expected at least one file"
    here = {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
    }
    yield from (
        f"{name}: not listed in the manifest"
        for name in sorted(here - listed - {manifests.FILE_NAME} - set(REQUIRED))
    )


def _one(path: Path, entry: manifests.FileEntry) -> Iterator[str]:
    digest, size, lines, last = hashlib.sha256(), 0, 0, b"\n"
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    if size != entry.size_bytes:
        yield f"{entry.path}: expected {entry.size_bytes} bytes, found {size}"
    if digest.hexdigest() != entry.sha256:
        yield f"{entry.path}: expected sha256 {entry.sha256}, found {digest.hexdigest()}"
    found = _rows(entry.path, lines + (last != b"\n"))
    if found is not None and found != entry.rows:
        yield f"{entry.path}: expected {entry.rows} rows, found {found}"


def _rows(name: str, lines: int) -> int | None:
    """One row is one line, after the header where there is one; None for documents, which count their own."""
    if name.endswith(".tsv") or name.startswith("objects/"):
        return lines - 1
    return lines if name.endswith((".jsonl", ".log")) else None
