"""Stock kubectl through the gateway, on a real API server."""

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.gateway_fixtures import gateway, shop
from tests.live.gateway_harness import Agent, Gateway
from tests.live.waiting import eventually

from reprise.domain import chain

__all__ = ["gateway", "shop"]


@pytest.fixture(scope="module")
def agent(gateway: Gateway, shop: str) -> Agent:
    return gateway.agent(shop)


@pytest.fixture
def hidden_marker(gateway: Gateway) -> Iterator[str]:
    """A ConfigMap in a hidden namespace, by a name that nothing else has."""
    name = f"marker-{secrets.token_hex(4)}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "reprise-agents"}}
    gateway.admin("apply", "-f", "-", stdin=json.dumps(namespace))
    gateway.admin("create", "configmap", name, "-n", "reprise-agents", "--from-literal=a=b")
    yield name
    gateway.admin("delete", "configmap", name, "-n", "reprise-agents")


READS = [
    # arguments, what must stand in the output
    ("get pods", r"web-\S+ +\d/1"),
    ("get pods -o wide", r"web-.*local-"),
    ("get pods -o json", r'"kind": "List"'),
    ("get pods -o yaml", r"kind: List"),
    ("get pods -o name", r"pod/web-"),
    ("get pods -o jsonpath={.items[*].metadata.name}", r"web-"),
    ("get pods -o custom-columns=N:.metadata.name", r"N\nweb-"),
    ("get pods --show-labels", r"app=web"),
    ("get pods -l app=web --no-headers", r"^web-"),
    ("get pods -l app=none", r"^$"),
    ("get pods --field-selector=status.phase!=Pending", r"web-"),
    ("get pods --sort-by=.metadata.name", r"web-"),
    ("get pods --chunk-size=1 -A", r"coredns.*\n(.*\n)*.*web-"),
    ("get deploy,rs,svc,ep,endpointslices", r"service/web"),
    ("get all", r"deployment.apps/web"),
    ("get deploy web -o yaml", r"image: "),
    ("get nodes -o wide", r"Ready"),
    ("get ns", r"kube-system"),
    ("get events --sort-by=.lastTimestamp", r"BackOff|Started|Pulled"),
    ("events", r"BackOff|Started|Pulled"),
    ("events --for deployment/web", r"ScalingReplicaSet"),
    ("describe pod -l app=web", r"Events:\n(.*\n)*.*(Started|BackOff)"),
    ("describe deployment web", r"NewReplicaSet:.*web-"),
    ("describe service web", r"Selector: +app=web"),
    ("describe nodes", r"Non-terminated Pods"),
    ("describe ns kube-system", r"Status: +Active"),
    ("logs deploy/web", r"CoreDNS|\d+\.\d+"),
    ("logs -n kube-system deploy/coredns --tail=3 --timestamps", r"20\d\d-"),
    ("logs deploy/web --since=1h", r"."),
    ("rollout history deploy/web", r"REVISION"),
    ("explain pod.spec.nodeName", r"FIELD: +nodeName"),
    ("api-resources", r"networkpolicies"),
    ("api-versions", r"apps/v1"),
    ("version", r"Server Version"),
    ("auth can-i list pods", r"yes"),
    ("auth can-i --list", r"pods/log"),
    ("auth whoami", r"agent"),
    ("get --raw /instructions", r"root causes"),
    ("get --raw /attempt", r'"left"'),
    ("get clusterroles system:node", r"system:node"),
    ("diff --help", r"diff"),
]


@pytest.mark.parametrize(("arguments", "pattern"), READS, ids=[row[0] for row in READS])
def test_reads_work(agent: Agent, arguments: str, pattern: str) -> None:
    out = agent.ok(*arguments.split(" "))
    assert re.search(pattern, out, re.MULTILINE), out


def test_top_works_where_there_are_metrics(agent: Agent, gateway: Gateway) -> None:
    if "metrics.k8s.io" not in gateway.admin("api-versions"):
        pytest.skip("this cluster has no metrics-server")
    assert "CPU" in agent.ok("top", "nodes")
    assert "CPU" in agent.ok("top", "pods", "-n", "kube-system")


