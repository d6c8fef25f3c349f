"""Snapshots in stores: a directory, fsspec's memory, and S3 over the wire. Whole or absent in each."""

import concurrent.futures
import functools
import http.server
import random
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from tests.fakes import s3_server, snapshot_v2
from tests.support import small_disk

from reprise.domain import errors
from reprise.snapshot import fetched, private, reader, storage


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3_server.Server]:
    with s3_server.in_environment(tmp_path / "s3", monkeypatch) as server:
        yield server


@pytest.fixture(params=["directory", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "directory":
            return str(tmp_path / "store")
        case "memory":
            return f"memory://{uuid.uuid4().hex}/runs"
        case _:
            request.getfixturevalue("s3")
            return "s3://bucket/runs"


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return snapshot_v2.make(tmp_path / "one")


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
def test_what_is_put_is_fetched(url: str, snapshot: Path, tmp_path: Path, archived: bool) -> None:
    address = storage.put(snapshot, url, archived)
    assert address == f"{url}/one" + (".tar.zst" if archived else "")
    assert storage.put(snapshot, url, archived) == address, "a second time changes nothing"
    assert storage.listing(url) == [
        storage.Listed("one", True, archived, snapshot_v2.rfc(snapshot_v2.RECORDED))
    ]
    assert storage.fetch(address, tmp_path / "got") == tmp_path / "got" / "one"
    assert contents(tmp_path / "got" / "one") == contents(snapshot)


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
def test_another_of_the_same_name_is_refused(
    url: str, snapshot: Path, tmp_path: Path, archived: bool
) -> None:
    storage.put(snapshot, url, archived)
    other = snapshot_v2.make(tmp_path / "other" / "one", faulty=False)
    with pytest.raises(errors.Conflict):
        storage.put(other, url, archived)


def test_removed_in_every_form(url: str, snapshot: Path) -> None:
    for archived in (False, True):
        storage.put(snapshot, url, archived)
    storage.remove(url, "one")
    assert storage.listing(url) == []
    storage.remove(url, "one")


def test_nothing_there(url: str, tmp_path: Path) -> None:
    assert storage.listing(url) == []
    for name in ("none", "none.tar.zst"):
        with pytest.raises(errors.NotFound, match="found nothing"):
            storage.fetch(f"{url}/{name}", tmp_path / "got")
    assert not (tmp_path / "got" / "none").exists()


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
def test_the_operators_part_goes_along_only_when_asked(
    url: str, snapshot: Path, tmp_path: Path, archived: bool
) -> None:
    id_ = reader.open_snapshot(snapshot).document["id"]
    document = {name: [] for name in private.KEYS}
    with pytest.raises(errors.NotFound, match="expected the operator's part"):
        storage.put(snapshot, url, archived, with_private=True)
    private.write(private.folder(snapshot), id_, document)
    address = storage.put(snapshot, url, archived)
    with pytest.raises(errors.NotFound, match=r"one\.private: expected the operator's part"):
        storage.fetch_private(address, tmp_path / "got.private")
    storage.put(snapshot, url, archived, with_private=True)
    for _ in range(2):
        storage.fetch_private(address, tmp_path / "got.private")
    assert private.read(tmp_path / "got.private", id_) == document
    assert [item.name for item in storage.listing(url)] == ["one"]
    storage.remove(url, "one")
    with pytest.raises(errors.NotFound):
        storage.fetch_private(address, tmp_path / "again.private")


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
def test_what_is_fetched_once_is_there(url: str, snapshot: Path, tmp_path: Path, archived: bool) -> None:
    address = storage.put(snapshot, url, archived)
    found = fetched.look(address)
    assert "sha256:" + found.digest == reader.open_snapshot(snapshot).digest
    first = fetched.land(found, tmp_path / "cache" / found.digest)
    assert contents(first) == contents(snapshot)
    storage.remove(url, "one")
    assert fetched.land(found, first) == first, "the store is not asked again"
    with pytest.raises(errors.NotFound):
        fetched.land(found, tmp_path / "cache" / "another")
    (first / reader.MANIFEST).unlink()
    with pytest.raises(errors.Corrupt, match="remove that folder"):
        fetched.land(found, first)


def test_a_store_that_changes_between_two_looks(url: str, snapshot: Path, tmp_path: Path) -> None:
    found = fetched.look(storage.put(snapshot, url))
    storage.remove(url, "one")
    storage.put(snapshot_v2.make(tmp_path / "other" / "one", faulty=False), url)
    with pytest.raises(errors.Corrupt, match=found.digest):
        fetched.land(found, tmp_path / "cache" / found.digest)


def test_two_at_once_fetch_once(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fetched.look(storage.put(snapshot, str(tmp_path / "store"), archived=True))
    asked, fetch_as = [], storage.fetch_as

    def counted(*given: Any) -> Path:
        asked.append(given)
        return fetch_as(*given)

    monkeypatch.setattr(storage, "fetch_as", counted)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: fetched.land(found, tmp_path / "cache" / "x"), range(4)))
    assert len(asked) == 1
    assert contents(folders[0]) == contents(snapshot)


def test_a_manifest_without_end_is_not_read(
    url: str, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = storage.put(snapshot, url)
    monkeypatch.setattr(reader, "MANIFEST_BYTES", 100)
    with pytest.raises(errors.Corrupt, match="expected at most 100 bytes, found more"):
        storage.manifest(address)


def test_a_path_that_looks_like_a_chain(snapshot: Path, tmp_path: Path) -> None:
    place = tmp_path / "a::b"
    assert contents(storage.fetch(storage.put(snapshot, str(place)), tmp_path / "got")) == contents(snapshot)


def half_written(url: str, snapshot: Path) -> None:
    """What a process leaves that died before the manifest."""
    fs, root = fsspec.url_to_fs(url)
    if isinstance(fs, LocalFileSystem):
        fs = LocalFileSystem(auto_mkdir=True)
    fs.put_file(str(snapshot / "topology.json"), f"{root}/one/topology.json")
    fs.pipe_file(f"{root}/one/logs/old/left.log", b"from another try")


def test_half_written_is_seen_and_cleaned(url: str, snapshot: Path, tmp_path: Path) -> None:
    storage.listing(url)  # registers obstore
    half_written(url, snapshot)
    assert storage.listing(url) == [storage.Listed("one", False, False, "")]
    with pytest.raises(errors.NotFound, match="half-written"):
        storage.fetch(f"{url}/one", tmp_path / "got")
    storage.put(snapshot, url)
    fs, root = fsspec.url_to_fs(url)
    assert not fs.exists(f"{root}/one/logs/old/left.log")
    storage.fetch(f"{url}/one", tmp_path / "got")


def test_a_store_that_changed_a_file_is_found_out(url: str, snapshot: Path, tmp_path: Path) -> None:
    storage.put(snapshot, url)
    fs, root = fsspec.url_to_fs(url)
    fs.pipe_file(f"{root}/one/topology.json", b"{}")
    with pytest.raises(errors.Corrupt, match=r"topology\.json: expected \d+ bytes, found 2"):
        storage.fetch(f"{url}/one", tmp_path / "got")
    assert list((tmp_path / "got").iterdir()) == []


def test_a_snapshot_that_is_not_whole_is_not_put(url: str, snapshot: Path) -> None:
    (snapshot / "topology.json").write_bytes(b"{}")
    with pytest.raises(errors.Corrupt):
        storage.put(snapshot, url)
    assert storage.listing(url) == []


# -- S3 that fails --------------------------------------------------------------------------------------


@pytest.mark.parametrize("writes", [0, 1, 7, 27])
def test_s3_that_fails_in_the_middle_keeps_nothing(
    s3: s3_server.Server, snapshot: Path, tmp_path: Path, writes: int
) -> None:
    s3.writes_left = writes
    with pytest.raises(errors.Refused, match="credentials"):
        storage.put(snapshot, "s3://bucket/runs")
    assert s3.keys() == []
    s3.writes_left = None
    storage.put(snapshot, "s3://bucket/runs")
    assert contents(storage.fetch("s3://bucket/runs/one", tmp_path / "got")) == contents(snapshot)


def test_s3_that_cannot_even_be_cleaned_has_nothing_to_fetch(
    s3: s3_server.Server, snapshot: Path, tmp_path: Path
) -> None:
    s3.writes_left, s3.deletes_fail = 27, True  # every file but the manifest
    with pytest.raises(errors.Refused) as caught:
        storage.put(snapshot, "s3://bucket/runs")
    assert caught.value.__cause__ is not None
    assert "the next `push` cleans it" in caught.value.__cause__.__notes__[0]
    assert len(s3.keys()) == 27
    assert [item.whole for item in storage.listing("s3://bucket/runs")] == [False]
    with pytest.raises(errors.NotFound, match="half-written"):
        storage.fetch("s3://bucket/runs/one", tmp_path / "got")


@pytest.mark.parametrize("writes", [0, 1])
def test_an_archive_that_fails_on_its_way_to_s3(s3: s3_server.Server, snapshot: Path, writes: int) -> None:
    """0: the data, 1: the rename."""
    s3.writes_left = writes
    with pytest.raises(errors.RepriseError):
        storage.put(snapshot, "s3://bucket/runs", archived=True)
    assert s3.keys() == []


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize("sent", [0, 3000])
def test_s3_that_dies_while_it_is_fetched_from(
    s3: s3_server.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archived: bool, sent: int
) -> None:
    """The server answers, sends so many bytes of what was asked for, and is gone."""

    def add(build: snapshot_v2.Builder) -> None:
        build.chunks(
            "logs/shop/a/b.log",
            [b"2026-11-21T12:00:00Z ", random.Random(1).randbytes(200_000).hex().encode()],
        )

    monkeypatch.setenv("FSSPEC_S3", '{"retry_config": {"max_retries": 0}}')
    address = storage.put(snapshot_v2.make(tmp_path / "one", more=add), "s3://bucket/runs", archived)
    s3.dies_after = sent
    with pytest.raises(errors.Unreachable, match="expected the store to answer"):
        storage.fetch(address, tmp_path / "got")
    assert list((tmp_path / "got").iterdir() if (tmp_path / "got").exists() else []) == []


def test_s3_that_dies_while_it_is_pushed_to(
    s3: s3_server.Server, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSSPEC_S3", '{"retry_config": {"max_retries": 0}}')
    s3.dies_at_write = 9
    with pytest.raises(errors.Unreachable) as caught:
        storage.put(snapshot, "s3://bucket/runs")
    assert caught.value.__cause__ is not None
    assert "the next `push` cleans it" in caught.value.__cause__.__notes__[0]
    left = s3.keys()
    assert len(left) == 8
    assert not any(key.endswith(reader.MANIFEST) for key in left), "so nobody takes it for a snapshot"
    s3.dies_at_write = None
    storage.put(snapshot, "s3://bucket/runs")
    assert contents(storage.fetch("s3://bucket/runs/one", tmp_path / "got")) == contents(snapshot)


def test_large_files_go_in_parts(s3: s3_server.Server, tmp_path: Path) -> None:
    def add(build: snapshot_v2.Builder) -> None:
        build.chunks("logs/shop/a/b.log", [b"2026-11-21T12:00:00Z " + b"x" * (12 << 20) + b"\n"])

    snapshot = snapshot_v2.make(tmp_path / "one", more=add)
    for archived in (False, True):
        address = storage.put(snapshot, "s3://bucket/runs", archived)
        got = storage.fetch(address, tmp_path / f"got{archived}")
        assert contents(got) == contents(snapshot)


# -- a web server, which knows no folders -----------------------------------------------------------------


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/runs"
        server.shutdown()
        thread.join()
    fsspec.get_filesystem_class("http").clear_instance_cache()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
def test_from_a_web_server(web: str, snapshot: Path, tmp_path: Path, archived: bool) -> None:
    private.write(private.folder(snapshot), "0123456789abcdef", {name: [] for name in private.KEYS})
    name = Path(storage.put(snapshot, str(tmp_path / "web" / "runs"), archived, with_private=True)).name
    found = fetched.look(f"{web}/{name}")
    assert contents(fetched.land(found, tmp_path / "got" / "x")) == contents(snapshot)
    storage.fetch_private(f"{web}/{name}", tmp_path / "got.private")
    assert private.read(tmp_path / "got.private", "0123456789abcdef")["truth"] == []


@pytest.mark.parametrize("name", ["none", "none.tar.zst"])
def test_nothing_on_a_web_server(web: str, snapshot: Path, tmp_path: Path, name: str) -> None:
    storage.put(snapshot, str(tmp_path / "web" / "runs"))
    with pytest.raises(errors.NotFound, match="found nothing"):
        storage.manifest(f"{web}/{name}")


# -- addresses that cannot be used ----------------------------------------------------------------------


def test_no_such_bucket(s3: s3_server.Server, snapshot: Path) -> None:
    with pytest.raises(errors.Unreachable, match="404"):
        storage.put(snapshot, "s3://other/runs")


def test_a_protocol_that_nobody_knows(snapshot: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="fsspec"):
        storage.put(snapshot, "nonsense://x/y")


def test_s3_without_its_module(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, *args: Any) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(errors.Unsupported, match=r"reprise\[s3\]"):
        storage.put(snapshot, "s3://bucket/runs")


def test_a_directory_that_cannot_be_written(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.Refused, match="see its volume"):
        storage.put(snapshot, str(tmp_path / "file" / "store"))


def test_a_full_disk_where_it_is_fetched_to(s3: s3_server.Server, snapshot: Path, tmp_path: Path) -> None:
    for archived in (False, True):
        address = storage.put(snapshot, "s3://bucket/runs", archived)
        with small_disk.mounted(tmp_path / "volume", "64k") as volume:
            with pytest.raises(errors.Refused, match="No space left on device; see its volume"):
                storage.fetch(address, volume)
            assert list(volume.iterdir()) == []
            small_disk.grow(volume, "16m")
            assert contents(storage.fetch(address, volume)) == contents(snapshot)
