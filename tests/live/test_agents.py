"""Every kind of agent completes a scored attempt: on a live incident, and on a replayed one.

`REPRISE_TEST_APPLICATION` names the copy of the application that is broken, for clusters on which the first
one is in use; other copies than that are made and removed here. `REPRISE_TEST_SNAPSHOT` names the snapshot
that is replayed; without it it is the newest of this incident, else one is recorded.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.live import agent_doors
from tests.live.agent_doors import Door
from tests.live.agent_fixtures import (
    CAUSE,
    SCENARIO,
    cause_in,
    command,
    investigation,
    models,
    replay_of,
    run_manifest,
    shell_image,
    snapshot,
    stirrup,
)
from tests.live.conftest import Kubectl, delete_run, get_run, state_dir, wait_finished
from tests.live.model_endpoint import Endpoints
from tests.live.waiting import eventually

__all__ = ["models", "shell_image", "snapshot"]

APPLICATION = os.environ.get("REPRISE_TEST_APPLICATION") or "otel-demo"
EXTERNAL_RUN = "agents-external"
# In the image of agents with a shell; `sh` needs no other file.
COMMANDS = {
    "hands in": agent_doors.SCRIPT + agent_doors.HAND_IN,
    "leaves a file": agent_doors.SCRIPT + 'kubectl get pods >&2\nmv answer.json "$ANSWER_FILE"\n',
}

# Finds the cause in the files alone.
LOOK_AT_FILES = r"""
set -eu
cd "$SNAPSHOT_DIR"
find . -type f | sed 's|^\./|file |' >&2
touch here 2>&1 | cat >&2
sed 's/^/mount /' /proc/self/mountinfo >&2
jq -c -s '{entities: [.[1:][].object.metadata | {name: "\(.namespace)/NetworkPolicy/\(.name)"}]}' \
  objects/networking.k8s.io~v1~networkpolicies.jsonl > "$ANSWER_FILE"
