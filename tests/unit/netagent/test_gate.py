"""The gate from both ends: the plugin as the container runtime calls it, and the agent that lets pods
pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netagent import fabric, gate, host, model, newcomers

RESULT = {"cniVersion": "1.0.0", "ips": [{"address": "10.244.0.9/24"}, {"address": "fd00::9/64"}]}
WEB = model.Pod("shop", "web", "a", {}, uid="u1")


@pytest.fixture
def changed() -> threading.Event:
    return threading.Event()


@pytest.fixture
def waiting(changed: threading.Event, tmp_path: Path) -> Iterator[newcomers.Newcomers]:
    made = newcomers.Newcomers(changed)
    server = made.serve(tmp_path / "run" / "gate.sock")
    yield made
    server.shutdown()
    server.server_close()


def plugin(tmp_path: Path, command: str) -> subprocess.Popen[str]:
    script = tmp_path / "podgate"
    host.write_file(script, fabric.gate_plugin(gate.__file__), 0o755)
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CNI_COMMAND": command,
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1",
        "NETAGENT_GATE_SOCKET": str(tmp_path / "run" / "gate.sock"),
    }
    started = subprocess.Popen(
        [script],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdin is not None
    if command == "ADD":
        started.stdin.write(json.dumps({"cniVersion": "1.0.0", "name": "pods", "prevResult": RESULT}))
    started.stdin.close()
    started.stdin = None
    return started


def test_a_pod_passes_when_the_rules_that_know_its_address_are_applied(
    waiting: newcomers.Newcomers, changed: threading.Event, tmp_path: Path
) -> None:
    started = plugin(tmp_path, "ADD")
    assert changed.wait(10)

    pods, arrived = waiting.merge([WEB])

    assert pods[0].ips == ("10.244.0.9", "fd00::9")
    assert started.poll() is None, "nobody passes before the rules are in force"
    arrived[0].admitted.set()
    out, complaints = started.communicate(timeout=10)
    assert (json.loads(out), started.returncode, complaints) == (RESULT, 0, "")


def test_without_an_agent_the_runtime_is_told_to_try_again(tmp_path: Path) -> None:
    started = plugin(tmp_path, "ADD")

    out, _ = started.communicate(timeout=10)

    assert started.returncode == 1
    assert json.loads(out)["code"] == gate.TRY_AGAIN_LATER


@pytest.mark.parametrize(("command", "says"), [("VERSION", "supportedVersions"), ("DEL", ""), ("CHECK", "")])
def test_other_commands_need_no_agent(tmp_path: Path, command: str, says: str) -> None:
    started = plugin(tmp_path, command)

    out, _ = started.communicate(timeout=10)

    assert started.returncode == 0
    assert says in out


def register(waiting: newcomers.Newcomers, **changes: Any) -> threading.Thread:
    request = {"namespace": "shop", "name": "web", "uid": "u1", "ips": ["10.244.0.9"], **changes}
    thread = threading.Thread(target=waiting.answer, args=(request,), daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([], [], id="the API server has not told of it yet"),
        pytest.param(
            [model.Pod("shop", "web", "a", {}, uid="u0")], [()], id="the one before it, of the same name"
        ),
        pytest.param([WEB], [("10.244.0.9",)], id="known without an address"),
        pytest.param(
            [model.Pod("shop", "web", "a", {}, ("10.244.0.1",), uid="u1")],
            [("10.244.0.9",)],
            id="known with the address of its former sandbox",
        ),
    ],
)
def test_merge(
    waiting: newcomers.Newcomers,
    changed: threading.Event,
    pods: list[model.Pod],
    expected: list[tuple[str, ...]],
) -> None:
    register(waiting)
    assert changed.wait(10)

    merged, _ = waiting.merge(pods)

    assert [pod.ips for pod in merged] == expected


def test_an_address_is_forgotten_once_the_api_server_shows_it(
    waiting: newcomers.Newcomers, changed: threading.Event
) -> None:
    thread = register(waiting)
    assert changed.wait(10)
    _, arrived = waiting.merge([WEB])
    arrived[0].admitted.set()
    thread.join(10)
    settled = model.Pod("shop", "web", "a", {}, ("10.244.0.9",), uid="u1")

    assert waiting.merge([settled]) == ([settled], [])
    assert waiting.merge([WEB]) == ([WEB], []), "a later change of the status is believed again"
