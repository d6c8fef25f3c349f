"""The archive: the same bytes both ways, and nothing of a hostile, cut or changed one on the disk."""

import io
import resource
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard
from tests.fakes import snapshot_v2

from reprise.domain import errors
from reprise.snapshot import archive


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    # A pod's name of 253 characters does not fit into the fields of an old tar header.
    def add(build: snapshot_v2.Builder) -> None:
        build.chunks(f"logs/shop/{'p' * 253}/c.log", [b"2026-11-21T12:00:00Z \xff\x00\t\n"])
        build.chunks("logs/shop/empty/c.log", [])

    return snapshot_v2.make(tmp_path / "a", more=add)


def test_round_trip_is_byte_identical(snapshot: Path, tmp_path: Path) -> None:
    archive.pack(snapshot, tmp_path / "one.tar.zst")
    assert archive.unpack(tmp_path / "one.tar.zst", tmp_path / "b") == tmp_path / "b"
    assert contents(tmp_path / "b") == contents(snapshot)
    archive.pack(tmp_path / "b", tmp_path / "two.tar.zst")
    assert (tmp_path / "one.tar.zst").read_bytes() == (tmp_path / "two.tar.zst").read_bytes()


def test_members_say_nothing_of_who_packed_them(snapshot: Path, tmp_path: Path) -> None:
    archive.pack(snapshot, tmp_path / "one.tar.zst")
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO((tmp_path / "one.tar.zst").read_bytes()))
    with tarfile.open(fileobj=io.BytesIO(plain.read())) as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == sorted(contents(snapshot))
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


def test_a_snapshot_that_is_not_whole_is_not_packed(snapshot: Path, tmp_path: Path) -> None:
    data = (snapshot / "topology.json").read_bytes()
    (snapshot / "topology.json").write_bytes(data.replace(b"calls", b"CALLS"))
    with pytest.raises(errors.Corrupt, match=r"topology\.json: expected sha256"):
        archive.pack(snapshot, tmp_path / "one.tar.zst")
    assert sorted(p.name for p in tmp_path.glob("*tar*")) == []


def test_nothing_is_overwritten(snapshot: Path, tmp_path: Path) -> None:
    archive.pack(snapshot, tmp_path / "one.tar.zst")
    with pytest.raises(errors.Conflict):
        archive.pack(snapshot, tmp_path / "one.tar.zst")
    with pytest.raises(errors.Conflict):
        archive.unpack(tmp_path / "one.tar.zst", snapshot)


# -- what a stranger may send -----------------------------------------------------------------------


def member(
    name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"x", **more: str
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = more.get("linkname", "")
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def build(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(zstandard.ZstdCompressor().compress(raw.getvalue()))
    return path


HOSTILE = {
    "absolute": [member("/tmp/evil")],
    "up": [member("../evil")],
    "up in the middle": [member("logs/../../evil")],
    "symbolic link": [member("logs", tarfile.SYMTYPE, linkname="/etc")],
    "hard link": [member("manifest.json", tarfile.LNKTYPE, linkname="/etc/passwd")],
    "character device": [member("null", tarfile.CHRTYPE)],
    "block device": [member("sda", tarfile.BLKTYPE)],
    "pipe": [member("pipe", tarfile.FIFOTYPE)],
    "folder": [member("logs", tarfile.DIRTYPE)],
    "name with a newline": [member("a\nb")],
    "name that is too long": [member("x" * 300)],
    "path that is too long": [member("x/" * 600 + "x")],
    "header of a megabyte": [member("x" * (1 << 20))],
    "twice": [member("a"), member("a")],
    "the same in another form": [member("a"), member("./a")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_members_are_refused(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    path = build(tmp_path / "evil.tar.zst", [member("first"), *members])
    with pytest.raises(errors.Refused, match=r"evil\.tar\.zst"):
        archive.unpack(path, tmp_path / "in" / "out")
    assert list((tmp_path / "in").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_file_in_the_place_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    path = build(tmp_path / "evil.tar.zst", [member("a"), member("a/b")])
    with pytest.raises(errors.Refused):
        archive.unpack(path, tmp_path / "in" / "out")
    assert list((tmp_path / "in").iterdir()) == []


def test_an_archive_that_grows_without_end_is_stopped(tmp_path: Path) -> None:
    path = build(tmp_path / "bomb.tar.zst", [member("zeros", data=bytes(64 << 20))])
    assert path.stat().st_size < 1 << 16
    with pytest.raises(errors.Refused, match="expected at most 1048576 bytes"):
        archive.unpack(path, tmp_path / "in" / "out", limit_bytes=1 << 20)
    assert list((tmp_path / "in").iterdir()) == []


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def repacked(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Changed by somebody who can compress."""
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return zstandard.ZstdCompressor(write_checksum=True).compress(change(plain))


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "the last byte": lambda data: data[:-1],
    "the checksum": lambda data: data[:-4],
    "empty": lambda data: b"",
    "something else": lambda data: b"PK\x03\x04" + data,
    "one byte": flipped,
    "something after it": lambda data: data + b"x",
    "a second frame": lambda data: data + data,
    "content": lambda data: repacked(data, lambda tar: tar.replace(b"shop:broken", b"shop:b0rken")),
    "a header": lambda data: repacked(data, lambda tar: tar.replace(b"topology.json", b"tOpology.json")),
    "the end of the tar": lambda data: repacked(data, lambda tar: tar[: len(tar) // 3]),
    "no tar": lambda data: repacked(data, lambda tar: b"hello"),
    "data after the tar": lambda data: repacked(data, lambda tar: tar + b"hello"),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_cut_or_changed_archive_says_so(
    snapshot: Path, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    archive.pack(snapshot, tmp_path / "one.tar.zst")
    broken = tmp_path / "broken.tar.zst"
    broken.write_bytes(change((tmp_path / "one.tar.zst").read_bytes()))
    with pytest.raises(errors.Corrupt, match=r"broken\.tar\.zst.*cut short or changed"):
        archive.unpack(broken, tmp_path / "in" / "out")
    assert list((tmp_path / "in").iterdir()) == []


# -- a full disk ------------------------------------------------------------------------------------


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def add(build: snapshot_v2.Builder) -> None:
        build.chunks("logs/shop/a/b.log", [b"0123456789abcdef" * 65536])

    snapshot = snapshot_v2.make(tmp_path / "a", more=add)
    with no_file_over(1000), pytest.raises(errors.Refused, match="see its volume"):
        archive.pack(snapshot, tmp_path / "out" / "one.tar.zst")
    (tmp_path / "out").mkdir()
    with no_file_over(1000), pytest.raises(errors.Refused, match="File too large"):
        archive.pack(snapshot, tmp_path / "out" / "one.tar.zst")
    archive.pack(snapshot, tmp_path / "one.tar.zst")
    with no_file_over(1 << 19), pytest.raises(errors.Refused, match="File too large"):
        archive.unpack(tmp_path / "one.tar.zst", tmp_path / "out" / "b")
    assert list((tmp_path / "out").iterdir()) == []
