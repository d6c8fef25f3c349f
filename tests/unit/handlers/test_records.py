"""What agents have printed outlives their pods."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.unit.handlers.test_agent_job import a_world
from tests.unit.handlers.world import World, operator

from reprise.adapters.kube import Json
from reprise.domain import errors
from reprise.domain.attempt import Attempt, Job, JobState
from reprise.domain.run import AgentKind
from reprise.handlers import records
from reprise.handlers.runtime import Runtime

PRINTED = '{"event": "assistant"}\nhanded in\n'


def pod(name: str, **state: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "reprise-agents", "labels": {"reprise.dev/attempt": "uid-1"}},
        "status": {"containerStatuses": [{"name": "agent", "state": state}]},
    }


def judged(world: World) -> Attempt:
    job = Job(JobState.SUCCEEDED, True)
    return Attempt(1, "first-1", "uid-1", AgentKind.STIRRUP, world.now, world.now, 600, job=job)


def keeping(world: World, folder: Path, said: str | errors.RepriseError) -> Runtime:
    """An operator whose API server gives this log."""

    async def logs(namespace: str, pod: str, **query: str) -> str:
        assert (namespace, pod, query["container"]) == ("reprise-agents", "attempt-1", "agent")
        if isinstance(said, errors.RepriseError):
            raise said
        return said

    world.logs = logs  # type: ignore[method-assign]
    runtime = operator(world)
    runtime.settings = dataclasses.replace(runtime.settings, data=folder)
    return runtime


async def test_it_is_kept_and_kept_again(tmp_path: Path) -> None:
    world = a_world(pod("attempt-1", running={}))
    await records.keep(keeping(world, tmp_path, "half"), judged(world))
    await records.keep(keeping(world, tmp_path, PRINTED), judged(world))
    (path,) = (tmp_path / "records").iterdir()
    assert (path.name, path.read_text()) == ("uid-1.log", PRINTED)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"waiting": {"reason": "ImagePullBackOff"}}, "never asked for"),
        ({"terminated": {"exitCode": 0}}, ""),
        ({"terminated": {"exitCode": 0}}, errors.Unreachable("the kubelet is away")),
        ({"terminated": {"exitCode": 0}}, errors.NotFound("the pod is gone")),
    ],
)
async def test_what_cannot_be_had_holds_up_nothing_and_loses_nothing(
    state: dict[str, Any], said: str | errors.RepriseError, tmp_path: Path
) -> None:
    world = a_world(pod("attempt-1", **state))
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "uid-1.log").write_text(PRINTED)
    await records.keep(keeping(world, tmp_path, said), judged(world))
    assert (tmp_path / "records" / "uid-1.log").read_text() == PRINTED


async def test_a_folder_that_cannot_be_written_holds_up_nothing(tmp_path: Path) -> None:
    world = a_world(pod("attempt-1", running={}))
    (tmp_path / "records").write_text("in the way")
    await records.keep(keeping(world, tmp_path, PRINTED), judged(world))
