"""The reader: streams of records as they were written, and no path that leads out of the folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fakes import snapshot_v2

from reprise.domain import errors
from reprise.snapshot import reader


def test_everything_comes_as_it_was_written(tmp_path: Path) -> None:
    snapshot = reader.open_snapshot(snapshot_v2.make(tmp_path / "a", traces=3))
    assert snapshot.digest_problems() == []
    assert {head.plural for head in snapshot.collections()} == {
        "deployments",
        "pods",
        "configmaps",
        "networkpolicies",
        "events",
    }
    assert [s.object["metadata"]["name"] for s in snapshot.objects("apps~v1~deployments")] == ["cart"]
    assert [o.type for o in snapshot.history("core~v1~pods")] == ["BASE", "DELETED", "ADDED"]
    assert [e.object["count"] for e in snapshot.events()] == [2, 7]
    assert len(list(snapshot.traces())) == 3
    assert [a["labels"]["alertname"] for a in snapshot.alerts()] == ["HighRequestErrorRate"]
    at = int(snapshot_v2.BASELINE.timestamp() * 1000)
    assert [s.points for s in snapshot.series()] == [[(at, "1"), (at + 5000, "NaN"), (at + 10000, "stale")]]
    assert any(edge["relation"] == "calls" for edge in snapshot.edges())


def test_log_lines_are_bytes_of_any_kind_and_length(tmp_path: Path) -> None:
    long = b"x" * (10 << 20)
    texts = [b"a\tb\\n", b"\xff\x00binary\r", b"", long]

    def add(build: snapshot_v2.Builder) -> None:
        lines = [b"2026-11-21T12:00:00.123456789Z " + text + b"\n" for text in texts]
        build.chunks("logs/shop/cart-1/cart.previous.log", lines)

    snapshot = reader.open_snapshot(snapshot_v2.make(tmp_path / "a", logs=0, more=add))
    lines = list(snapshot.log_lines())
    assert [line.text for line in lines] == texts
    assert {(line.pod, line.container, line.previous) for line in lines} == {("cart-1", "cart", True)}
    assert lines[0].time == "2026-11-21T12:00:00.123456789Z"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "",
        "a/./b",
        "a b",
        "a\n",
        "é",
        "x" * 256,
        "a/" * 600 + "a",
        "a\\b",
    ],
)
def test_hostile_paths_are_refused(tmp_path: Path, path: str) -> None:
    assert reader.path_problem(path)
    document = {"schemaVersion": 2, "files": [{"path": path, "sha256": "0" * 64, "bytes": 0, "rows": 0}]}
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(errors.Corrupt, match="files"):
        reader.open_snapshot(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = snapshot_v2.make(tmp_path / "a")
    (folder / "topology.json").unlink()
    (folder / "topology.json").symlink_to("/etc/hostname")
    snapshot = reader.open_snapshot(folder)
    with pytest.raises(errors.Corrupt, match="plain file"):
        snapshot.edges()
    assert len(snapshot.digest_problems()) == 1


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"{", "JSON"),
        (b"[]", "schemaVersion 2"),
        (b'{"schemaVersion":1}', "schemaVersion 2"),
        (b'{"schemaVersion":2}', "files"),
    ],
)
def test_other_manifests_are_corrupt(tmp_path: Path, data: bytes, match: str) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(errors.Corrupt, match=match):
        reader.open_snapshot(tmp_path)


BAD_RECORDS = {
    "head": ("objects/core~v1~pods.jsonl", b"{}\n", lambda s: list(s.objects())),
    "no head": ("objects/core~v1~pods.jsonl", b"", lambda s: list(s.objects("core~v1~pods"))),
    "object": (
        "history/core~v1~pods.jsonl",
        b'{"type":"BASE","time":"x","object":{}}\n',
        lambda s: list(s.history()),
    ),
    "history": ("history/core~v1~pods.jsonl", b"[]\n", lambda s: list(s.history())),
    "alert": ("alerts/history.json", b"[{}]", lambda s: s.alert_history()),
    "series": ("metrics/series.jsonl", b'{"metric":{},"t":[1,2],"v":["1"]}\n', lambda s: list(s.series())),
    "no JSON": ("metrics/series.jsonl", b"\xff\n", lambda s: list(s.series())),
    "edge": ("topology.json", b'{"edges":[{"source":"a"}]}', lambda s: s.edges()),
}


@pytest.mark.parametrize(("path", "data", "read"), BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_records_of_another_shape_are_corrupt(
    tmp_path: Path, path: str, data: bytes, read: Callable[[reader.Snapshot], object]
) -> None:
    def replace(build: snapshot_v2.Builder) -> None:
        build.files = [item for item in build.files if item["path"] != path]
        build.chunks(path, [data])

    snapshot = reader.open_snapshot(snapshot_v2.make(tmp_path / "a", more=replace))
    with pytest.raises(errors.Corrupt, match=path.partition(".")[0] + "|RFC 3339"):
        read(snapshot)


def test_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match="name one"):
        reader.open_snapshot(tmp_path / "none")
