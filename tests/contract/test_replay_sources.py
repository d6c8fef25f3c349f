"""A run with `mode: replay` whose snapshot is an archive of the volume or lies in a store: fetched, scored,
served; and everything that can be wrong with it, as the run says it."""

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import s3_server
from tests.support import snapshot_v2
from tests.unit.handlers.test_replays import OPERATOR, SERVER, serves
from tests.unit.handlers.world import World, live, operator

from reprise.domain.run import RunRef
from reprise.domain.run_status import ConditionType, Phase
from reprise.handlers import replay_source
from reprise.handlers.runtime import Runtime
from reprise.snapshot import archive, private, storage

BUCKET = "s3://bucket/runs"


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3_server.Server]:
    with s3_server.in_environment(
        tmp_path / "s3", monkeypatch, FSSPEC_S3='{"retry_config": {"max_retries": 0}}'
    ) as server:
        yield server


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A snapshot with the operator's part, on another machine."""
    folder = snapshot_v2.build(tmp_path / "elsewhere" / "incident")
    document = {
        "run": {}, "scenario": {}, "plan": [], "injector": [], "mechanisms": [],
        "truth": [{"entity": "otel-demo/NetworkPolicy/allow-frontend", "equivalents": []}],
    }  # fmt: skip
    private.write(private.folder(folder), snapshot_v2.ID, document)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "snapshots").mkdir(parents=True)
    return tmp_path / "data"


def world_of(source: str, ref: RunRef | None = None) -> World:
    world = World()
    world.store(OPERATOR)
    apply(world, source, *([ref] if ref else []))
    return world


def apply(world: World, source: str, *refs: RunRef) -> None:
    world.apply_run("", *refs, mode="replay", snapshot={"source": source})
    run = world.run_object(*refs)
    del run["spec"]["scenario"]
    world.store(run)


def over(world: World, data: Path) -> Runtime:
    runtime = operator(world)
    return dataclasses.replace(runtime, settings=dataclasses.replace(runtime.settings, data=data))


def names(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "snapshots").iterdir() if path.suffix != ".lock")


def fetched_name(snapshot: Path) -> str:
    return replay_source.PREFIX + hashlib.sha256((snapshot / "manifest.json").read_bytes()).hexdigest()


async def brought(world: World, data: Path, snapshot: Path) -> None:
    """The run is scored on what was brought, and its server sees the public folder of that alone."""
    await live(world, over(world, data), looks=3)
    assert (world.run().status.phase, world.run().status.reason) == (Phase.ATTEMPTING, "ReplayStarts")
    pod = serves(world)["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/snapshot"]["subPath"] == fetched_name(snapshot)
    await live(world, over(world, data))
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.COMPLETED, "Replayed")
    assert status.score is not None
    assert status.score.n == 1
    assert status.snapshot is not None
    assert status.snapshot.path.endswith(fetched_name(snapshot))


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "archive"])
async def test_from_a_store(s3: s3_server.Server, elsewhere: Path, data: Path, archived: bool) -> None:
    address = storage.put(elsewhere, BUCKET, archived, with_private=True)
    world = world_of(address)
    await brought(world, data, elsewhere)
    assert names(data) == [fetched_name(elsewhere), fetched_name(elsewhere) + ".private"]
    world.delete_run()
    assert await live(world, over(world, data))
    assert list((data / "snapshots").iterdir()) == [], "the last one to use it takes it away"
    assert SERVER not in {item["metadata"]["name"] for item in world.objects().values()}


async def test_from_an_archive_of_the_volume(elsewhere: Path, data: Path) -> None:
    archive.pack(elsewhere, data / "snapshots" / "incident.tar.zst")
    shutil.copytree(private.folder(elsewhere), data / "snapshots" / "incident.private")
    await brought(world_of("incident.tar.zst"), data, elsewhere)
    assert {"incident.tar.zst", "incident.private"} < set(names(data))


async def test_the_operators_part_may_be_here_alone(
    s3: s3_server.Server, elsewhere: Path, data: Path
) -> None:
    """Where it was recorded the truth is known, whatever it was called and wherever it was taken to."""
    shutil.copytree(private.folder(elsewhere), data / "snapshots" / "0d5c2f9e.private")
    await brought(world_of(storage.put(elsewhere, BUCKET)), data, elsewhere)


async def test_a_second_run_fetches_nothing_and_the_first_leaves_it_there(
    s3: s3_server.Server, elsewhere: Path, data: Path
) -> None:
    address = storage.put(elsewhere, BUCKET, with_private=True)
    world = world_of(address)
    await brought(world, data, elsewhere)
    before = (data / "snapshots" / fetched_name(elsewhere)).stat().st_ino
    second = RunRef("default", "second", "11111111-6f6b-4f0e-9f1c-3a4b5c6d7e8f")
    apply(world, address, second)
    await live(world, over(world, data), second, looks=3)
    assert world.run(second).status.phase is Phase.ATTEMPTING
    world.delete_run()
    assert await live(world, over(world, data))
    assert (data / "snapshots" / fetched_name(elsewhere)).stat().st_ino == before


