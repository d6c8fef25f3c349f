"""Command-line agents, recorded ones and the examples, each as a whole attempt before the real gateway."""

import ast
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.contract import agent_fakes
from tests.contract.agent_fakes import ROOT, Done
from tests.contract.gateway_fakes import TOKEN, Clock, Cluster, Door, attempt, door

from reprise.agents.standin import script
from reprise.agents.standin.server import StandIn

WRAPPER = ROOT / "operator" / "reprise" / "agents" / "command" / "wrapper.py"
ANSWER = {"entities": [{"name": "otel-demo/Deployment/cart"}]}
STORED = {"entities": ["otel-demo/Deployment/cart"]}
DEPLOYMENTS = [
    {
        "metadata": {"namespace": "otel-demo", "name": name},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": n},
    }
    for name, n in (("cart", 0), ("ad", 1))
]


class ShopCluster(Cluster):
    """The fake, with Deployments."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/deployments"):
            return web.json_response({"kind": "DeploymentList", "metadata": {}, "items": DEPLOYMENTS})
        return await super().handle(request)


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Door]:
    cluster = ShopCluster()
    cluster.put(attempt(TOKEN))
    async with door(tmp_path, cluster, Clock()) as made:
        yield made


def trail(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit" / "uid-1.jsonl").read_text().splitlines()]


async def wrapped(gate: Door, folder: Path, command: str, *options: str, **environ: str) -> Done:
    url = agent_fakes.url_of(gate)
    return await agent_fakes.run(WRAPPER, url, folder, *options, "--", "sh", "-c", command, **environ)


def test_the_wrapper_runs_in_old_images() -> None:
    source = WRAPPER.read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    assert imported <= sys.stdlib_module_names
    assert "reprise" not in imported


async def test_an_answer_file_is_handed_in(gate: Door, tmp_path: Path) -> None:
    command = f'grep -q otel-demo "$TASK_FILE" && echo \'{json.dumps(ANSWER)}\' > "$ANSWER_FILE"'
    done = await wrapped(gate, tmp_path, command)
    assert (done.code, done.last_words) == (0, "handed in"), done.err
    assert (await gate.stored(phase="Submitted"))["submission"] == STORED


async def test_an_answer_counts_whatever_the_exit_code(gate: Door, tmp_path: Path) -> None:
    done = await wrapped(gate, tmp_path, f"echo '{json.dumps(ANSWER)}' > \"$ANSWER_FILE\"; exit 9")
    assert done.code == 0, done.err
    await gate.stored(phase="Submitted")


async def test_a_command_may_hand_in_itself(gate: Door, tmp_path: Path) -> None:
    agent_fakes.needs("curl")
    head = '--noproxy "*" -H "Authorization: Bearer $(cat $TOKEN_FILE)"'
    command = f"curl -sf {head} -d '{json.dumps(ANSWER)}' $GATEWAY_URL/submit"
    done = await wrapped(gate, tmp_path, command)
    assert done.code == 0, done.err
    assert (await gate.stored(phase="Submitted"))["submission"] == STORED


FAILING = {
    "exits 0 without an answer": ("true", "ended with exit code 0 without an answer"),
    "fails": ("exit 3", "ended with exit code 3 without an answer"),
    "claims our exit code": ("exit 75", "ended with exit code 75 without an answer"),
    "a malformed answer": ("echo nonsense > $ANSWER_FILE", "400"),
    "an unknown kind": ("""echo '{"entities": ["a/Foo/b"]}' > $ANSWER_FILE""", "expected a Kubernetes kind"),
    "a directory": ("mkdir $ANSWER_FILE", "expected a regular file"),
    "a pipe": ("mkfifo $ANSWER_FILE", "expected a regular file"),
    "a link": ("ln -s $TOKEN_FILE $ANSWER_FILE", "expected a regular file"),
    "1 GB": ("truncate -s 1G $ANSWER_FILE", "expected at most 262144 bytes, found 1073741824"),
    "an empty answer": (": > $ANSWER_FILE", "without an answer"),
}


@pytest.mark.parametrize("case", FAILING)
async def test_an_agent_s_failure(gate: Door, tmp_path: Path, case: str) -> None:
    command, reason = FAILING[case]
    done = await wrapped(gate, tmp_path, command)
    assert done.code == 1, done.err
    assert reason in done.last_words
    assert done.err.splitlines()[-1] == done.last_words
    assert "submission" not in gate.cluster.attempts["uid-1"].get("status", {})


async def test_who_ignores_sigterm_is_killed(gate: Door, tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo $$ > pid; while :; do sleep 1; done"
    done = await wrapped(gate, tmp_path, stubborn, "--seconds", "1", "--grace", "0.5")
    assert done.code == 1, done.err
    assert "did not end within 0 s of SIGTERM; killed" in done.last_words
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_an_answer_that_was_there_before_the_time_was_up_counts(gate: Door, tmp_path: Path) -> None:
    command = f"echo '{json.dumps(ANSWER)}' > \"$ANSWER_FILE\"; sleep 600"
    done = await wrapped(gate, tmp_path, command, "--seconds", "1")
    assert done.code == 0, done.err


async def test_termination_from_outside_reaches_the_command(gate: Door, tmp_path: Path) -> None:
    """As when the Job's deadline is over: the kubelet sends SIGTERM to the wrapper."""
    running = asyncio.create_task(wrapped(gate, tmp_path, "echo $PPID > parent; sleep 600"))
    parent = await agent_fakes.content(tmp_path / "parent")
    os.kill(int(parent), signal.SIGTERM)
    done = await running
    assert done.code == 1
    assert "was stopped from outside without an answer" in done.last_words


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"MODEL_ENDPOINT": "http://127.0.0.1:1/v1"}, "cannot be reached"),
        ({"MODEL_ENDPOINT": "{url}", "MODEL_KEY_FILE": "{folder}/token"}, "401"),
        ({"GATEWAY_URL": ""}, "expected an http(s) URL in GATEWAY_URL"),
        ({"TOKEN_FILE": "/nowhere"}, "expected readable TOKEN_FILE"),
    ],
)
async def test_what_is_not_the_agent_s_failure(
    gate: Door, tmp_path: Path, environ: dict[str, str], reason: str
) -> None:
    with StandIn(script.parse({"answers": [], "key": "other"})) as model:
        given = {key: value.format(url=model.url, folder=tmp_path) for key, value in environ.items()}
        done = await wrapped(gate, tmp_path, "touch ran", **given)
    assert done.code == 75, done.err
    assert reason in done.last_words
    assert not (tmp_path / "ran").exists()


