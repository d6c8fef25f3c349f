"""Reads a snapshot (schema version 2) as streams: what is held is one line, one object, one trace at a time.

Nothing here knows what the records mean; that is for whoever reads them. A path of the manifest is checked
before it is opened: a snapshot may come from a stranger.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from reprise.domain import errors
from reprise.snapshot import manifest as manifests
from reprise.snapshot import private

Json = dict[str, Any]
SCHEMA_VERSION = manifests.SCHEMA_VERSION
MANIFEST = manifests.FILE_NAME
# The operator's part lies beside the snapshot under this ending.
PRIVATE = private.ENDING
PATH_BYTES, SEGMENT_BYTES = 1024, 255
# One of 100,000 files has 20 MB.
MANIFEST_BYTES = 64 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A file as the manifest lists it: path, hex digest, size."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Head:
    """What the first line of an `objects/` file says. `name` is `<group or core>~<version>~<plural>`."""

    name: str
    api_version: str
    kind: str
    plural: str
    namespaced: bool
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """An object as it was recorded, with its Table cells (None where there is no Table)."""

    head: Head
    cells: Sequence[Any] | None
    object: Json


@dataclass(frozen=True)
class Observation:
    """Something that happened to an object: type BASE, ADDED, MODIFIED or DELETED, and when it was seen."""

    name: str
    type: str
    time: dt.datetime
    object: Json


@dataclass(frozen=True)
class LogLine:
    """A container's line: `time` as the kubelet wrote it (RFC 3339), `text` without the time and newline."""

    namespace: str
    pod: str
    container: str
    previous: bool
    time: str
    text: bytes


@dataclass(frozen=True)
class Series:
    """One series; points are (ms since 1970, text of the value; "stale" for the staleness marker)."""

    metric: Mapping[str, str]
    points: Sequence[tuple[int, str]]


def path_problem(path: str) -> str:
    """Why a path must not be used inside a snapshot; "" for a good one."""
    segments = path.split("/")
    if not path or path.startswith("/"):
        return "expected a path relative to the snapshot"
    if len(path.encode()) > PATH_BYTES or any(len(part) > SEGMENT_BYTES for part in segments):
        return f"expected at most {PATH_BYTES} bytes and {SEGMENT_BYTES} a segment"
    if not manifests.stays_inside(path):
        return "expected segments of A-Z a-z 0-9 . _ ~ - only, none of them '..'"
    return ""


def parse_time(text: str) -> dt.datetime:
    """RFC 3339 with a zone as an aware time in UTC (to the microsecond). Raises Corrupt."""
    try:
        time = dt.datetime.fromisoformat(text)
    except (ValueError, TypeError) as exc:
        raise errors.Corrupt(f"expected an RFC 3339 time, found {text!r}") from exc
    if time.tzinfo is None:
        raise errors.Corrupt(f"expected a time with its zone, found {text!r}")
    return time.astimezone(dt.UTC)


def entries(document: Mapping[str, Any], where: str) -> tuple[Entry, ...]:
    """The files of a parsed manifest, public or private. Raises Corrupt for a bad or doubled path."""
    found: dict[str, Entry] = {}
    try:
        for item in document["files"]:
            entry = Entry(str(item["path"]), str(item["sha256"]), int(item["bytes"]))
            problem = path_problem(entry.path)
            if not problem and (entry.path == MANIFEST or entry.path in found):
                problem = "expected it once"
            if not problem and (not _SHA256.fullmatch(entry.sha256) or entry.size_bytes < 0):
                problem = "expected a sha256 and a size"
            if problem:
                raise errors.Corrupt(f"{where}: files: {entry.path[:120]!r}: {problem}")
            found[entry.path] = entry
    except (KeyError, TypeError, ValueError) as exc:
        raise errors.Corrupt(f"{where}: expected a list of files, found {exc!r}") from exc
    return tuple(sorted(found.values(), key=lambda entry: entry.path))