def no_private(s3: s3_server.Server, snapshot: Path) -> str:
    return storage.put(snapshot, BUCKET)


def wrong_private(s3: s3_server.Server, snapshot: Path) -> str:
    address = storage.put(snapshot, BUCKET, with_private=True)
    kept = s3.root / "bucket/runs/incident.private/private.json"
    kept.write_bytes(kept.read_bytes() + b" ")
    return address


def tampered(s3: s3_server.Server, snapshot: Path) -> str:
    address = storage.put(snapshot, BUCKET, with_private=True)
    (s3.root / "bucket/runs/incident/topology.json").write_text("{}")
    return address


def cut(s3: s3_server.Server, snapshot: Path) -> str:
    address = storage.put(snapshot, BUCKET, archived=True, with_private=True)
    file = s3.root / "bucket/runs/incident.tar.zst"
    file.write_bytes(file.read_bytes()[:-50])
    return address


def rewritten(s3: s3_server.Server, snapshot: Path, old: str, new: str) -> str:
    address = storage.put(snapshot, BUCKET, with_private=True)
    manifest = s3.root / "bucket/runs/incident/manifest.json"
    manifest.write_text(manifest.read_text().replace(old, new))
    return address


def hostile(s3: s3_server.Server, snapshot: Path) -> str:
    return rewritten(s3, snapshot, '"topology.json"', '"../../topology.json"')


def half_written(s3: s3_server.Server, snapshot: Path) -> str:
    address = storage.put(snapshot, BUCKET, with_private=True)
    (s3.root / "bucket/runs/incident/manifest.json").unlink()
    return address


def later_release(s3: s3_server.Server, snapshot: Path) -> str:
    return rewritten(s3, snapshot, '"schemaVersion":2', '"schemaVersion":3')


BAD: list[tuple[Any, str, str]] = [
    (no_private, "NotFound", "push --with-private"),
    (wrong_private, "Corrupt", "expected sha256"),
    (tampered, "Corrupt", "topology.json: expected"),
    (cut, "Corrupt", "cut short or changed"),
    (hostile, "Corrupt", "none of them '..'"),
    (half_written, "NotFound", "half-written"),
    (later_release, "Corrupt", "recorded by a later release"),
    (lambda s3, snapshot: f"{BUCKET}/none", "NotFound", "found nothing"),
    (lambda s3, snapshot: f"{BUCKET}/none.tar.zst", "NotFound", "found nothing"),
    (lambda s3, snapshot: "none.tar.zst", "NotFound", "expected an archive, found nothing"),
    (lambda s3, snapshot: "none", "NotFound", "retention policy"),
]


@pytest.mark.parametrize(
    ("make", "reason", "text"), BAD, ids=[f"{one[0].__name__}-{one[2][:12]}" for one in BAD]
)
async def test_what_cannot_be_had_says_why(
    s3: s3_server.Server, elsewhere: Path, data: Path, make: Any, reason: str, text: str
) -> None:
    world = world_of(make(s3, elsewhere))
    await live(world, over(world, data))
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.INVALID, reason)
    assert text in status.message
    recorded = status.condition(ConditionType.RECORDED)
    assert recorded is not None
    assert (recorded.status, recorded.reason) == (False, reason)
    assert names(data) == [], "nothing half-fetched"
    assert world.of_kind("AgentAttempt") == []


async def test_a_store_that_is_away_is_waited_for_and_then_given_up(
    s3: s3_server.Server, elsewhere: Path, data: Path
) -> None:
    address = storage.put(elsewhere, BUCKET, with_private=True)
    s3.dies_at_write = 0
    world = world_of(address)
    await live(world, over(world, data), looks=3)
    assert (world.run().status.phase, world.run().status.reason) == (Phase.PENDING, "Unreachable")
    s3.dies_at_write = None
    await live(world, over(world, data), looks=2)
    assert world.run().status.phase is Phase.ATTEMPTING
    later = world_of(address)
    s3.dies_at_write = 0
    await live(later, over(later, data), looks=1)
    later.now += replay_timeout(later)
    await live(later, over(later, data), looks=2)
    assert (later.run().status.phase, later.run().status.reason) == (Phase.INVALID, "Unreachable")


def replay_timeout(world: World) -> Any:
    return snapshot_v2.dt.timedelta(seconds=world.run().spec.gates.deploy_timeout_seconds)


async def test_a_volume_without_room_takes_nothing(
    elsewhere: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.pack(elsewhere, data / "snapshots" / "incident.tar.zst")
    shutil.copytree(private.folder(elsewhere), data / "snapshots" / "incident.private")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 2000))  # type: ignore[attr-defined]
    world = world_of("incident.tar.zst")
    await live(world, over(world, data))
    assert (world.run().status.phase, world.run().status.reason) == (Phase.INVALID, "Refused")
    assert "expected at most 1000 bytes in all" in world.run().status.message
    assert not (data / "snapshots" / fetched_name(elsewhere)).exists()
