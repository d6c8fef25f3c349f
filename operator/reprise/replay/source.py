"""Which snapshot is served: its folder, what it is called, and the times between which it was recorded."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprise.domain import access, errors, redaction
from reprise.snapshot import manifest


@dataclass(frozen=True)
class Source:
    """`digest` is the SHA-256 of manifest.json in hex, and so that of the whole snapshot. Times are aware.

    `injector_visible`: objects of the fault injector were recorded, so whoever reads may see it.
    """

    root: Path
    id: str
    namespace: str
    digest: str
    timeline: Mapping[str, dt.datetime]
    injector_visible: bool = False

    @property
    def begin(self) -> dt.datetime:
        return self.timeline["baselineAt"]

    @property
    def end(self) -> dt.datetime:
        return self.timeline["recordedAt"]


def read(root: Path) -> Source:
    """Read the manifest. Raises NotFound without one, Corrupt when it is not of this version."""
    try:
        data = (root / manifest.FILE_NAME).read_bytes()
    except FileNotFoundError as exc:
        raise errors.NotFound(f"expected a snapshot folder, found no {manifest.FILE_NAME} in {root}") from exc
    found = manifest.from_bytes(data)
    times = {name: redaction.parse_time(text) for name, text in found.timeline.items()}
    known = {name: time for name, time in times.items() if time is not None}
    missing = [name for name in ("baselineAt", "recordedAt") if name not in known]
    if missing:
        raise errors.Corrupt(
            f"{manifest.FILE_NAME}: timeline: expected RFC 3339 times of {', '.join(missing)}"
        )
    return Source(
        root=root,
        id=found.id,
        namespace=found.namespace,
        digest=hashlib.sha256(data).hexdigest(),
        timeline=known,
        injector_visible=any((root / "objects").glob(f"{access.INJECTOR_GROUP}~*")),
    )
