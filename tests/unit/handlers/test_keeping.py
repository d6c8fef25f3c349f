"""A run's retention policy above real folders: what goes, what stays, what is said, whoever dies when."""

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import snapshot_v2
from tests.unit.handlers.world import REF, UID, Killed, World, live, operator

from reprise.domain import observed, run_status
from reprise.domain.run import Run, RunRef
from reprise.domain.run_status import ConditionType, Phase
from reprise.handlers import effects, keeping, registration
from reprise.handlers.runtime import Runtime
from reprise.snapshot import archive, kept, private, verify

DAY = dt.timedelta(days=1)
KEEP_TWO = {"retention": {"keepLast": 2}}


def record(
    data: Path,
    uid: str,
    age: dt.timedelta = dt.timedelta(),
    namespace: str = "default",
    scenario: str = "two-faults",
) -> Path:
    """A snapshot as a run of that uid leaves it, `age` before the world's time."""
    made = snapshot_v2.make(data / "snapshots" / uid, traces=1, logs=1)
    document = json.loads((made / "manifest.json").read_text())
    document["timeline"] = {
        name: snapshot_v2.rfc(dt.datetime(2026, 1, 1, 0, number, tzinfo=dt.UTC) - age)
        for number, name in enumerate(("baselineAt", "injectedAt", "symptomAt", "recordedAt"))
    }
    (made / "manifest.json").write_bytes(snapshot_v2.dump(document) + b"\n")
    secret: dict[str, Any] = {
        "run": {"namespace": namespace, "name": f"run-{uid}", "uid": uid},
        "scenario": {"name": scenario}, "truth": [], "plan": [], "injector": [], "mechanisms": [],
    }  # fmt: skip
    private.write(private.folder(made), document["id"], secret)
    return made


class Recorder:
    def __init__(self, data: Path) -> None:
        self.data = data

    async def record(self, run: Run) -> run_status.Snapshot:
        return run_status.Snapshot(str(record(self.data, run.ref.uid)), "sha256:0", 3)


def over(world: World, data: Path) -> Runtime:
    runtime = operator(world)
    settings = dataclasses.replace(runtime.settings, data=data)
    return dataclasses.replace(runtime, settings=settings, recorder=Recorder(data))


def names(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "snapshots").iterdir())


def said(world: World) -> tuple[bool, str, str]:
    found = world.run().status.condition(ConditionType.RETENTION_APPLIED)
    assert found is not None
    return found.status, found.reason, found.message


def both(*uids: str) -> list[str]:
    return sorted(name for uid in uids for name in (uid, f"{uid}.private"))


async def test_older_ones_go_with_all_that_lies_beside_them(tmp_path: Path) -> None:
    for number, uid in enumerate(("older", "oldest", "old"), 1):
        record(tmp_path, uid, number * DAY)
    archive.pack(tmp_path / "snapshots/oldest", tmp_path / "snapshots/oldest.tar.zst")
    world = World()
    world.apply_run(snapshot=KEEP_TWO)
    await live(world, over(world, tmp_path))
    assert world.run().status.phase is Phase.COMPLETED
    assert names(tmp_path) == both("older", UID)
    assert said(world) == (True, "Dropped", "2 snapshots: old, oldest")
    assert verify.verify(tmp_path / "snapshots" / UID).ok


@pytest.mark.parametrize(
    ("age", "namespace", "scenario", "why"),
    [
        (5 * DAY, "other", "two-faults", "another namespace's"),
        (5 * DAY, "default", "control", "another scenario's"),
        (-DAY, "default", "two-faults", "a newer one"),
    ],
)
async def test_what_the_policy_does_not_govern_stays(
    tmp_path: Path, age: dt.timedelta, namespace: str, scenario: str, why: str
) -> None:
    record(tmp_path, "there", age, namespace, scenario)
    world = World()
    world.apply_run(snapshot={"retention": {"keepLast": 1}})
    await live(world, over(world, tmp_path))
    assert names(tmp_path) == both("there", UID), why
    assert said(world)[:2] == (True, "NothingToDrop")


async def test_young_ones_stay_whatever_their_number(tmp_path: Path) -> None:
    record(tmp_path, "young", 2 * DAY)
    record(tmp_path, "old", 4 * DAY)
    world = World()
    world.apply_run(snapshot={"retention": {"keepDays": 3}})
    await live(world, over(world, tmp_path))
    assert names(tmp_path) == both("young", UID)


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"mode": "replay", "snapshot": {"source": "there"}}, {"phase": "Pending"}),
        ({"mode": "replay", "snapshot": {"source": "there.tar.zst"}}, {"phase": "Pending"}),
        (
            {"mode": "replay", "snapshot": {"source": "s3://bucket/else"}},
            {"phase": "Attempting", "snapshot": {"path": "/data/snapshots/there"}},
        ),
        ({"scenario": "two-faults"}, {"phase": "Attempting"}),
    ],
    ids=["replay to come", "of its archive", "replay under way", "run under way"],
)
async def test_what_is_in_use_stays(tmp_path: Path, spec: dict[str, Any], status: dict[str, Any]) -> None:
    record(tmp_path, "there", 5 * DAY)
    uid = "there" if "scenario" in spec else "replay"
    others = [{"metadata": {"uid": uid}, "spec": spec, "status": status}]
    assert "there" in keeping.in_use(others)
    (ended,) = [{**one, "status": {**status, "phase": "Completed"}} for one in others]
    assert keeping.in_use([ended]) == frozenset()
    origin = kept.Origin("default", "two-faults")
    (found,) = kept.recorded(tmp_path / "snapshots", origin, keeping.in_use(others))
    assert found.in_use


