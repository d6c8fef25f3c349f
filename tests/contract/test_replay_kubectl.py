"""Real kubectl against a replay. Skipped where `reprise up` has not built one."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import snapshot_v2 as snapshots
from tests.support.replaying import replaying

from reprise.cluster import paths
from reprise.domain.budget import Budget

# Found before tests are cut off from the home folder.
KUBECTL = paths.kubectl_path()
pytestmark = pytest.mark.skipif(not KUBECTL.is_file(), reason="no kubectl was built")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Kubectl:
    kubeconfig: Path
    home: Path

    async def __call__(self, command: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *command.split(),
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Done(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshots.build(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture
async def kubectl(root: Path, tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with replaying(root, tmp_path / "out", limits=Budget(600, 10_000)) as running:
        yield Kubectl(running.ready.keys[0].kubeconfig, tmp_path)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("get pods", ["NAME READY STATUS RESTARTS AGE", "ad-1 1/1 CrashLoopBackOff 0 90m"]),
        ("get pods -o wide", ["cart-1 1/1 Running 0 90m 10.0.0.7 worker-1 <none> <none>"]),
        (
            "get po -A",
            ["NAMESPACE NAME READY STATUS RESTARTS AGE", "kube-system coredns-1 1/1 Running 0 90m"],
        ),
        ("get pods -o name", ["pod/ad-1", "pod/cart-1"]),
        ("get pod cart-1 -o jsonpath={.spec.nodeName}", ["worker-1"]),
        ("get pod cart-1 -o yaml", ["kind: Pod", "nodeName: worker-1"]),
        ("get pods -o json", ['"kind": "List",', '"kind": "Pod",']),
        ("get pods -l app=cart -o name", ["pod/cart-1"]),
        ("get pods -l app=cart --show-labels", ["cart-1 1/1 Running 0 90m app=cart"]),
        ("get pods --field-selector status.phase=Pending -o name", ["pod/email-1", "pod/shipping-1"]),
        ("get pods --sort-by=.metadata.resourceVersion -o name", ["pod/checkout-1"]),
        ("get pods -o custom-columns=N:.metadata.name,P:.status.phase", ["N P", "email-1 Pending"]),
        ("get deploy,svc", ["deployment.apps/cart 90m", "service/cart 90m"]),
        ("get nodes", ["worker-1 90m"]),
        ("get events", ["5m Warning BackOff pod/ad-1 it is BackOff"]),
        ("describe pod ad-1", ["Name: ad-1", "Reason: CrashLoopBackOff", "it is BackOff"]),
        ("describe deployment cart", ["Selector: app=cart"]),
        ("describe node worker-1", ["Name: worker-1"]),
        ("events --for pod/ad-1", ["Warning BackOff Pod/ad-1 it is BackOff"]),
        ("logs cart-1 --tail=1", ["cart says 599"]),
        ("logs cart-1 --since-time=2026-01-02T12:29:57Z", ["cart says 599"]),
        ("logs cart-1 --tail=1 --timestamps", ["2026-01-02T12:29:57.000000599Z cart says 599"]),
        ("logs cart-1 --tail=1 -f", ["cart says 599"]),
        ("logs checkout-1 -c sidecar --tail=1", ["sidecar says 9"]),
        ("logs checkout-1 --all-containers --tail=1", ["checkout says 9", "sidecar says 9"]),
        ("logs ad-1 --previous --tail=1", ["old ad says 2"]),
        ("logs -l app=cart --tail=1", ["cart says 599"]),
        ("top pods", ["cart-1 12m 34Mi"]),
        ("top nodes", ["worker-1 12m 0% 34Mi 0%"]),
        ("explain pod.spec.nodeName", ["FIELD: nodeName <string>", "Where it shall run."]),
        ("api-resources", ["pods po v1 true Pod", "deployments deploy apps/v1 true Deployment"]),
        ("api-versions", ["apps/v1"]),
        ("auth can-i get pods", ["yes"]),
        ("auth whoami", ["Username agent"]),
        ("get --raw /instructions", ["The time here is 2026-01-02T12:30:00.000Z."]),
        ("version", ["Server Version: v1.36.3"]),
    ],
)
async def test_it_answers(kubectl: Kubectl, command: str, expected: list[str]) -> None:
    done = await kubectl(command)
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    missing = [text for text in expected if not any(text in line for line in lines)]
    assert missing == [], done
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("get pod x", 'Error from server (NotFound): pods "x" not found'),
        ("get pods --field-selector a=b", "field label not supported: a"),
        ("get secrets", "the server doesn't have a resource type"),
        ("delete pod cart-1", "forbidden"),
        ("logs cart-1 --previous", 'previous terminated container "cart" in pod "cart-1" not found'),
        ("logs email-1", "is waiting to start: trying and failing to pull image"),
        ("logs cart-1 -c x", "container x is not valid for pod cart-1"),
        ("auth can-i delete pods", ""),
        ("exec cart-1 -- ls", "forbidden"),
    ],
)
async def test_it_refuses(kubectl: Kubectl, command: str, message: str) -> None:
    done = await kubectl(command)
    assert done.code != 0
    assert message in done.err


async def test_a_watch_ends_with_its_time(kubectl: Kubectl) -> None:
    done = await kubectl("get --raw /api/v1/namespaces/otel-demo/pods?watch=true&timeoutSeconds=1")
    assert done.out.count('"ADDED"') == 5
    done = await kubectl("get pods --watch --request-timeout=3s")
    assert "checkout-1" in done.out
