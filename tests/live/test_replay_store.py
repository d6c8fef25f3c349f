"""A run replays an incident that lies in S3: the operator's own image fetches it, with its Secret's keys."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import s3_server
from tests.live.agent_fixtures import snapshot
from tests.live.conftest import Kubectl, wait_finished

__all__ = ["snapshot"]

NAMESPACE = "reprise-system"
SECRET = "snapshot-store"


@pytest.fixture(scope="module")
def store(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.Server]:
    """On this machine, at the address that the nodes know it by; the operator has the keys."""
    address = "{.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    node = kubectl("get", "nodes", "-o", f"jsonpath={address}")
    server = s3_server.Server(tmp_path_factory.mktemp("s3"), _towards(node))
    with pytest.MonkeyPatch.context() as monkeypatch, server.running():
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        before = kubectl("get", "secret", SECRET, "-n", NAMESPACE, "-o", "json", "--ignore-not-found")
        try:
            _give(kubectl, stringData=server.variables())
            yield server
        finally:
            # The cluster's own keys, if it has any.
            _give(kubectl, **({"data": json.loads(before)["data"]} if before else {}))


def _towards(address: str) -> str:
    """This machine's own address on the way to another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])


def _give(kubectl: Kubectl, **content: Any) -> None:
    """Have the operator start with these keys; none without content."""
    kubectl("delete", "secret", SECRET, "-n", NAMESPACE, "--ignore-not-found")
    if content:
        meta = {"name": SECRET, "namespace": NAMESPACE}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, **content}
        kubectl("create", "-f", "-", stdin=json.dumps(secret))
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
    name = start_run("replay-from-s3", mode="replay", snapshot={"source": url}, agent={"kind": "triage"})
    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", f"{status.get('reason')}: {status.get('message')}"
    assert [(a["phase"], a["score"]) for a in status["attempts"]] == [("Scored", 1)]
    assert "fetched-" in status["snapshot"]["path"]


def test_what_is_not_there_is_said(
    store: s3_server.Server, kubectl: Kubectl, start_run: Callable[..., str]
) -> None:
    url = f"s3://{s3_server.BUCKET}/runs/no-such-incident"
    name = start_run("replay-of-nothing", mode="replay", snapshot={"source": url}, agent={"kind": "triage"})
    status = wait_finished(kubectl, name)
    assert (status["phase"], status["reason"]) == ("Invalid", "NotFound"), status
    assert url in json.dumps(status["conditions"])
