"""Snapshots that came from an archive or a store, each once, in a folder named after what is in it.

The name comes from the manifest's digest, and so from every byte of the snapshot: the same one is not fetched
again, wherever it comes from the next time.
"""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprise.domain import errors
from reprise.snapshot import archive, manifest, storage

LOCK = ".lock"


@dataclass(frozen=True)
class Found:
    """A snapshot that was looked at and not fetched yet. `digest` is its manifest's SHA-256 in hex."""

    address: str
    manifest: manifest.Manifest
    digest: str


def look(address: str) -> Found:
    """Read the manifest of a folder or archive. Raises what `storage.fetch` raises."""
    data = storage.manifest(address)
    return Found(address, manifest.from_bytes(data, address), hashlib.sha256(data).hexdigest())


def land(found: Found, final: Path, limit_bytes: int = archive.LIMIT_BYTES) -> Path:
    """The snapshot in the folder `final`, fetched unless it is there. Returns that folder.

    Whole or absent; two at once wait for each other. Raises what `storage.fetch` raises, and Corrupt when the
    store has another snapshot by now.
    """
    with _alone(final):
        if not final.is_dir():
            storage.fetch_as(found.address, final, limit_bytes)
        try:
            digest = hashlib.sha256((final / manifest.FILE_NAME).read_bytes()).hexdigest()
        except OSError as exc:
            digest = f"none ({exc})"
    if digest != found.digest:
        raise errors.Corrupt(
            f"{final}: expected the snapshot with the digest sha256:{found.digest}, found {digest}; "
            "remove that folder and try again"
        )
    return final


@contextmanager
def _alone(final: Path) -> Iterator[None]:
    """NB: the kernel lets go of the lock when the process dies."""
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        lock = final.with_name(final.name + LOCK).open("wb")
    except OSError as exc:
        raise errors.Refused(f"{final}: expected a place to write to, found: {exc}; see its volume") from exc
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
