"""`manifest.json`: what a snapshot holds, of which run, and how to tell that it is whole."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reprise.domain import errors

SCHEMA_VERSION = 2
FILE_NAME = "manifest.json"
# Of a folder that is being written; what is left under it was cut off.
PARTIAL = ".partial"
# What a part of a path inside a snapshot is made of.
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")


def stays_inside(path: str) -> bool:
    """Whether a path is made of plain names alone, and so leads nowhere but into the snapshot."""
    return all(_SEGMENT.fullmatch(part) and part not in (".", "..") for part in path.split("/"))


# In the order in which they happen. The last two are set when the file is written and later.
TIMELINE = ("baselineAt", "injectedAt", "symptomAt", "recordedAt")


@dataclass(frozen=True)
class FileEntry:
    """One file: path relative to the snapshot, hex digest, size, rows (lines, objects, alerts, nodes)."""

    path: str
    sha256: str
    size_bytes: int
    rows: int


@dataclass(frozen=True)
class Missing:
    """Something that ought to be there and is not, and why."""

    signal: str
    what: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """`timeline` holds RFC 3339 UTC times under the names of `TIMELINE`, as far as they are known.

    `id` is `RecordRequest.snapshot_id`: nothing in it tells the run.
    """

    id: str
    namespace: str
    seed: int
    timeline: Mapping[str, str]
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()
    missing: tuple[Missing, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def to_bytes(self) -> bytes:
        """The file's bytes: the same for the same manifest."""
        document = {
            "schemaVersion": self.schema_version,
            "id": self.id,
            "namespace": self.namespace,
            "seed": self.seed,
            "timeline": {key: self.timeline[key] for key in TIMELINE if key in self.timeline},
            "versions": dict(sorted(self.versions.items())),
            "settings": dict(sorted(self.settings.items())),
            "files": [
                {"path": f.path, "sha256": f.sha256, "bytes": f.size_bytes, "rows": f.rows}
                for f in sorted(self.files, key=lambda f: f.path)
            ],
            "missing": [{"signal": m.signal, "what": m.what, "why": m.why} for m in self.missing],
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of manifest.json, and so, through the files' digests, of the whole snapshot."""
        return "sha256:" + hashlib.sha256(self.to_bytes()).hexdigest()


def parse(data: bytes, where: str = FILE_NAME) -> dict[str, Any]:
    """A manifest, public or private, as JSON. Raises Corrupt when it is none of this schema version."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise errors.Corrupt(f"{where}: expected the manifest of a snapshot as JSON, found {exc!r}") from exc
    if not isinstance(document, dict) or "schemaVersion" not in document:
        raise errors.Corrupt(
            f"{where}: expected the manifest of a snapshot, schemaVersion {SCHEMA_VERSION}, "
            f"found {data[:60]!r}; name one that was recorded"
        )
    version = document["schemaVersion"]
    if version != SCHEMA_VERSION:
        raise errors.Corrupt(
            f"{where}: expected schemaVersion {SCHEMA_VERSION}, found {version!r}; {_advice(version)}"
        )
    return document


def from_bytes(data: bytes, where: str = FILE_NAME) -> Manifest:
    """Read manifest.json. Raises Corrupt with what does not fit."""
    document = parse(data, where)
    try:
        return Manifest(
            id=_text(document["id"]),
            namespace=_text(document["namespace"]),
            seed=int(document["seed"]),
            timeline={str(key): _text(value) for key, value in document["timeline"].items()},
            versions={str(key): _text(value) for key, value in document["versions"].items()},
            settings=dict(document["settings"]),
            files=tuple(
                FileEntry(_text(f["path"]), _text(f["sha256"]), int(f["bytes"]), int(f["rows"]))
                for f in document["files"]
            ),
            missing=tuple(
                Missing(_text(m["signal"]), _text(m["what"]), _text(m["why"])) for m in document["missing"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise errors.Corrupt(f"{where}: expected the manifest of a snapshot, found {exc!r}") from exc


def _advice(version: object) -> str:
    if isinstance(version, int) and version > SCHEMA_VERSION:
        return "it was recorded by a later release: read it with that one, or update this one"
    if version == 1:
        return "version 1 has no discovery, history or raw logs to serve: record the scenario again"
    return "this is no version that was ever written: record the scenario again"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {value!r}")
    return value
