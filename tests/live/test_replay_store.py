"""A run replays an incident that lies in S3: the operator's own image fetches it, with its Secret's keys."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import s3_server
from tests.live.agent_fixtures import replay_of, snapshot
from tests.live.conftest import Kubectl, delete_run, get_run, wait_finished

__all__ = ["snapshot"]

NAMESPACE = "reprise-system"
SECRET = "snapshot-store"


@pytest.fixture(scope="module")
def store(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.Server]:
    """On this machine, at the address that the nodes know it by; the operator has the keys."""
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    node = next(a["address"] for a in nodes[0]["status"]["addresses"] if a["type"] == "InternalIP")
    server = s3_server.Server(tmp_path_factory.mktemp("s3"), _towards(node))
    with pytest.MonkeyPatch.context() as monkeypatch, server.running():
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        values = [f"--from-literal={name}={value}" for name, value in server.variables().items()]
        kubectl("delete", "secret", SECRET, "-n", NAMESPACE, "--ignore-not-found")
        kubectl("create", "secret", "generic", SECRET, "-n", NAMESPACE, *values)
        try:
            _restart(kubectl)
            yield server
        finally:
            kubectl("delete", "secret", SECRET, "-n", NAMESPACE)
            _restart(kubectl)


def _towards(address: str) -> str:
    """This machine's own address on the way to another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])


def _restart(kubectl: Kubectl) -> None:
    kubectl("rollout", "restart", "deployment/operator", "-n", NAMESPACE)
    kubectl(
        "rollout", "status", "deployment/operator", "-n", NAMESPACE, "--timeout=300s", timeout_seconds=310
    )


def test_a_run_replays_what_lies_in_s3(
    store: s3_server.Server,
    snapshot: Path,
    kubectl: Kubectl,
    start_run: Callable[..., str],
    reprise: Callable[..., Any],
) -> None:
    pushed = reprise("snapshot", "push", str(snapshot), f"s3://{s3_server.BUCKET}/runs", "--with-private")
    assert pushed.returncode == 0, pushed.stderr
    url = f"s3://{s3_server.BUCKET}/runs/{snapshot.name}"
    name = start_run(
        "replay-from-s3", **{**replay_of(snapshot, {"kind": "triage"}), "snapshot": {"source": url}}
    )
    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", f"{status.get('reason')}: {status.get('message')}"
    assert [(a["phase"], a["score"]) for a in status["attempts"]] == [("Scored", 1)]
    assert "fetched-" in status["snapshot"]["path"]


def test_what_is_not_there_is_said(
    store: s3_server.Server, snapshot: Path, kubectl: Kubectl, start_run: Callable[..., str]
) -> None:
    url = f"s3://{s3_server.BUCKET}/runs/no-such-incident"
    name = start_run(
        "replay-of-nothing", **{**replay_of(snapshot, {"kind": "triage"}), "snapshot": {"source": url}}
    )
    status = wait_finished(kubectl, name)
    assert (status["phase"], status["reason"]) == ("Invalid", "NotFound"), status
    assert url in json.dumps(get_run(kubectl, name)["status"]["conditions"])
    delete_run(kubectl, name)
