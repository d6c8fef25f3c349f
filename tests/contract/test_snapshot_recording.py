"""Recording a snapshot when something is in the way: whole in the end, a gap that is stated, or nothing."""

import copy
import os
import resource
from pathlib import Path

import pytest
from tests.contract import snapshot_backends as backends
from tests.contract.snapshot_taking import SNAPSHOT_ID, take
from tests.support import small_disk

from reprise.domain import errors
from reprise.snapshot import verify


async def test_a_backend_that_restarts_is_waited_for(tmp_path: Path) -> None:
    server = backends.api_server()
    server.failing = {
        "/apis": 2,
        "/api/v1/pods": 1,
        "/api/v1/namespaces/shop/pods/cart-1/log": 1,
        "/apis/metrics.k8s.io/v1beta1/pods": 1,
    }
    made = await take(tmp_path / "snap", server=server)
    assert [gap.signal for gap in made.missing] == ["history", "logs"]
    assert {entry.path: entry.rows for entry in made.files}["otel_logs_raw.tsv"] == 2


@pytest.mark.parametrize(
    ("path", "gap"),
    [
        ("/apis/metrics.k8s.io/v1beta1/pods", ("objects", "metrics.k8s.io~v1beta1~pods")),
        ("/api/v1/namespaces/shop/pods/cart-1/log", ("logs", "shop/cart-1/cart")),
    ],
)
async def test_what_cannot_be_had_is_a_gap(path: str, gap: tuple[str, str], tmp_path: Path) -> None:
    server = backends.api_server()
    server.refused = {path}
    made = await take(tmp_path / "snap", server=server)
    assert gap in [(one.signal, one.what) for one in made.missing]
    assert verify.verify(tmp_path / "snap").ok


async def test_without_pods_there_is_no_snapshot(tmp_path: Path) -> None:
    server = backends.api_server()
    server.refused = {"/api/v1/pods"}
    with pytest.raises(errors.Refused):
        await take(tmp_path / "snap", server=server)
    assert os.listdir(tmp_path) == []


async def test_recording_again_changes_nothing(tmp_path: Path) -> None:
    first = await take(tmp_path / "snap")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "snap").rglob("*")}
    again = await take(tmp_path / "snap")
    assert again.digest == first.digest
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "snap").rglob("*")} == before


async def test_a_failure_leaves_no_snapshot_and_the_next_try_succeeds(tmp_path: Path) -> None:
    with pytest.raises(errors.Unreachable):
        await take(tmp_path / "snap", jaeger=backends.BrokenJaeger())
    assert not (tmp_path / "snap").exists()
    assert os.listdir(tmp_path) == [], "nothing half-written is left"
    (tmp_path / "snap.partial").mkdir()
    (tmp_path / "snap.partial/topology.json").write_text("what a crash would have left")
    (tmp_path / "snap.private").mkdir()
    await take(tmp_path / "snap")
    assert verify.verify(tmp_path / "snap").ok
    assert not (tmp_path / "snap.partial").exists()


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Refused, match="expected a place to write"):
        await take(tmp_path / "file" / "snap")


async def test_another_runs_folder_is_not_touched(tmp_path: Path) -> None:
    await take(tmp_path / "snap")
    with pytest.raises(errors.Conflict, match=SNAPSHOT_ID):
        await take(tmp_path / "snap", run_uid="another")


async def test_a_damaged_folder_is_reported(tmp_path: Path) -> None:
    await take(tmp_path / "snap")
    (tmp_path / "snap/topology.json").write_text("{}")
    with pytest.raises(errors.Corrupt, match=r"topology\.json"):
        await take(tmp_path / "snap")


async def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(errors.Refused, match="expected a place to write"):
            await take(tmp_path / "snap")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


async def test_a_disk_that_is_really_full_while_recording(tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "volume", "64k") as volume:
        with pytest.raises(errors.Refused, match="No space left on device; see its volume"):
            await take(volume / "snap")
        assert os.listdir(volume) == [], "nothing half-written is left"
        small_disk.grow(volume, "16m")
        await take(volume / "snap")
        assert verify.verify(volume / "snap").ok
        assert sorted(os.listdir(volume)) == ["snap", "snap.private"]


async def test_a_pod_with_a_hostile_name_is_a_gap(tmp_path: Path) -> None:
    """No API server takes such a name. What answers as one may be something else."""
    server = backends.api_server()
    for name in ("..", "a/../../../../evil"):
        server.put("pods", name, "shop", **copy.deepcopy(backends.POD))
        server.logs["shop", name, "cart", False] = backends.LOG
    made = await take(tmp_path / "home" / "snap", server=server)
    gaps = {gap.what: gap.why for gap in made.missing if gap.signal == "logs"}
    assert {"shop/../cart", "shop/a/../../../../evil/cart"} <= set(gaps)
    assert sorted(os.listdir(tmp_path / "home")) == ["snap", "snap.private"]
    assert os.listdir(tmp_path) == ["home"]
    assert verify.verify(tmp_path / "home" / "snap").ok
