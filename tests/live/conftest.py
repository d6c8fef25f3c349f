"""Live tests: stock kubectl against the cluster that `reprise up` made."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live import budget

ROOT = Path(__file__).parents[2]
_MODULES = pytest.StashKey[list[str]]()
Kubectl = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    if modules := budget.order(items):
        config.stash[_MODULES] = modules


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    modules = config.stash.get(_MODULES, None)
    return [f"live tests, in today's order: {', '.join(modules)}"] if modules else []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    budget.admit(item)


def state_dir() -> Path:
    """Where `reprise up` keeps what belongs to the machine (docs/architecture.md)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(os.environ.get("REPRISE_STATE") or Path(base) / "reprise")


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    path = os.environ.get("REPRISE_TEST_KUBECONFIG") or str(state_dir() / "kubeconfig")
    assert Path(path).is_file(), f"expected a cluster's kubeconfig at {path}; make one with `reprise up`"
    return path


@pytest.fixture(scope="session")
def kubectl(kubeconfig: str) -> Kubectl:
    """Call stock kubectl as the cluster's administrator; returns standard output."""

    def call(
        *arguments: str, stdin: str | None = None, check: bool = True, timeout_seconds: int = 330
    ) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout if check else done.stdout + done.stderr

    return call


@pytest.fixture(scope="session")
def reprise(kubeconfig: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the product's own command line."""

    def call(*arguments: str, timeout_seconds: int = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from reprise.cli.main import main; main()", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            env={**os.environ, "KUBECONFIG": kubeconfig},
            cwd=ROOT,
        )

    return call


# Twice what a run waits by itself: what is tested is not whether the machine is a quick one.
PATIENT = {
    "baselineTimeoutSeconds": 600,
    "symptomTimeoutSeconds": 360,
    "recordTimeoutSeconds": 360,
    "recoveryTimeoutSeconds": 600,
}


@pytest.fixture
def start_run(kubectl: Kubectl) -> Iterator[Callable[..., str]]:
    """Apply a BenchmarkRun; it is deleted, and so recovered, at the end of the test."""
    started: list[str] = []

    def start(name: str, **spec: Any) -> str:
        delete_run(kubectl, name)
        if "scenario" in spec:
            spec = {**spec, "gates": {**PATIENT, **spec.get("gates", {})}}
        manifest = {
            "apiVersion": "reprise.dev/v1alpha1",
            "kind": "BenchmarkRun",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
        started.append(name)
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        return name

    yield start
    for name in started:
        delete_run(kubectl, name)


def delete_run(kubectl: Kubectl, name: str) -> None:
    """Delete a run and wait until it has recovered."""
    command = ("delete", "brun", name, "-n", "default", "--ignore-not-found", "--timeout=600s")
    kubectl(*command, timeout_seconds=610)


def get_run(kubectl: Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", "brun", name, "-n", "default", "-o", "json"))
    return found


def wait_finished(kubectl: Kubectl, name: str, timeout_seconds: int = 1500) -> dict[str, Any]:
    """Wait until the condition Completed is decided either way; returns the run's status."""
    kubectl(
        "wait", "brun", name, "-n", "default", f"--timeout={timeout_seconds}s",
        "--for=jsonpath={.status.completedAt}", timeout_seconds=timeout_seconds + 10,
    )  # fmt: skip
    status: dict[str, Any] = get_run(kubectl, name)["status"]
    return status
