"""Snapshots in a store: a directory, `s3://bucket/prefix`, or any URL that fsspec knows.

A store holds snapshots by name, as folders or as archives (`<name>.tar.zst`). Whole or absent there too: the
manifest is written last and deleted first, an archive gets its name when it is complete; what lacks these is
half-written, is never fetched, and is cleaned when the same name is put again.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import fsspec
from fsspec.implementations.local import LocalFileSystem

from reprise.domain import errors
from reprise.snapshot import archive, landing, private, reader
from reprise.snapshot import manifest as manifests

# What the operator keeps of one incident has some hundred kilobytes.
_PRIVATE_BYTES = 64 << 20
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "az", "abfs", "abfss"})


@dataclass(frozen=True)
class Listed:
    """A snapshot in a store. `recorded_at` (RFC 3339) is "" unless it is whole.

    What is not whole is half-written, or has a `problem`: a manifest that cannot be read (damaged, or of
    another release).
    """

    name: str
    whole: bool
    archived: bool
    recorded_at: str
    problem: str = ""


def put(folder: Path | str, url: str, archived: bool = False, with_private: bool = False) -> str:
    """Copy a snapshot into a store under its folder's name; returns its address there.

    with_private: the operator's part, too, beside it: whoever can read the store can read the answer then.

    Nothing happens when the same one is there already. Raises NotFound, Corrupt when the folder is no whole
    snapshot, Conflict when another one has the name, Unreachable, Refused, Unsupported.
    """
    snapshot = reader.open_snapshot(folder)
    problems = snapshot.digest_problems()
    if problems:
        raise errors.Corrupt(f"{folder}: {'; '.join(problems[:5])}; only a whole snapshot is stored")
    name = Path(folder).resolve().name
    with _at(url) as store:
        if with_private:
            _put_private(store, snapshot, name)
        if archived:
            _put_archive(store, snapshot, name)
        else:
            _put_folder(store, snapshot, name)
    return f"{url.rstrip('/')}/{name}{archive.SUFFIX if archived else ''}"


def fetch(address: str, into: Path | str, limit_bytes: int = archive.LIMIT_BYTES) -> Path:
    """Copy a snapshot (a folder's or an archive's address) to `into/<name>`; returns that folder.

    Every digest is checked on the way. Raises NotFound when there is none or a half-written one, Corrupt,
    Conflict when the folder exists, Unreachable, Refused, Unsupported.
    """
    name = address.rstrip("/").rpartition("/")[2]
    return fetch_as(address, Path(into) / name.removesuffix(archive.SUFFIX), limit_bytes)


def manifest(address: str) -> bytes:
    """The bytes of a snapshot's manifest, and nothing else of it; an archive is read up to there.

    Raises what `fetch` raises.
    """
    url, _, name = address.rstrip("/").rpartition("/")
    with _at(url) as store:
        return _manifest(store, name, address)


def _manifest(store: "_Store", name: str, address: str) -> bytes:
    if name.endswith(archive.SUFFIX):
        with _opened(store, name, address) as source:
            return archive.manifest(source, address)
    data = store.manifest(name)
    if data is None:
        what = "a half-written one" if store.files(name) else "nothing"
        raise errors.NotFound(f"{address}: expected a snapshot, found {what}; `push` it again")
    return data


@contextmanager
def _opened(store: "_Store", name: str, address: str) -> Iterator[Any]:
    try:
        source = store.open(name)
    except FileNotFoundError as exc:
        raise errors.NotFound(f"{address}: expected an archive, found nothing; `push` it") from exc
    with source:
        yield source


def fetch_as(address: str, final: Path, limit_bytes: int = archive.LIMIT_BYTES) -> Path:
    """`fetch` into the folder `final`, whatever the snapshot is called in its store."""
    url, _, name = address.rstrip("/").rpartition("/")
    with _at(url) as store:
        if name.endswith(archive.SUFFIX):
            with _opened(store, name, address) as source:
                return archive.read(source, final, address, limit_bytes)
        data = _manifest(store, name, address)
        with landing.landing(final, limit_bytes) as target:
            for entry in reader.entries(manifests.parse(data, address), address):
                with store.open(f"{name}/{entry.path}") as source:
                    target.put(entry.path, source)
            with store.open(f"{name}/{reader.MANIFEST}") as source:
                target.put(reader.MANIFEST, source)
    return final


def fetch_private(address: str, into: Path) -> None:
    """Copy the operator's part that lies beside a snapshot in its store into the new folder `into`.

    It is not checked: `private.read` does that. Raises NotFound when there is none, and what `fetch` raises.
    """
    url, _, name = address.rstrip("/").rpartition("/")
    beside = name.removesuffix(archive.SUFFIX) + reader.PRIVATE
    with _at(url) as store:
        found = {}
        for file in (reader.MANIFEST, private.FILE_NAME):
            data = store.read(f"{beside}/{file}", _PRIVATE_BYTES)
            if data is None:
                raise errors.NotFound(f"{url}/{beside}: expected the operator's part, found no {file}")
            found[file] = data
    landing.write_files(into, found)


def listing(url: str) -> list[Listed]:
    """The snapshots of a store by name, half-written ones included (`whole` is False).

    NB: an archive is read up to its manifest to learn its time.
    """
    found = []
    with _at(url) as store:
        for name in store.names():
            if name.endswith(archive.SUFFIX):
                found.append(
                    _listed(
                        name.removesuffix(archive.SUFFIX),
                        True,
                        functools.partial(store.archived_manifest, name),
                    )
                )
            elif name.endswith(archive.SUFFIX + landing.PARTIAL):
                found.append(Listed(name.split(archive.SUFFIX)[0], False, True, ""))
            elif not name.endswith((reader.PRIVATE, landing.PARTIAL)) and store.files(name):
                found.append(_listed(name, False, functools.partial(store.manifest, name)))
    return found


def remove(url: str, name: str) -> None:
    """Delete a snapshot, in both forms, with the operator's part beside it. Its manifest goes first."""
    with _at(url) as store:
        for folder in (name, name + reader.PRIVATE):
            store.clean(folder)
        for file in (name + archive.SUFFIX, name + archive.SUFFIX + landing.PARTIAL):
            store.delete(file)