class Snapshot:
    """A snapshot in a folder. Made by `open_snapshot`; every method reads its file anew."""

    def __init__(self, folder: Path, manifest: bytes) -> None:
        self.folder = folder
        self.manifest = manifest
        self.document: Json = manifests.parse(manifest, str(folder / MANIFEST))
        self.entries = {entry.path: entry for entry in entries(self.document, str(folder / MANIFEST))}

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of manifest.json and so of everything."""
        return "sha256:" + hashlib.sha256(self.manifest).hexdigest()

    @property
    def namespace(self) -> str:
        return str(self.document.get("namespace", ""))

    def time(self, name: str) -> dt.datetime | None:
        """A time of the timeline (baselineAt, injectedAt, symptomAt, recordedAt); None when not known."""
        text = (self.document.get("timeline") or {}).get(name)
        return parse_time(text) if text else None

    def needed_time(self, name: str) -> dt.datetime:
        """The same. Raises Corrupt when it is not known."""
        found = self.time(name)
        if found is None:
            raise errors.Corrupt(f"{self.folder}: expected {name} in the manifest's timeline, found none")
        return found

    def open(self, path: str) -> BinaryIO:
        """A listed file. Raises NotFound when it is not listed, Corrupt when it is gone or a link."""
        if path not in self.entries:
            raise errors.NotFound(f"{self.folder}: expected {path} in its manifest, found no such file")
        full = self.folder / path
        if not is_plain(self.folder, path):
            raise errors.Corrupt(f"{full}: expected a plain file, found none; fetch the snapshot again")
        return full.open("rb")

    def digest_problems(self, paths: Iterable[str] | None = None) -> list[str]:
        """Every difference between files (all by default) and their sizes and digests in the manifest."""
        problems = []
        for path in self.entries if paths is None else paths:
            try:
                with self.open(path) as data:
                    problems += stream_problems(self.entries[path], data)
            except errors.Corrupt as exc:
                problems.append(str(exc))
        return problems

    # -- documents ----------------------------------------------------------------------------------

    def json(self, path: str) -> Any:
        """A JSON document. Raises NotFound, Corrupt."""
        with self.open(path) as data:
            return _loads(data.read(), path)

    def lines(self, path: str) -> Iterator[Any]:
        """A file of JSON lines."""
        with self.open(path) as data:
            for number, line in enumerate(data, 1):
                yield _loads(line, f"{path}:{number}")

    def names(self, prefix: str, suffix: str = "") -> list[str]:
        """Listed paths that begin and end so, sorted."""
        return sorted(path for path in self.entries if path.startswith(prefix) and path.endswith(suffix))

    # -- objects ------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Head]:
        """The first line of every `objects/` file."""
        for path in self.names("objects/", ".jsonl"):
            for line in self.lines(path):
                yield _head(path, line)
                break

    def objects(self, name: str = "") -> Iterator[Stored]:
        """Every recorded object, of one collection when a name is given."""
        for path in [f"objects/{name}.jsonl"] if name else self.names("objects/", ".jsonl"):
            lines = self.lines(path)
            first = next(lines, None)
            if first is None:
                raise errors.Corrupt(f"{path}: expected a first line with apiVersion and kind, found none")
            head = _head(path, first)
            for line in lines:
                _needs(path, line, "object")
                yield Stored(head, line.get("cells"), _object(path, line["object"]))

    def history(self, name: str = "") -> Iterator[Observation]:
        """What happened to the objects, collection by collection, in order within each."""
        for path in [f"history/{name}.jsonl"] if name else self.names("history/", ".jsonl"):
            for line in self.lines(path):
                _needs(path, line, "type", "time", "object")
                yield Observation(
                    _stem(path), line["type"], parse_time(line["time"]), _object(path, line["object"])
                )

    # -- signals ------------------------------------------------------------------------------------

    def events(self) -> Iterator[Stored | Observation]:
        """Every observation of an Event (core/v1); what was recorded where there is no history."""
        if "history/core~v1~events.jsonl" in self.entries:
            yield from self.history("core~v1~events")
        elif "objects/core~v1~events.jsonl" in self.entries:
            yield from self.objects("core~v1~events")

    def alerts(self) -> list[Json]:
        """Alerts pending or firing when it was recorded, in the shape of Prometheus' API."""
        found: list[Json] = []
        for path in self.names("alerts/alerts_at_", ".json"):
            document = self.json(path)
            found += self._alerts(
                path, document["data"]["alerts"] if isinstance(document, dict) else document
            )
        return found

    def alert_history(self) -> list[Json]:
        """Every stretch in which an alert was pending or firing."""
        path = "alerts/history.json"
        found = self._alerts(path, self.json(path)) if path in self.entries else []
        for item in found:
            _needs(path, item, "startedAt")
        return found

    def _alerts(self, path: str, found: Any) -> list[Json]:
        for item in found:
            _needs(path, item, "labels", "state")
        return list(found)

    def traces(self) -> Iterator[Json]:
        """Every trace as Jaeger's UI JSON."""
        yield from self.lines("traces/traces.jsonl")

    def log_files(self) -> Iterator[tuple[str, str, str, bool, str]]:
        """(namespace, pod, container, previous?, path) of every log."""
        for path in self.names("logs/", ".log"):
            parts = path.split("/")
            if len(parts) != 4:
                raise errors.Corrupt(f"{path}: expected logs/<namespace>/<pod>/<container>.log")
            _, namespace, pod, file = parts
            container = file.removesuffix(".log")
            previous = container.endswith(".previous")
            yield namespace, pod, container.removesuffix(".previous"), previous, path

    def log_lines(self) -> Iterator[LogLine]:
        """Every line of every log, as bytes: containers write what they like."""
        for namespace, pod, container, previous, path in self.log_files():
            with self.open(path) as data:
                for line in data:
                    time, _, text = line.removesuffix(b"\n").partition(b" ")
                    yield LogLine(namespace, pod, container, previous, time.decode("ascii", "replace"), text)

    def series(self) -> Iterator[Series]:
        """Every series with its samples at their scrape times."""
        for line in self.lines("metrics/series.jsonl"):
            _needs("metrics/series.jsonl", line, "metric", "t", "v")
            if len(line["t"]) != len(line["v"]):
                raise errors.Corrupt("metrics/series.jsonl: expected as many times as values")
            at, points = 0, []
            for step, value in zip(line["t"], line["v"], strict=True):
                at += step
                points.append((at, value))
            yield Series(line["metric"], points)

    def edges(self) -> list[Json]:
        """The edges of the topology: source, relation, target, meta?."""
        document = self.json("topology.json")
        _needs("topology.json", document, "edges")
        for edge in document["edges"]:
            _needs("topology.json", edge, "source", "relation", "target")
        return list(document["edges"])