REFUSED = [
    ("get secrets --raw", "get --raw /api/v1/secrets", "Forbidden"),
    ("secret", "get secret password", "secret"),
    ("secret of a namespace", "get --raw /api/v1/namespaces/{shop}/secrets/password", "Forbidden"),
    ("delete", "delete pod -l app=web", "Forbidden"),
    ("scale", "scale deploy web --replicas=0", "forbidden|Forbidden|could not find"),
    ("patch", "patch deploy web -p {{}}", "Forbidden"),
    ("label", "label deploy web a=b", "Forbidden"),
    ("create", "create configmap x", "forbidden"),
    ("run", "run x --image=x", "Forbidden"),
    ("exec", "exec deploy/web -- true", "Forbidden|forbidden"),
    ("attach", "attach deploy/web", "Forbidden|forbidden"),
    ("port-forward", "port-forward service/web 0:80", "forbidden|Forbidden|not running|Failed"),
    ("cp", "cp {shop}/web:/etc /tmp/nothing-comes", "rror"),
    ("debug", "debug deploy/web --image=x", "rror"),
    ("drain", "drain --all", "rror"),
    ("proxy of a service", "get --raw /api/v1/namespaces/{shop}/services/web/proxy/", "Forbidden"),
    ("proxy of a node", "get --raw /api/v1/nodes/x/proxy/configz", "Forbidden"),
    ("token", "create token default", "Forbidden|forbidden|could not find"),
    ("CRDs", "get crd", "resource type"),
    ("CRDs --raw", "get --raw /apis/apiextensions.k8s.io/v1/customresourcedefinitions", "Forbidden"),
    ("runs", "get benchmarkruns", "resource type"),
    ("runs --raw", "get --raw /apis/reprise.dev/v1alpha1/benchmarkruns", "Forbidden"),
    ("operator's pods", "get pods -n reprise-system", "Forbidden"),
    ("operator's events", "get events -n reprise-system", "Forbidden"),
    ("agents' pods", "get pods -n reprise-agents", "Forbidden"),
    ("operator's namespace", "get ns reprise-system", "NotFound"),
    ("impersonation", "get secrets --as=system:admin", "resource type"),
    ("webhooks", "get validatingwebhookconfigurations", "resource type"),
]