"""

Reprise = Callable[..., Any]
Start = Callable[..., str]


# -- a replayed incident ------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", agent_doors.EXTERNAL)
def test_an_external_agent_on_a_replay(agent: str, snapshot: Path, tmp_path: Path) -> None:
    needs(agent)
    with agent_doors.replayed(snapshot, tmp_path) as (door, ended):
        agent_doors.EXTERNAL[agent](door)
    (attempt,) = ended
    assert (attempt["phase"], attempt["score"]) == ("Submitted", 1.0), attempt


def present() -> list[str]:
    """The external agents that this machine can start: an attempt that nobody plays would hold up all that
    come after."""
    return [
        agent for agent in agent_doors.EXTERNAL if agent != "inspect" or agent_doors.INSPECT_PYTHON.exists()
    ]


def needs(agent: str) -> None:
    if agent not in present():
        pytest.skip(f"no {agent_doors.INSPECT_PYTHON}: run `make inspect-venv`")


def test_stirrup_on_a_replay(
    snapshot: Path, models: Endpoints, start_run: Start, kubectl: Kubectl, reprise: Reprise, tmp_path: Path
) -> None:
    url = models.start("replay", investigation(cause_in(snapshot)))
    name = start_run("agents-stirrup-replay", **replay_of(snapshot, stirrup(models, url)))
    check_stirrup(kubectl, reprise, name, tmp_path)


@pytest.mark.parametrize("way", COMMANDS)
def test_a_command_on_a_replay(
    way: str,
    snapshot: Path,
    shell_image: str,
    start_run: Start,
    kubectl: Kubectl,
    reprise: Reprise,
    tmp_path: Path,
) -> None:
    agent = command(shell_image, COMMANDS[way])
    name = start_run(f"agents-command-{way.split()[0]}", **replay_of(snapshot, agent))
    check(kubectl, reprise, name, tmp_path)


def test_a_snapshot_as_files(
    snapshot: Path, shell_image: str, start_run: Start, kubectl: Kubectl, reprise: Reprise
) -> None:
    """What an agent may see of it, whole, read-only; and no word of where it comes from."""
    agent = {**command(shell_image, LOOK_AT_FILES), "mountSnapshot": True}
    name = start_run("agents-files", **replay_of(snapshot, agent))
    status = wait_finished(kubectl, name)
    (attempt,) = status["attempts"]
    assert (attempt["phase"], attempt["score"]) == ("Scored", 1), attempt
    printed = reprise("attempts", "record", f"{name}/1").stdout
    assert "Read-only file system" in printed
    listed = {line.removeprefix("file ") for line in printed.splitlines() if line.startswith("file ")}
    wanted = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()}
    assert listed == wanted - {"manifest.json"}
    mounts = [line for line in printed.splitlines() if line.startswith("mount ")]
    assert mounts
    assert not any("reprise" in line or snapshot.name in line for line in mounts), mounts
    label = f"reprise.dev/run={get_run(kubectl, name)['metadata']['uid']}"
    assert "persistentvolume/" in kubectl("get", "pv,pvc", "-A", "-l", label, "-o", "name")
    delete_run(kubectl, name)
    # Both are deleted with the run, and go when their protection has seen that the pod is gone.
    eventually(lambda: not kubectl("get", "pv,pvc", "-A", "-l", label, "-o", "name"), "its volume to be gone")


# -- a live incident ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def application(kubectl: Kubectl) -> Iterator[dict[str, str]]:
    """`spec.application`; a copy is made as docs/operations.md says."""
    if APPLICATION != "otel-demo":
        kubectl("create", "namespace", APPLICATION)
        kubectl(
            "create", "rolebinding", "operator", "-n", APPLICATION, "--clusterrole=reprise-application",
            "--serviceaccount=reprise-system:operator",
        )  # fmt: skip
    yield {"namespace": APPLICATION}
    if APPLICATION != "otel-demo":
        kubectl("delete", "namespace", APPLICATION, timeout_seconds=300)


@pytest.fixture(scope="module")
def attached(
    application: dict[str, str], kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Door]]:
    """The door of each external agent: one incident, an attempt for each."""
    name, agents = EXTERNAL_RUN, present()
    spec = {
        "scenario": SCENARIO,
        "application": application,
        "repeats": len(agents),
        "agent": {"kind": "external", "parallelism": len(agents)},
    }
    delete_run(kubectl, name)
    kubectl("create", "-f", "-", stdin=run_manifest(name, **spec))
    try:
        kubectl(
            "wait", f"agentattempt/{name}-{len(agents)}", "-n", "default", "--for=create", "--timeout=900s",
            timeout_seconds=910,
        )  # fmt: skip
        run = get_run(kubectl, name)

        def door(agent: str) -> Door:
            number = agents.index(agent) + 1
            folder = tmp_path_factory.mktemp("agent")
            secret = json.loads(
                kubectl("get", "secret", f"{name}-{number}-kubeconfig", "-n", "default", "-o", "json")
            )
            (folder / "kubeconfig").write_bytes(base64.b64decode(secret["data"]["kubeconfig"]))
            return Door(
                folder / "kubeconfig", state_dir() / "data" / "snapshots" / run["metadata"]["uid"], folder
            )

        yield door
    finally:
        delete_run(kubectl, name)


@pytest.mark.parametrize("agent", agent_doors.EXTERNAL)
def test_an_external_agent_on_a_live_incident(
    agent: str, attached: Callable[[str], Door], kubectl: Kubectl, reprise: Reprise, tmp_path: Path
) -> None:
    needs(agent)
    number = present().index(agent) + 1
    agent_doors.EXTERNAL[agent](attached(agent))
    kubectl(
        "wait", f"agentattempt/{EXTERNAL_RUN}-{number}", "-n", "default", "--timeout=300s",
        "--for=jsonpath={.spec.verdict.phase}",
    )  # fmt: skip
    check_attempt(kubectl, reprise, EXTERNAL_RUN, number, tmp_path)


@pytest.fixture
def to_itself(application: dict[str, str], kubectl: Kubectl) -> dict[str, str]:
    """`spec.application`, without the external agents' incident: should one of them have failed, its attempt
    lasts for as long as it may, and so would the next run's wait."""
    delete_run(kubectl, EXTERNAL_RUN)
    return application