def _listed(name: str, archived: bool, read: Callable[[], bytes | None]) -> Listed:
    try:
        data = read()
        if data is None:
            return Listed(name, False, archived, "")
        recorded_at = str((manifests.parse(data, name).get("timeline") or {}).get("recordedAt", ""))
        reader.parse_time(recorded_at)
    except errors.Corrupt as exc:
        return Listed(name, False, archived, "", str(exc))
    return Listed(name, True, archived, recorded_at)


def _put_folder(store: "_Store", snapshot: reader.Snapshot, name: str) -> None:
    there = store.manifest(name)
    if there == snapshot.manifest:
        return
    if there is not None:
        raise errors.Conflict(f"{name}: expected no other snapshot of this name in the store, found one")
    store.clean(name)  # what an upload that died has left
    try:
        for path in snapshot.entries:
            store.upload(snapshot.folder / path, f"{name}/{path}")
        store.write(f"{name}/{reader.MANIFEST}", snapshot.manifest)
    except BaseException as exc:
        store.abandon(name, exc)
        raise


def _put_private(store: "_Store", snapshot: reader.Snapshot, name: str) -> None:
    folder = private.folder(snapshot.folder.resolve())
    private.read(folder, str(snapshot.document.get("id")))
    for file in (private.FILE_NAME, reader.MANIFEST):
        store.upload(folder / file, f"{name}{reader.PRIVATE}/{file}")


def _put_archive(store: "_Store", snapshot: reader.Snapshot, name: str) -> None:
    final = name + archive.SUFFIX
    if final in store.names():
        if store.archived_manifest(final) == snapshot.manifest:
            return
        raise errors.Conflict(f"{final}: expected no other archive of this name in the store, found one")
    partial = final + landing.PARTIAL
    try:
        with store.open(partial, "wb") as target:
            archive.write(snapshot, target)
        # NB: a store that closes a broken file keeps it: only the name says that it is whole.
        store.rename(partial, final)
    except BaseException as exc:
        store.abandon(partial, exc)
        raise