@pytest.mark.parametrize(
    ("arguments", "pattern"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_everything_else_is_refused(agent: Agent, shop: str, arguments: str, pattern: str) -> None:
    done = agent.kubectl(*arguments.format(shop=shop).split(" "))
    assert done.returncode != 0
    assert re.search(pattern, done.stderr), done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_nothing_was_changed_by_all_that(gateway: Gateway, shop: str) -> None:
    found = json.loads(gateway.admin("get", "deploy", "web", "-n", shop, "-o", "json"))
    assert found["spec"]["replicas"] == 1
    assert found["metadata"].get("labels") is None
    names = gateway.admin("get", "configmaps,pods", "-n", shop, "-o", "name").split()
    assert "configmap/x" not in names
    assert "pod/x" not in names


def test_a_protobuf_only_client_is_refused(agent: Agent) -> None:
    for path in ("/api/v1/pods", "/apis/apps/v1/deployments", "/openapi/v2", "/api"):
        answer = agent.http("GET", path, headers={"Accept": "application/vnd.kubernetes.protobuf"})
        assert (path, answer.status_code, answer.json()["reason"]) == (path, 406, "NotAcceptable")


@contextmanager
def watching(
    gateway: Gateway, agent: Agent, out: Path, *arguments: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """`kubectl get -w` into the file `out`, from the moment when the watch is open: what kubectl prints
    first is of a list before it. A pipe that nobody reads yet would stop it there."""
    before = watches_opened(gateway, agent)
    command = ["kubectl", "--kubeconfig", str(agent.kubeconfig), "get", *arguments, "-w"]
    with out.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            eventually(lambda: watches_opened(gateway, agent) > before, "a watch in the trail", 180, 0.1)
            yield process
        finally:
            process.kill()


def watches_opened(gateway: Gateway, agent: Agent) -> int:
    return sum(line["verb"] == "watch" and line.get("open", False) for line in gateway.trail(agent))


@pytest.mark.parametrize("form", ["", "-o=json", "-o=name"])
def test_a_watch_shows_what_comes_but_not_what_is_hidden(
    agent: Agent, gateway: Gateway, shop: str, hidden_marker: str, form: str, tmp_path: Path
) -> None:
    name = f"shown-{secrets.token_hex(4)}"
    out = tmp_path / "out"
    with watching(gateway, agent, out, "configmaps", "-A", *filter(None, [form])):
        gateway.admin("label", "configmap", hidden_marker, "-n", "reprise-agents", "a=b")
        gateway.admin("create", "configmap", name, "-n", shop, "--from-literal=a=b")
        eventually(lambda: name in out.read_text(), f"{name} in kubectl's output", 180, 0.1)
    assert hidden_marker not in out.read_text()


def test_wait_works(agent: Agent, gateway: Gateway, shop: str) -> None:
    """`kubectl wait` lists and watches one object; the Deployment crashes, so it is not available."""
    agent.ok("wait", "deploy/web", "--for=condition=Progressing", "--timeout=300s")


def test_the_injector_is_seen_only_by_who_may(gateway: Gateway, shop: str, agent: Agent) -> None:
    seeing = gateway.agent(shop, injector="visible")
    path = "/apis/chaos-mesh.org/v1alpha1/networkchaos"
    assert agent.http("GET", path).status_code == 403
    # Whether the cluster has it or not, the gateway does not stand in the way.
    assert seeing.http("GET", path).status_code in (200, 404)


def test_counters_and_trail_agree(gateway: Gateway, shop: str) -> None:
    one = gateway.agent(shop)
    for _ in range(5):
        one.http("GET", "/api/v1/pods", headers={"X-Turn": "1", "X-Justification": "count"})
    one.http("GET", "/api/v1/secrets")
    assert one.http("POST", "/submit", json={"entities": [f"{shop}/deploy/web"]}).status_code == 200
    status = one.wait_for_phase("Submitted")
    assert (status["requests"], status["denied"]) == (6, 1)
    assert status["submission"] == {"entities": [f"{shop}/Deployment/web"]}
    lines: list[dict[str, Any]] = gateway.trail(one)
    assert [line["seq"] for line in lines] == list(range(1, 8))
    assert {line["justification"] for line in lines[:5]} == {"count"}


def test_killed_and_started_again_it_goes_on(gateway: Gateway, shop: str) -> None:
    one = gateway.agent(shop, budgets={"wallClockSeconds": 3600, "requests": 8})
    for _ in range(5):
        assert one.http("GET", "/api/v1/pods").status_code == 200
    gateway.stop(hard=True)
    gateway.start()
    assert one.http("GET", "/attempt").json()["left"]["requests"] == 3
    codes = [one.http("GET", "/api/v1/pods").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    one.wait_for_phase("TurnsExhausted")
    seqs = [line["seq"] for line in gateway.trail(one)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_killed_in_the_middle_of_a_watch_it_goes_on(gateway: Gateway, shop: str, tmp_path: Path) -> None:
    """The watch ends, the next one works with the same token, and the record is whole."""
    one = gateway.agent(shop)
    with watching(gateway, one, tmp_path / "first", "configmaps") as process:
        gateway.stop(hard=True)
        process.wait(timeout=180)
    gateway.start()
    name = f"after-{secrets.token_hex(4)}"
    out = tmp_path / "second"
    with watching(gateway, one, out, "configmaps", "-o", "name"):
        gateway.admin("create", "configmap", name, "-n", shop)
        eventually(lambda: name in out.read_text(), f"{name} in kubectl's output", 180, 0.1)
    assert one.http("POST", "/submit", json={"entities": []}).status_code == 200
    said = one.wait_for_phase("Submitted")["audit"]
    lines = (gateway.audit / f"{one.uid}.jsonl").read_bytes().splitlines(keepends=True)
    checked = chain.check(lines, one.uid, chain.Anchor(said["lines"], said["head"]))
    assert checked.whole, checked


def test_the_kubeconfig_is_private(agent: Agent) -> None:
    assert Path(agent.kubeconfig).stat().st_mode & 0o077 == 0