async def test_an_endpoint_that_dies_meanwhile_is_found_out(gate: Door, tmp_path: Path) -> None:
    with StandIn(script.parse({"answers": []})) as model:
        # The command has the endpoint die, then fails as a client of it would.
        running = asyncio.create_task(
            wrapped(
                gate,
                tmp_path,
                "echo 1 > up; while [ -e up ]; do sleep 0.1; done; exit 1",
                MODEL_ENDPOINT=model.url,
            )
        )
        await agent_fakes.content(tmp_path / "up")
    (tmp_path / "up").unlink()
    done = await running
    assert done.code == 75, done.err
    assert "cannot be reached" in done.last_words
    assert "exit code 1" in done.last_words


async def test_a_command_that_is_not_there_is_not_an_agent_s_failure(gate: Door, tmp_path: Path) -> None:
    url = agent_fakes.url_of(gate)
    done = await agent_fakes.run(WRAPPER, url, tmp_path, "--", "/nowhere/agent")
    assert (done.code, "expected a command that can be run" in done.last_words) == (75, True)


async def test_it_installs_itself(gate: Door, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    done = await agent_fakes.run(WRAPPER, "", tmp_path, "--install", str(tmp_path / "there"))
    assert done.code == 0
    assert (tmp_path / "there" / "wrapper.py").read_text() == WRAPPER.read_text()


# -- recorded ones ----------------------------------------------------------------------------------


async def scripted(gate: Door, folder: Path, *lines: Any) -> Done:
    (folder / "trajectory.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    url = agent_fakes.url_of(gate)
    file = str(folder / "trajectory.jsonl")
    return await agent_fakes.run("reprise.agents.scripted", url, folder, TRAJECTORY_FILE=file)


async def test_a_trajectory_is_replayed(gate: Door, tmp_path: Path) -> None:
    steps = (
        {"path": "/api/v1/namespaces/otel-demo/pods?limit=5", "turn": 1, "justification": "where it hurts"},
        {"path": "/api/v1/secrets", "turn": 2},
        {"submit": ANSWER, "turn": 3},
    )
    done = await scripted(gate, tmp_path, *steps)
    assert (done.code, done.last_words) == (0, "played 3 steps"), done.err
    assert (await gate.stored(phase="Submitted"))["submission"] == STORED
    assert [(line["turn"], line["decision"], line["justification"]) for line in trail(tmp_path)] == [
        ("1", "allow", "where it hurts"),
        ("2", "deny", ""),
        ("3", "allow", ""),
    ]


async def test_an_audit_trail_is_a_trajectory(gate: Door, tmp_path: Path) -> None:
    await gate.ask("GET", "/api/v1/namespaces/otel-demo/pods", headers={"X-Turn": "1"})
    recorded = trail(tmp_path)
    done = await scripted(gate, tmp_path, *recorded, {"path": "/submit"}, {"submit": ANSWER})
    assert (done.code, done.last_words) == (0, "played 2 steps"), done.err
    again = trail(tmp_path)[1]
    assert (again["path"], again["turn"]) == (recorded[0]["path"], "1")


async def test_a_refused_answer_ends_it(gate: Door, tmp_path: Path) -> None:
    done = await scripted(gate, tmp_path, {"submit": {"entities": ["x"]}})
    assert (done.code, "400" in done.last_words) == (1, True)


@pytest.mark.parametrize("lines", [[], ["x"], [{"path": "api"}], [{"nothing": 1}]])
async def test_no_trajectory_is_not_an_agent_s_failure(gate: Door, tmp_path: Path, lines: list[Any]) -> None:
    done = await scripted(gate, tmp_path, *lines)
    assert (done.code, "expected a trajectory" in done.last_words) == (75, True)


# -- examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", ["ten_lines.py", "not_ready.sh"])
async def test_an_example_is_a_whole_attempt(gate: Door, tmp_path: Path, example: str) -> None:
    path = ROOT / "examples" / "agents" / example
    if path.suffix == ".sh":
        agent_fakes.needs("curl", "jq")
    program = [sys.executable, str(path)] if path.suffix == ".py" else [str(path)]
    done = await agent_fakes.execute(program, agent_fakes.url_of(gate), tmp_path, http_proxy="")
    assert done.code == 0, done.err
    assert (await gate.stored(phase="Submitted"))["submission"] == STORED
