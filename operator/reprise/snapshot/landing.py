"""A snapshot that comes from elsewhere lands in a folder: whole, checked, or not at all."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reprise.domain import errors
from reprise.snapshot import manifest, reader

PARTIAL = manifest.PARTIAL
_CHUNK_BYTES = 1 << 20


class Landing:
    """The folder under construction. `put` each file, then `finish`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._left_bytes = limit_bytes
        self._limit_bytes = limit_bytes
        self._seen: dict[str, tuple[int, str]] = {}

    def put(self, path: str, data: BinaryIO) -> None:
        """Write one file from a stream. Raises Refused for a hostile path, a second one, or too much data."""
        problem = reader.path_problem(path) or ("expected it once" if path in self._seen else "")
        if problem:
            raise errors.Refused(f"{path[:120]!r}: {problem}; this is no snapshot of ours")
        full = self._folder / path
        digest, size = hashlib.sha256(), 0
        with _writing(full):
            full.parent.mkdir(parents=True, exist_ok=True)
            # NB: unbuffered, so that closing after a full disk has nothing left to fail with.
            out = full.open("xb", buffering=0)
        with out:
            while chunk := data.read(_CHUNK_BYTES):
                size += len(chunk)
                self._left_bytes -= len(chunk)
                if self._left_bytes < 0:
                    raise errors.Refused(
                        f"{path}: expected at most {self._limit_bytes} bytes in all, found more; "
                        "allow more (--max-bytes) if you trust where it is from"
                    )
                digest.update(chunk)
                left = memoryview(chunk)
                with _writing(full):
                    while left:
                        left = left[out.write(left) :]
            with _writing(full):
                os.fsync(out.fileno())
        self._seen[path] = (size, digest.hexdigest())

    def check(self) -> None:
        """Raises Corrupt with every difference between what came and the manifest that came with it."""
        if reader.MANIFEST not in self._seen:
            raise errors.Corrupt(f"expected {reader.MANIFEST} among the files, found none: it is cut short")
        data = (self._folder / reader.MANIFEST).read_bytes()
        listed = {e.path: e for e in reader.entries(manifest.parse(data), "manifest")}
        problems = [f"{path}: missing" for path in sorted(listed.keys() - self._seen.keys())]
        for path, (size, sha256) in sorted(self._seen.items()):
            if path in listed:
                problems += reader.mismatch(listed[path], size, sha256)
            elif path != reader.MANIFEST:
                problems.append(f"{path}: not listed in the manifest")
        if problems:
            raise errors.Corrupt("; ".join(problems[:5]) + f" ({len(problems)} problems)")


@contextmanager
def landing(final: Path, limit_bytes: int) -> Iterator[Landing]:
    """A Landing whose folder gets the name `final` when the block ends well; on any error nothing is left.

    Raises Conflict when something is there already, Refused when it cannot be written.
    """
    if final.exists() or final.is_symlink():
        raise errors.Conflict(f"{final}: expected no such folder yet, found one; remove it or name another")
    partial = final.with_name(final.name + PARTIAL)
    with _writing(final):
        if partial.exists():
            shutil.rmtree(partial)  # of a process that died
        partial.mkdir(parents=True)
    try:
        found = Landing(partial, limit_bytes)
        yield found
        found.check()
        with _writing(final):
            publish(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def write_files(final: Path, files: Mapping[str, bytes]) -> None:
    """A new folder of a few small files, whole or absent. One that is there already is replaced.

    Raises Refused when it cannot be written.
    """
    partial = final.with_name(final.name + PARTIAL)
    with _writing(final):
        for folder in (partial, final):
            if folder.exists():
                shutil.rmtree(folder)
        try:
            partial.mkdir(parents=True, mode=0o700)
            for name, data in files.items():
                with (partial / name).open("xb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
            publish(partial, final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Our own disk's errors; those of where the data come from pass as they are."""
    try:
        yield
    except OSError as exc:
        raise errors.Refused(f"{path}: expected a place to write to, found: {exc}; see its volume") from exc


def publish(partial: Path, final: Path) -> None:
    """Everything is on disk before the name appears. Raises OSError."""
    for folder, _, _ in os.walk(partial):
        sync(Path(folder))
    partial.rename(final)
    sync(final.parent)


def sync(folder: Path) -> None:
    """Names in the folder are on disk when this returns."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
