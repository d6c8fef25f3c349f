"""A replayed run above an API server in memory: a snapshot, its server, its agents; nothing left."""

import base64
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.support import snapshot_v2
from tests.unit.handlers.world import UID, World, live, operator

from reprise.cli import report
from reprise.domain.run_status import Phase
from reprise.handlers.runtime import Runtime
from reprise.snapshot import private

SERVER = f"replay-{UID[:8]}"
OPERATOR: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "operator", "namespace": "reprise-system"},
    "spec": {
        "selector": {},
        "template": {"spec": {"volumes": [{"name": "data", "hostPath": {"path": "/var/lib/snapshots"}}]}},
    },
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "snapshots" / "incident"
    snapshot_v2.build(folder)
    document = {
        "run": {}, "scenario": {}, "plan": [], "injector": [], "mechanisms": [],
        "truth": [{"entity": "otel-demo/NetworkPolicy/allow-frontend", "equivalents": []}],
    }  # fmt: skip
    private.write(private.folder(folder), snapshot_v2.ID, document)
    return tmp_path


def world_of(**spec: Any) -> World:
    world = World()
    world.store(OPERATOR)
    world.apply_run(mode="replay", snapshot={"source": "incident"}, **spec)
    run = world.run_object()
    del run["spec"]["scenario"]
    world.store(run)
    return world


def over(world: World, data: Path) -> Runtime:
    runtime = operator(world)
    return dataclasses.replace(runtime, settings=dataclasses.replace(runtime.settings, data=data))


def serves(world: World) -> dict[str, Any]:
    (server,) = [item for item in world.of_kind("Deployment") if item["metadata"]["name"] == SERVER]
    server["status"] = {"availableReplicas": 1}
    world.store(server)
    (service,) = [item for item in world.of_kind("Service") if item["metadata"]["name"] == SERVER]
    service["spec"]["clusterIP"] = "10.0.0.2"
    world.store(service)
    return server


def kubeconfig_of(secret: dict[str, Any]) -> str:
    if text := secret.get("stringData", {}).get("kubeconfig"):
        return str(text)
    return base64.b64decode(secret.get("data", {}).get("kubeconfig", "")).decode()


async def test_from_a_folder_to_a_score(data: Path) -> None:
    world = world_of()
    await live(world, over(world, data), looks=5)
    assert world.run().status.reason == "ReplayStarts"
    assert world.of_kind("AgentAttempt") == [], "no clock runs before the server answers"
    pod = serves(world)["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/snapshot"]["subPath"] == "incident", "the folder beside it has the answer"
    assert mounts["/snapshot"]["readOnly"] is True
    await live(world, over(world, data))
    status = world.run().status
    assert (status.phase, status.reason) == (Phase.COMPLETED, "Replayed")
    assert status.score is not None
    assert status.score.n == 1
    assert status.timeline.baseline_at == snapshot_v2.BASELINE
    assert [item["metadata"]["name"] for item in world.of_kind("Deployment") if SERVER in str(item)] == []
    assert [item for item in world.of_kind("Service") if item["metadata"]["name"] == SERVER] == []
    assert world.of_kind("Lease") == [], "a replay holds no application"
    assert not world.broken()


async def test_the_report_of_a_replay_names_its_snapshot(data: Path) -> None:
    world = world_of()
    await live(world, over(world, data), looks=3)
    serves(world)
    await live(world, over(world, data))
    text = report.to_text(await report.gather(world, world.run_object()))
    assert "default/first: replay of incident, Completed" in text


async def test_attempts_are_not_the_clusters_gateways(data: Path) -> None:
    world = world_of()
    await live(world, over(world, data), looks=3)
    serves(world)
    await live(world, over(world, data))
    (attempt,) = world.of_kind("AgentAttempt")
    assert attempt["metadata"]["labels"]["reprise.dev/replay"] == "true"
    assert attempt["spec"]["window"]["start"] == "2026-01-02T12:00:00.000Z"


async def test_agents_are_told_the_namespace_that_was_recorded(data: Path) -> None:
    """Not the run's, which is a default when nobody names it."""
    world = world_of(application={"name": "otel-demo", "namespace": "another"})
    await live(world, over(world, data), looks=3)
    serves(world)
    await live(world, over(world, data), looks=2)
    (attempt,) = world.of_kind("AgentAttempt")
    assert attempt["spec"]["application"] == {"namespace": "otel-demo"}
    configs = [text for item in world.of_kind("Secret") if (text := kubeconfig_of(item))]
    assert configs
    assert all('"otel-demo"' in text and '"another"' not in text for text in configs), configs


async def test_deleted_while_agents_work_nothing_is_left(data: Path) -> None:
    world = world_of()
    world.submits = False
    await live(world, over(world, data), looks=3)
    serves(world)
    await live(world, over(world, data), looks=5)
    assert world.run().status.phase is Phase.ATTEMPTING
    world.delete_run()
    assert await live(world, over(world, data)), "kopf may take the finalizer away"
    assert SERVER not in {item["metadata"]["name"] for item in world.objects().values()}
    # What lies beside the run is the garbage collector's.
    assert world.of_kind("Secret", "reprise-agents") == []
    assert [item["metadata"]["name"] for item in world.of_kind("Secret", "reprise-system")] == ["gateway-tls"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: (folder / "topology.json").write_text("{}"), "Corrupt"),
        (lambda folder: (private.folder(folder) / "private.json").unlink(), "NotFound"),
        (lambda folder: folder.rename(folder.with_name("elsewhere")), "NotFound"),
    ],
    ids=["tampered", "without its private part", "gone"],
)
async def test_what_cannot_be_replayed_says_why(data: Path, harm: Any, reason: str) -> None:
    harm(data / "snapshots" / "incident")
    world = world_of()
    await live(world, over(world, data))
    assert (world.run().status.phase, world.run().status.reason) == (Phase.INVALID, reason)
    assert world.of_kind("AgentAttempt") == []
