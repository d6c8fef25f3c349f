"""What goes wrong with agents that run as Jobs: whose fault it is, and that it is said. On a replay."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live import agent_doors, daily
from tests.live.agent_fixtures import (
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
from tests.live.conftest import Kubectl, delete_run, wait_finished
from tests.live.model_endpoint import Endpoints

__all__ = ["models", "shell_image", "snapshot"]

Start = Callable[..., str]
# An answer is asked for once. IMPATIENT: and not waited for.
ONCE = {"MODEL_TIMEOUT_SECONDS": "30", "MODEL_RETRIES": "0"}
IMPATIENT = {**ONCE, "MODEL_TIMEOUT_SECONDS": "2"}
BUDGETS = {"wallClockSeconds": 60}

ENDPOINTS: dict[str, tuple[dict[str, Any], str]] = {
    "slow": ({"answers": [{"hang": True, "times": 9}]}, "expected an answer within 2 s"),
    "wrong key": ({"answers": [], "key": "sk-another"}, "401"),
    "another model": ({"answers": [], "model": "another"}, "404"),
    "broken": ({"answers": [{"status": 500, "times": 9}]}, "500"),
}


def first_failure(kubectl: Kubectl, name: str) -> str:
    """Why the run's first attempt failed on our side, unscored. Those made after it are not waited for."""
    attempt = ("agentattempt", f"{name}-1", "-n", "default")
    for what in ("create", "jsonpath={.spec.verdict.phase}"):
        kubectl("wait", *attempt, f"--for={what}", "--timeout=300s", timeout_seconds=310)
    verdict = json.loads(kubectl("get", *attempt, "-o", "json"))["spec"]["verdict"]
    assert verdict["phase"] == "InfraFailed", verdict
    assert "score" not in verdict
    return str(verdict["reason"])


@pytest.fixture(scope="module", autouse=True)
def without_image(snapshot: Path, kubectl: Kubectl) -> Iterator[str]:
    """A run whose agent's image nobody has. That is a failure after three minutes only, so it begins first,
    and the test of it comes last."""
    name = "agents-no-image"
    delete_run(kubectl, name)
    agent = command("localhost/nobody-has-this:1", "true")
    kubectl("create", "-f", "-", stdin=run_manifest(name, **replay_of(snapshot, agent, budgets=BUDGETS)))
    yield name
    delete_run(kubectl, name)


@pytest.mark.parametrize("case", daily.some(ENDPOINTS, 1))
def test_an_endpoint_that_cannot_be_used(
    case: str, snapshot: Path, models: Endpoints, start_run: Start, kubectl: Kubectl
) -> None:
    script, reason = ENDPOINTS[case]
    name = case.replace(" ", "-")
    url = models.start(name, **script)
    agent = stirrup(models, url, **(IMPATIENT if case == "slow" else ONCE))
    start_run(f"agents-{name}", **replay_of(snapshot, agent, budgets=BUDGETS))
    assert reason in first_failure(kubectl, f"agents-{name}")


def test_an_endpoint_that_stays_away_ends_the_run_and_nobody_is_scored(
    snapshot: Path, start_run: Start, kubectl: Kubectl, models: Endpoints
) -> None:
    agent = stirrup(models, models.url("nobody"), **ONCE)
    start_run("agents-away", **replay_of(snapshot, agent, budgets=BUDGETS))
    status = wait_finished(kubectl, "agents-away")
    assert (status["phase"], status["reason"]) == ("Invalid", "AttemptsFailed"), status
    attempts = status["attempts"]
    assert [(item["phase"], item.get("score")) for item in attempts] == [("InfraFailed", None)] * 3, attempts
    assert all("cannot be reached" in item["reason"] for item in attempts), attempts


def test_an_attempt_that_failed_on_our_side_is_made_again(
    snapshot: Path, models: Endpoints, start_run: Start, kubectl: Kubectl
) -> None:
    url = models.start("at-first", [{"status": 503}, *investigation(cause_in(snapshot))])
    start_run("agents-again", **replay_of(snapshot, stirrup(models, url, **ONCE), budgets=BUDGETS))
    status = wait_finished(kubectl, "agents-again")
    assert [(item["phase"], item.get("score")) for item in status["attempts"]] == [
        ("InfraFailed", None), ("Scored", 1),
    ]  # fmt: skip
    assert (status["score"]["n"], status["score"]["unscored"]) == (1, 1)


COMMANDS = {
    "exits without an answer": ("exit 0", "ended with exit code 0 without an answer"),
    "leaves a gigabyte": ('truncate -s 1G "$ANSWER_FILE"', "expected at most 262144 bytes, found 1073741824"),
    "ignores the end": ("trap '' TERM; while :; do sleep 1; done", "SIGTERM; killed without an answer"),
    "is killed": ("kill -9 $$", "ended with exit code -9 without an answer"),
}


@pytest.mark.parametrize("case", daily.some(COMMANDS, 2))
def test_a_command_that_fails_is_scored_0_and_says_why(
    case: str, snapshot: Path, shell_image: str, start_run: Start, kubectl: Kubectl
) -> None:
    text, reason = COMMANDS[case]
    name = f"agents-{case.replace(' ', '-')}"
    # Half a minute: 15 s for the command, 10 until it is killed.
    budgets = {"wallClockSeconds": 30}
    start_run(name, **replay_of(snapshot, command(shell_image, text), budgets=budgets))
    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", status
    (attempt,) = status["attempts"]
    assert (attempt["phase"], attempt["score"]) == ("AgentFailed", 0), attempt
    assert reason in attempt["reason"], attempt


def test_a_token_is_of_no_use_after_the_end(snapshot: Path, tmp_path: Path) -> None:
    call = {"name": "list_resources", "arguments": {"resource": "pods"}}
    rpc = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    both = ["-H", "Content-Type: application/json", "-H", "Accept: application/json, text/event-stream"]
    with agent_doors.replayed(snapshot, tmp_path) as (door, _):
        agent_doors.kubectl(door)
        head = ["--cacert", door.files()["CA_FILE"], "-H", f"Authorization: Bearer {door.token}"]

        def ask(path: str, *more: str) -> str:
            return door.run("curl", "-s", "-w", "\n%{http_code}", *head, *more, door.url + path)

        read, tool = ask("/api/v1/pods"), ask("/mcp", *both, "-d", rpc)
        handed_in = ask("/submit", *both, "-d", '{"entities": []}')
    assert read.endswith("401"), read
    assert "cart" not in read + tool
    assert "the attempt is over" in tool or tool.endswith("401"), tool
    assert handed_in.endswith("409"), handed_in


def test_an_image_that_cannot_be_pulled(without_image: str, kubectl: Kubectl) -> None:
    assert "nobody-has-this" in first_failure(kubectl, without_image)