async def test_what_is_no_whole_snapshot_is_let_alone(tmp_path: Path) -> None:
    record(tmp_path, "damaged", DAY)
    (tmp_path / "snapshots/damaged/manifest.json").write_text("{}")
    private_gone = record(tmp_path, "bare", DAY)
    (private.folder(private_gone) / "manifest.json").unlink()
    record(tmp_path, "copied", DAY).rename(tmp_path / "snapshots/copy")
    (tmp_path / "snapshots/copied.private").rename(tmp_path / "snapshots/copy.private")
    (tmp_path / "snapshots/late.partial").mkdir()
    before = names(tmp_path)
    world = World()
    world.apply_run(snapshot={"retention": {"keepLast": 1}})
    await live(world, over(world, tmp_path))
    assert names(tmp_path) == sorted([*before, *both(UID)])


@pytest.mark.parametrize("action", [observed.CondemnSnapshots, observed.DiscardSnapshots])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_the_process_may_die_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: type, after: bool
) -> None:
    record(tmp_path, "old", DAY)
    record(tmp_path, "older", 2 * DAY)
    world = World()
    world.apply_run(snapshot={"retention": {"keepLast": 1}})
    perform, dead = effects.perform, []

    async def dying(runtime: Any, run: Any, asked: Any, seen: Any) -> Any:
        if not isinstance(asked, action) or dead:
            return await perform(runtime, run, asked, seen)
        dead.append(1)
        if after:
            await perform(runtime, run, asked, seen)
        raise Killed

    monkeypatch.setattr(effects, "perform", dying)
    with pytest.raises(Killed):
        await live(world, over(world, tmp_path))
    obj = world.run_object()
    assert obj["status"]["phase"] == "Completed"
    assert registration.is_active(spec=obj["spec"], status=obj["status"]), "kopf must call again"
    await live(world, over(world, tmp_path))
    assert names(tmp_path) == both(UID)
    assert said(world) == (True, "Dropped", "2 snapshots: old, older")
    obj = world.run_object()
    assert not registration.is_active(spec=obj["spec"], status=obj["status"])


async def test_a_half_removed_one_is_removed_wholly(tmp_path: Path) -> None:
    record(tmp_path, "old", DAY)
    directory = tmp_path / "snapshots"
    kept.condemn(directory, "old", "run")
    kept.condemn(directory, "old", "run")
    (private.folder(directory / "old") / "manifest.json").unlink()
    assert kept.condemned(directory, "run") == ["old"]
    assert kept.condemned(directory, "another") == []
    kept.discard(directory, "another")
    kept.discard(directory, "run")
    kept.discard(directory, "run")
    assert names(tmp_path) == []


async def test_what_cannot_be_removed_is_said_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, "old", DAY)

    def fails(*args: Any, **options: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.rmtree", fails)
    world = World()
    world.apply_run(snapshot={"retention": {"keepLast": 1}})
    await live(world, over(world, tmp_path))
    run = world.run()
    assert (run.status.phase, run.status.reason) == (Phase.COMPLETED, "Recovered")
    holds, reason, message = said(world)
    assert (holds, reason) == (False, "Refused")
    assert "Input/output error" in message
    assert world.of_kind("Lease") == [], "nobody waits for it"


async def test_deleted_in_between_nothing_is_left(tmp_path: Path) -> None:
    record(tmp_path, "old", DAY)
    world = World()
    world.apply_run(snapshot={"retention": {"keepLast": 1}})
    runtime = over(world, tmp_path)
    await live(world, runtime)
    record(tmp_path, "another", DAY)
    kept.condemn(tmp_path / "snapshots", "another", REF.uid)
    world.delete_run()
    assert await live(world, runtime)
    assert names(tmp_path) == both(UID)


@pytest.mark.parametrize(
    ("status", "retention", "expected"),
    [
        ({}, True, True),
        ({"phase": "Attempting"}, False, True),
        ({"phase": "Completed", "snapshot": {"path": "x"}}, True, True),
        ({"phase": "Completed", "snapshot": {"path": "x"}}, False, False),
        ({"phase": "Completed"}, True, False),
        ({"phase": "Invalid", "snapshot": {"path": "x"}}, True, False),
        ({"phase": "Failed", "snapshot": {"path": "x"}}, True, False),
    ],
)
def test_who_is_called_again(status: dict[str, Any], retention: bool, expected: bool) -> None:
    spec = {"snapshot": {"retention": {"keepLast": 1}} if retention else {}}
    assert registration.is_active(spec=spec, status=status) is expected


async def test_two_runs_at_once_name_each_what_it_dropped(tmp_path: Path) -> None:
    record(tmp_path, "old", DAY)
    directory = tmp_path / "snapshots"
    kept.condemn(directory, "old", "first")
    kept.condemn(directory, "old", "second")
    assert (kept.condemned(directory, "first"), kept.condemned(directory, "second")) == (["old"], [])
    assert RunRef("default", "x", "first").uid in names(tmp_path)[0]
