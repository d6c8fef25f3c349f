"""A person attaches to a run with an external agent, looks around with kubectl, and answers."""

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.conftest import Kubectl, wait_finished


def test_attach_look_and_answer(
    start_run: Callable[..., str], kubectl: Kubectl, reprise: Callable[..., Any], tmp_path: Path
) -> None:
    name = start_run(
        "door-attach",
        scenario="quiet-day",
        agent={"kind": "external"},
        budgets={"wallClockSeconds": 900, "requests": 200},
    )
    config = tmp_path / "agent.kubeconfig"
    attached = reprise("attach", f"{name}/1", "-f", str(config), timeout_seconds=1000)
    assert attached.returncode == 0, attached.stderr
    assert f"run {name} is " in attached.stderr, "it must say what it waits for"
    assert "kubectl create --raw /submit" in attached.stdout
    assert stat.S_IMODE(config.stat().st_mode) == 0o600

    def agent(*arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(config), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    pods = agent("get", "pods")
    assert "checkout-" in pods.stdout, pods.stderr
    assert "Forbidden" in agent("get", "pods", "-n", "reprise-system").stderr
    answered = agent("create", "--raw", "/submit", "-f", "-", stdin='{"entities": []}')
    assert json.loads(answered.stdout) == {"accepted": True, "entities": []}, answered.stderr

    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", status
    (attempt,) = status["attempts"]
    assert (attempt["phase"], attempt["score"]) == ("Scored", 1)
    assert attempt["requests"] >= 2

    late = reprise("attach", f"{name}/1", "-f", str(tmp_path / "late"))
    assert late.returncode == 1
    assert "Scored" in late.stderr