def test_stirrup_on_a_live_incident(
    to_itself: dict[str, str],
    models: Endpoints,
    start_run: Start,
    kubectl: Kubectl,
    reprise: Reprise,
    tmp_path: Path,
) -> None:
    url = models.start("live", investigation(f"{APPLICATION}/{CAUSE}"))
    name = start_run(
        "agents-stirrup-live", scenario=SCENARIO, application=to_itself, agent=stirrup(models, url)
    )
    check_stirrup(kubectl, reprise, name, tmp_path)


def test_a_command_on_a_live_incident(
    to_itself: dict[str, str],
    shell_image: str,
    start_run: Start,
    kubectl: Kubectl,
    reprise: Reprise,
    tmp_path: Path,
) -> None:
    """As the example has it, but for the image."""
    spec = yaml.safe_load((agent_doors.ROOT / "examples" / "command.yaml").read_text())["spec"]
    spec["agent"]["image"] = shell_image
    assert spec["scenario"] == SCENARIO
    name = start_run("agents-command-live", **{**spec, "application": to_itself})
    check(kubectl, reprise, name, tmp_path)


# -- what must hold of every attempt ------------------------------------------------------------------------


def check(kubectl: Kubectl, reprise: Reprise, name: str, folder: Path) -> dict[str, Any]:
    """One attempt, scored 1; returns the AgentAttempt."""
    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", f"{status.get('reason')}: {status.get('message')}"
    (summary,) = status["attempts"]
    assert (summary["phase"], summary["score"]) == ("Scored", 1), summary
    return check_attempt(kubectl, reprise, name, 1, folder)


def check_attempt(kubectl: Kubectl, reprise: Reprise, run: str, number: int, folder: Path) -> dict[str, Any]:
    """Scored 1, and every command about it works; returns the AgentAttempt."""
    attempt: dict[str, Any] = json.loads(
        kubectl("get", "agentattempt", f"{run}-{number}", "-n", "default", "-o", "json")
    )
    assert attempt["spec"]["verdict"]["score"] == 1, attempt
    target = f"{run}/{number}"

    def say(*words: str) -> str:
        done = reprise("attempts", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    assert "networkpolicies" in say("show", target)
    assert "found " in say("why", target)
    assert "whole" in say("verify", target)
    for form in ("otel", "atif"):
        say("export", target, "--format", form, "--out", str(folder / form))
        assert json.loads((folder / form).read_text())
    return attempt


def check_stirrup(kubectl: Kubectl, reprise: Reprise, name: str, folder: Path) -> None:
    attempt = check(kubectl, reprise, name, folder)
    # 4 · (200 · 10 + 800 · 1 + 10 · 100) / 1e6 dollars
    assert attempt["status"]["usage"] == {
        "costUSD": 0.0152, "tokensCached": 3200, "tokensIn": 4000, "tokensOut": 40,
    }  # fmt: skip
    assert attempt["status"]["turns"] == 4
    # The record outlives the pod.
    kubectl(
        "delete", "jobs", "-n", "reprise-agents", "-l", f"reprise.dev/attempt={attempt['metadata']['uid']}"
    )
    printed = reprise("attempts", "record", f"{name}/1")
    assert printed.returncode == 0, printed.stderr
    messages = [json.loads(line) for line in printed.stdout.splitlines() if line.startswith("{")]
    assert [item["event"] for item in messages] == [
        "task", *["assistant", "tool"] * 4, "usage", "end",
    ]  # fmt: skip
    assert CAUSE in messages[2]["text"].replace("networkpolicy.networking.k8s.io", "NetworkPolicy")
