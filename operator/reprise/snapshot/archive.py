"""The archive form, `<name>.tar.zst`: written and read as a stream, the same bytes for the same snapshot.

A tar (POSIX 2001) of the snapshot's files in the order of their paths, the folder's own name left out, mtime,
uid and gid 0, mode 0644; in one zstd frame with a checksum. Reading trusts nothing: `_Member`, `_Frame`.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import zstandard

from reprise.domain import errors as domain_errors
from reprise.snapshot import landing, reader

SUFFIX = ".tar.zst"
LEVEL = 9
# A snapshot of 2 million spans has about 3 GB.
LIMIT_BYTES = 64 << 30
# NB: one block of 4 bytes can say "128 KiB of zeros": what is fed at once bounds what comes out (32 MiB).
_FEED_BYTES = 1024
_WINDOW_BYTES = 128 << 20
# A pax header holds a path; tarfile reads it into memory as a whole.
_HEADER_BYTES = 16 << 10


def pack(folder: Path | str, out: Path | str) -> None:
    """Write the archive of a snapshot. It appears whole or not at all.

    Raises NotFound, Corrupt when the snapshot is not what its manifest says, Conflict when `out` exists,
    Refused when it cannot be written.
    """
    final = Path(out)
    if final.exists():
        raise domain_errors.Conflict(
            f"{final}: expected no such file yet, found one; remove it or name another"
        )
    partial = final.with_name(final.name + landing.PARTIAL)
    try:
        try:
            with partial.open("wb") as target:
                write(reader.open_snapshot(folder), target)
                target.flush()
                os.fsync(target.fileno())
            partial.rename(final)
            landing.sync(final.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise domain_errors.Refused(
            f"{final}: expected a place to write to, found: {exc}; see its volume"
        ) from exc


def write(snapshot: reader.Snapshot, target: BinaryIO) -> None:
    """Write the archive into a stream. Raises Corrupt; the stream's own errors pass."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with (
        compressor.stream_writer(target, closefd=False) as frame,
        tarfile.open(fileobj=frame, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted([*snapshot.entries, reader.MANIFEST]):
            if path == reader.MANIFEST:
                _add(tar, path, len(snapshot.manifest), io.BytesIO(snapshot.manifest))
                continue
            entry = snapshot.entries[path]
            with snapshot.open(path) as data:
                hashing, size = _Hashing(data), os.fstat(data.fileno()).st_size
                _add(tar, path, size, cast(BinaryIO, hashing))
            problems = reader.mismatch(entry, size, hashing.digest.hexdigest())
            if problems:
                raise domain_errors.Corrupt(
                    f"{snapshot.folder}: {problems[0]}; only a whole snapshot is packed"
                )


def _add(tar: tarfile.TarFile, path: str, size: int, data: BinaryIO) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o644
    tar.addfile(member, data)


class _Hashing:
    """Reads through and keeps the digest."""

    def __init__(self, data: BinaryIO) -> None:
        self._data = data
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._data.read(size)
        self.digest.update(chunk)
        return chunk


def unpack(archive: Path | str, into: Path | str, limit_bytes: int = LIMIT_BYTES) -> Path:
    """Read an archive into the folder `into`, which must not exist; returns it.

    Raises NotFound, Refused (hostile members, no room, more than `limit_bytes`), Corrupt (cut, changed).
    """
    path = Path(archive)
    if not path.is_file():
        raise domain_errors.NotFound(f"{archive}: expected an archive ({SUFFIX}), found no such file")
    with path.open("rb") as source:
        return read(source, Path(into), str(archive), limit_bytes)


def read(source: BinaryIO, into: Path, where: str, limit_bytes: int = LIMIT_BYTES) -> Path:
    """The same from a stream; `where` names it in errors."""
    frame = _Frame(source)
    with _reading(where), landing.landing(into, limit_bytes) as target:
        with tarfile.open(fileobj=cast(Any, frame), mode="r|", tarinfo=_Member) as tar:
            while (member := tar.next()) is not None:
                data = tar.extractfile(member)
                if data is None:
                    raise domain_errors.Refused(f"{member.name[:120]!r}: expected plain files only")
                target.put(member.name, cast(BinaryIO, data))
                _forget(tar)
            # NB: a header that cannot be read ends a tar like its last block does.
            while chunk := cast(Any, tar.fileobj).read(_HEADER_BYTES):
                if chunk.strip(b"\0"):
                    raise domain_errors.Corrupt("expected the end of the tar, found more")
        if not frame.is_whole():
            raise domain_errors.Corrupt("expected one zstd frame, found something after it")
    return into


def manifest(source: BinaryIO, where: str) -> bytes:
    """The bytes of an archive's manifest, read as far as it goes. Raises Corrupt when there is none."""
    with (
        _reading(where),
        tarfile.open(fileobj=cast(Any, _Frame(source)), mode="r|", tarinfo=_Member) as tar,
    ):
        while (member := tar.next()) is not None:
            data = tar.extractfile(member) if member.name == reader.MANIFEST else None
            if data is not None:
                return data.read(reader.MANIFEST_BYTES)
            _forget(tar)
    raise domain_errors.Corrupt(f"{where}: expected {reader.MANIFEST} in the archive, found none")


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """What is wrong with an archive, told with where it is from."""
    try:
        yield
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as exc:
        raise domain_errors.Corrupt(
            f"{where}: expected a whole {SUFFIX} archive, found: {exc}; it is cut short or changed: "
            "fetch it again"
        ) from exc
    except domain_errors.Corrupt as exc:
        raise domain_errors.Corrupt(f"{where}: {exc}; it is cut short or changed: fetch it again") from exc
    except domain_errors.Refused as exc:
        raise domain_errors.Refused(f"{where}: {exc}") from exc


def _forget(tar: tarfile.TarFile) -> None:
    """NB: tarfile keeps every member that it has read, and typeshed does not know where."""
    cast(Any, tar).members.clear()


class _Member(tarfile.TarInfo):
    """Refuses, at the header, everything but plain files and small headers that hold a long path."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if problem := _member_problem(found):
            raise domain_errors.Refused(f"{found.name[:120]!r}: {problem}")
        return found


def _member_problem(found: tarfile.TarInfo) -> str:
    if found.type not in (tarfile.REGTYPE, tarfile.XHDTYPE):
        return f"expected plain files only, found type {found.type!r} (link, device, folder or another tar)"
    if found.type == tarfile.XHDTYPE and found.size > _HEADER_BYTES:
        return f"expected a header of at most {_HEADER_BYTES} bytes, found {found.size}"
    return ""


class _Frame:
    """A zstd frame as a stream, in bounded memory, that knows whether it was whole."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
        self._buffer = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end. Raises EOFError when the frame is cut short."""
        parts: list[bytes] = []
        while size > 0:
            if not self._buffer and not self._fill():
                break
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _fill(self) -> bool:
        while not self._buffer and not self._frame.eof:
            chunk = self._source.read(_FEED_BYTES)
            if not chunk:
                raise EOFError("the end of the file before the end of the data")
            self._buffer = self._frame.decompress(chunk)
        return bool(self._buffer)

    def is_whole(self) -> bool:
        """Whether the frame has ended, checksum and all, and the source with it."""
        return self._frame.eof and not self._frame.unused_data and not self._source.read(1)
