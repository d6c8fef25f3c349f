"""Which runs are watched, and that nobody but the recorder writes to a spool once it is paused."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.fakes.api_server import ApiServer, connect, serve
from tests.unit.handlers import world as worlds

from reprise.adapters import run_document, scenario_write
from reprise.domain import plan, scenario, truth
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.mutation import BeforeCreate, Create, PlannedMutation
from reprise.domain.run import Run, RunRef, RunSpec
from reprise.domain.run_status import Phase, RunStatus
from reprise.handlers import watching
from reprise.handlers.watching import Need
from reprise.snapshot import private

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def a_run(phase: Phase, *, deleting: bool = False, enabled: bool = True) -> Run:
    spec = RunSpec("two-faults", snapshot_enabled=enabled)
    return Run(worlds.REF, START, 1, deleting, True, spec, RunStatus(phase=phase))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (a_run(Phase.PENDING), Need.NOT_YET),
        (a_run(Phase.DEPLOYING), Need.NOT_YET),
        (a_run(Phase.BASELINE), Need.WATCH),
        (a_run(Phase.INJECTING), Need.WATCH),
        (a_run(Phase.MANIFESTING), Need.WATCH),
        (a_run(Phase.RECORDING), Need.KEEP),
        (a_run(Phase.ATTEMPTING), Need.NOTHING),
        (a_run(Phase.RECOVERING), Need.NOTHING),
        (a_run(Phase.INVALID), Need.NOTHING),
        (a_run(Phase.MANIFESTING, deleting=True), Need.NOTHING),
        (a_run(Phase.MANIFESTING, enabled=False), Need.NOTHING),
    ],
)
def test_need(run: Run, expected: Need) -> None:
    assert watching.need(run) is expected


class Scenarios:
    async def get(self, name: str) -> scenario.Scenario | None:
        return worlds.SCENARIO

    async def names(self) -> tuple[str, ...]:
        return ()


class Stand:
    def __init__(self, server: ApiServer, url: str, directory: Path) -> None:
        self.server, self.url, self.directory = server, url, directory

    def watchers(self) -> watching.Watchers:
        return watching.Watchers(lambda: connect(self.url), self.directory, Scenarios())

    @property
    def spool(self) -> Path:
        return self.directory / f"{worlds.UID}.spool/core~v1~pods.jsonl"

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - a file on disk tells nobody that it grew
                await asyncio.sleep(0.01)

    async def spooled(self, text: str) -> None:
        await self.until(lambda: self.spool.exists() and text in self.spool.read_text())


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    server = ApiServer()
    async with serve(server) as url:
        yield Stand(server, url, tmp_path)


async def test_started_once_paused_and_forgotten(stand: Stand) -> None:
    watchers = stand.watchers()
    await watchers.follow(a_run(Phase.BASELINE))
    assert '"sync"' in stand.spool.read_text(), "before anything is injected"
    for phase in (Phase.BASELINE, Phase.BASELINE, Phase.INJECTING, Phase.RECORDING):
        await watchers.follow(a_run(phase))
    assert stand.server.requests.count("/api/v1/pods") == 1
    await watchers.pause(worlds.UID)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("watch for run")]
    await stand.until(lambda: stand.server.watches == 0)
    size = stand.spool.stat().st_size
    stand.server.put("pods", "a", "shop")
    await watchers.follow(a_run(Phase.RECORDING))
    assert stand.spool.stat().st_size == size
    await watchers.follow(a_run(Phase.ATTEMPTING))
    await watchers.follow(a_run(Phase.ATTEMPTING))
    assert not stand.spool.parent.exists()


async def test_another_process_goes_on(stand: Stand) -> None:
    first = stand.watchers()
    await first.follow(a_run(Phase.BASELINE))
    await stand.spooled('"sync"')
    await first.close()
    stand.server.put("pods", "a", "shop")
    second = stand.watchers()
    await second.follow(a_run(Phase.MANIFESTING))
    await stand.spooled('"ADDED"')
    assert stand.server.requests.count("/api/v1/pods") == 1
    await second.close()


async def test_an_api_server_that_is_away_does_not_hold_up_a_look(stand: Stand) -> None:
    stand.server.failing = {"/apis": 2}
    watchers = stand.watchers()
    await watchers.follow(a_run(Phase.BASELINE))
    await stand.spooled('"sync"')
    await watchers.close()


async def test_what_dead_processes_left_is_swept(stand: Stand) -> None:
    for uid in ("over", "under-way"):
        (stand.directory / f"{uid}.spool").mkdir()
    (stand.directory / "over").mkdir()
    await stand.watchers().sweep({"under-way"})
    assert sorted(path.name for path in stand.directory.iterdir()) == ["over", "under-way.spool"]


async def test_a_run_is_watched_until_it_is_recorded() -> None:
    world = worlds.World()
    runtime = worlds.operator(world)
    assert isinstance(runtime.history, worlds.History)
    world.apply_run()
    phases = {}
    for _ in range(60):
        await worlds.live(world, runtime, looks=1)
        phase = world.run().status.phase
        phases[phase] = worlds.UID in runtime.history.watched
        if phase.terminal:
            break
    assert phases.get(Phase.MANIFESTING, True)
    assert not phases[Phase.COMPLETED]


def test_the_operators_part_is_plain_data() -> None:
    ref = EntityId("otel-demo", "NetworkPolicy", "frontend-ingress")
    manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "frontend-ingress", "namespace": "otel-demo"},
    }
    planned = plan.Plan(
        scenario="two-faults",
        namespace="otel-demo",
        seed=1,
        mutations=(PlannedMutation(Create(manifest), BeforeCreate()),),
        settle=(plan.WaitPodsGone(ObjectRef("apps/v1", "Deployment", "otel-demo", "two-faults")),),
        recover=(),
        truth=truth.Truth((truth.RootCause(ref),)),
    )
    run = dataclasses.replace(a_run(Phase.RECORDING), ref=RunRef("default", "my-run", "the-uid"))
    made = run_document.document(run, worlds.SCENARIO, planned, planned.truth)
    assert set(made) == set(private.KEYS) - {"injector"}
    assert made["scenario"] == scenario_write.document(worlds.SCENARIO)
    assert made["truth"] == [{"entity": "otel-demo/NetworkPolicy/frontend-ingress", "equivalents": []}]
    assert private.tokens({**made, "injector": []}, "otel-demo") == {
        "the-uid": "uid of the run",
        "my-run": "name of the run",
        "network-policy-ingress-block": "name of a mechanism",
        "service-selector-invalid": "name of a mechanism",
    }, "a Deployment that is called like the scenario may be seen"