def open_snapshot(path: Path | str) -> Snapshot:
    """Raises NotFound when there is no snapshot there, Corrupt when its manifest cannot be read."""
    folder = Path(path)
    try:
        return Snapshot(folder, (folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise errors.NotFound(
            f"expected a snapshot folder, found no {MANIFEST} in {folder}; name one that was recorded"
        ) from exc


def is_plain(folder: Path, path: str) -> bool:
    """Whether this is a file, with no link on the way from the folder to it."""
    at = folder
    for part in path.split("/"):
        at /= part
        if at.is_symlink():
            return False
    return at.is_file()


def stream_problems(entry: Entry, data: BinaryIO) -> list[str]:
    """What a stream's size and digest lack; it is read to its end."""
    digest, size = hashlib.sha256(), 0
    while chunk := data.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return mismatch(entry, size, digest.hexdigest())


def mismatch(entry: Entry, size: int, sha256: str) -> list[str]:
    """Texts for what differs from the manifest."""
    if size != entry.size_bytes:
        return [f"{entry.path}: expected {entry.size_bytes} bytes, found {size}"]
    if sha256 != entry.sha256:
        return [f"{entry.path}: expected sha256 {entry.sha256}, found {sha256}"]
    return []


def _needs(where: str, record: Any, *fields: str) -> None:
    """What everybody who reads such a record relies on. `schema.py` looks at all of it."""
    lacking = [name for name in fields if not isinstance(record, dict) or name not in record]
    if lacking:
        raise errors.Corrupt(f"{where}: expected {', '.join(lacking)}, found {str(record)[:120]}")


def _object(where: str, found: Any) -> Json:
    meta = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        raise errors.Corrupt(f"{where}: expected an object with metadata.name, found {str(found)[:120]}")
    return dict(found)


def _stem(path: str) -> str:
    return path.partition("/")[2].removesuffix(".jsonl")


def _head(path: str, line: Any) -> Head:
    try:
        return Head(
            _stem(path), line["apiVersion"], line["itemKind"], line["plural"], line["namespaced"], line
        )
    except (KeyError, TypeError) as exc:
        raise errors.Corrupt(f"{path}: expected a first line with apiVersion and itemKind: {exc!r}") from exc


def _loads(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as exc:
        raise errors.Corrupt(f"{where}: expected JSON, found: {exc}") from exc