class _Store:
    """A place of fsspec with paths relative to it. Errors are the file system's: `_at` translates them."""

    def __init__(self, fs: Any, root: str) -> None:
        self._fs = fs
        self._root = root.rstrip("/")

    def path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def names(self) -> list[str]:
        return sorted({item["name"].rstrip("/").rpartition("/")[2] for item in self._ls(self._root)} - {""})

    def files(self, name: str) -> list[str]:
        """Every file below, as the store names it."""
        self._fs.invalidate_cache()
        try:
            return sorted(self._walk(self.path(name)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _walk(self, folder: str) -> Iterator[str]:
        for item in self._ls(folder):
            if item["type"] == "directory":
                yield from self._walk(item["name"])
            elif item["name"].rstrip("/") != folder.rstrip("/"):
                yield item["name"]

    def _ls(self, folder: str) -> list[Any]:
        self._fs.invalidate_cache()
        try:
            return list(self._fs.ls(folder, detail=True))
        except FileNotFoundError:
            return []  # an object store has no empty folders

    def manifest(self, name: str) -> bytes | None:
        """The bytes of a folder's manifest; None when there is none."""
        return self.read(f"{name}/{reader.MANIFEST}", reader.MANIFEST_BYTES)

    def read(self, name: str, limit_bytes: int) -> bytes | None:
        """A whole small file; None when there is none. Raises Corrupt for a larger one: a store may lie."""
        try:
            with self.open(name) as source:
                found: bytes = source.read(limit_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(found) > limit_bytes:
            raise errors.Corrupt(f"{name}: expected at most {limit_bytes} bytes, found more")
        return found

    def archived_manifest(self, name: str) -> bytes:
        with self.open(name) as source:
            return archive.manifest(source, name)

    def open(self, name: str, mode: str = "rb") -> Any:
        self._fs.invalidate_cache()
        if mode == "rb":
            # NB: an obstore file that was never opened complains when it is collected.
            self._fs.info(self.path(name))
        return self._fs.open(self.path(name), mode)

    def upload(self, source: Path, name: str) -> None:
        self._fs.put_file(str(source), self.path(name))

    def write(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(self.path(name), data)

    def rename(self, old: str, new: str) -> None:
        self._fs.mv(self.path(old), self.path(new))

    def delete(self, name: str) -> None:
        self._fs.invalidate_cache()
        if name in self.names():
            self._fs.rm_file(self.path(name))

    def clean(self, name: str) -> None:
        """Delete a snapshot's folder: the manifest first, so that what is left is known as half-written."""
        files = self.files(name)
        for file in sorted(files, key=lambda file: not file.endswith("/" + reader.MANIFEST)):
            self._fs.rm_file(file)
        if isinstance(self._fs, LocalFileSystem) and files:
            self._fs.rm(self.path(name), recursive=True)

    def abandon(self, name: str, cause: BaseException) -> None:
        """Clean after a failure as far as the store still answers; `cause` is the error to tell."""
        try:
            self.clean(name)
            self.delete(name)
        except _failures() as exc:
            cause.add_note(f"what was written before is left ({_short(exc)}); the next `push` cleans it")


def _failures() -> tuple[type[BaseException], ...]:
    """What a store may raise when it does not do as it is asked."""
    found: list[type[BaseException]] = [OSError, aiohttp.ClientError, TimeoutError]
    if "obstore.exceptions" in sys.modules:
        found.append(sys.modules["obstore.exceptions"].BaseError)
    return tuple(found)


@contextmanager
def _at(url: str) -> Iterator[_Store]:
    """The store at a URL, with its errors as ours."""
    try:
        yield _open(url)
    except errors.RepriseError:
        raise
    except FileNotFoundError as exc:
        raise errors.NotFound(f"{url}: expected it to exist, found nothing: {exc}") from exc
    except _failures() as exc:
        kind = type(exc).__name__
        text = f"{url}: expected the store to answer, found {kind}: {_short(exc)}"
        if isinstance(exc, PermissionError) or kind in ("PermissionDeniedError", "UnauthenticatedError"):
            raise errors.Refused(f"{text}; see its credentials (docs/snapshots.md)") from exc
        if isinstance(exc, OSError) and exc.errno is not None and _is_local(url):
            raise errors.Refused(f"{text}; see its volume") from exc
        raise errors.Unreachable(f"{text}; try again, or see the endpoint (docs/snapshots.md)") from exc


def _short(exc: BaseException) -> str:
    """The first line: stores answer with pages."""
    return (str(exc).splitlines() or [""])[0][:300]


def _is_local(url: str) -> bool:
    return "://" not in url or url.startswith(("file://", "local://"))


def _open(url: str) -> _Store:
    if "://" not in url:
        # NB: fsspec takes a "::" in a path for a chain of file systems.
        return _Store(LocalFileSystem(auto_mkdir=True), str(Path(url).absolute()))
    protocol = url.partition("://")[0]
    try:
        if protocol in _OBJECT_STORES:
            importlib.import_module("obstore.fsspec").register(protocol)
        fs, root = fsspec.url_to_fs(url)
        if isinstance(fs, LocalFileSystem):
            fs = LocalFileSystem(auto_mkdir=True)
    except ImportError as exc:
        raise errors.Unsupported(
            f"{url}: expected a module for {protocol}://, found none ({exc}); pip install 'reprise[s3]'"
        ) from exc
    except ValueError as exc:
        raise errors.InvalidInput(
            f"{url}: expected a directory or a URL that fsspec knows, found: {exc}"
        ) from exc
    return _Store(fs, root)
