"""As the agent's program in its pod: files, variables, names, and every address that there is."""

import dataclasses
import json
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Kubectl
from tests.live.gateway_fixtures import deployed_gateway, gateway, shop
from tests.live.gateway_harness import Gateway

from reprise.domain import kubeconfig as kubeconfigs
from reprise.domain import redaction
from reprise.domain.run import Agent, AgentKind, Model
from reprise.handlers import agent_container, agent_job
from reprise.handlers.runtime import AGENTS_NAMESPACE

__all__ = ["gateway", "shop"]

PROGRAM = (Path(__file__).parent / "inside.py").read_text()
KEY = f"sk-{secrets.token_hex(16)}"
# Of a node: ssh, etcd, the API server, the kubelet's and the components' own, metrics of nodes.
NODE_PORTS = (22, 80, 443, 2379, 2380, 6443, 9100, 10248, 10249, 10250, 10255, 10256, 10257, 10259)
# The metadata services of clouds, by their addresses, and addresses of the wide world.
CLOUD = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
WORLD = (("1.1.1.1", 443), ("8.8.8.8", 53), ("8.8.8.8", 443))
NAMES = (
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "gateway.reprise-system.svc.cluster.local",
    "prometheus.observability.svc.cluster.local",
    "frontend.otel-demo.svc.cluster.local",
    "chaos-daemon.chaos-mesh.svc.cluster.local",
    "metadata.google.internal",
    "example.com",
)
SPAN_SECONDS = 300


def addresses(kubectl: Kubectl) -> tuple[list[tuple[str, int]], list[str]]:
    """(address, port) of everything in the cluster but the gateway; and the addresses of its name servers."""
    found: set[tuple[str, int]] = set(WORLD) | {(address, 80) for address in CLOUD}
    resolvers = {"8.8.8.8"}
    for pod in json.loads(kubectl("get", "pods", "-A", "-o", "json"))["items"]:
        meta, spec, address = pod["metadata"], pod["spec"], pod.get("status", {}).get("podIP")
        labels = meta.get("labels") or {}
        if not address or labels.get("app.kubernetes.io/name") in ("gateway", "replay"):
            continue
        ports = [p["containerPort"] for c in spec["containers"] for p in c.get("ports") or ()]
        found |= {(address, port) for port in (*ports, 80)}
        if labels.get("k8s-app") == "kube-dns":
            resolvers.add(address)
    for service in json.loads(kubectl("get", "services", "-A", "-o", "json"))["items"]:
        meta, spec = service["metadata"], service["spec"]
        ours = meta["namespace"] == "reprise-system"
        if spec.get("clusterIP", "None") == "None" or ours:
            continue
        found |= {(spec["clusterIP"], port["port"]) for port in spec["ports"]}
        if meta["name"] == "kube-dns":
            resolvers.add(spec["clusterIP"])
    for node in json.loads(kubectl("get", "nodes", "-o", "json"))["items"]:
        for item in node["status"]["addresses"]:
            if item["type"] == "InternalIP":
                found |= {(item["address"], port) for port in NODE_PORTS}
    return sorted(found), sorted(resolvers)


@pytest.fixture(scope="module")
def said(
    gateway: Gateway, shop: str, kubeconfig: str, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What the program says that ran as the harness's Job runs, in the image with the most in it."""
    deployed = deployed_gateway(tmp_path_factory.mktemp("inside"), gateway, kubeconfig)
    agent = deployed.agent(shop)
    operator = json.loads(kubectl("get", "deployment", "operator", "-n", "reprise-system", "-o", "json"))
    env = {
        e["name"]: e.get("value", "") for e in operator["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    images = agent_container.Images(env["REPRISE_AGENT_IMAGE"], env["REPRISE_AGENT_SHELL_IMAGE"])
    targets, resolvers = addresses(kubectl)
    words = (*redaction.PRODUCT_WORDS, *redaction.INJECTOR_WORDS)
    probe = {"words": words, "addresses": targets, "names": NAMES, "resolvers": resolvers}
    kind = Agent(kind=AgentKind.STIRRUP, model=Model("https://models.example.com/v1", "m"))
    contents = agent_container.contents(kind, images, SPAN_SECONDS)
    parts = agent_job.Parts(
        run_uid=str(uuid.uuid4()),
        attempt_uid=agent.uid,
        contents=dataclasses.replace(
            contents,
            command=("python3", "-c", PROGRAM),
            env={**contents.env, "PROBE": json.dumps(probe)},
        ),
        pull_policy="IfNotPresent",
        gateway_ip=kubectl(
            "get", "service", "gateway", "-n", "reprise-system", "-o", "jsonpath={.spec.clusterIP}"
        ),
        kubeconfig=json.dumps(kubeconfigs.build(agent_job.GATEWAY_URL, deployed.pem, agent.token, shop)),
        token=agent.token,
        ca_pem=deployed.pem,
        deadline_seconds=SPAN_SECONDS,
        model_key=KEY,
    )
    made = [*agent_job.secrets(parts), agent_job.job(parts)]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    job = f"job/{agent_job.name_of(agent.uid)}"
    try:
        kubectl("create", "-f", "-", stdin=manifest)
        kubectl(
            "wait", job, "-n", AGENTS_NAMESPACE, f"--timeout={SPAN_SECONDS}s", "--for=condition=Complete",
            timeout_seconds=SPAN_SECONDS + 20,
        )  # fmt: skip
        yield json.loads(kubectl("logs", job, "-n", AGENTS_NAMESPACE).splitlines()[-1])
    finally:
        kubectl("delete", "-n", AGENTS_NAMESPACE, "-f", "-", "--ignore-not-found", stdin=manifest)


def test_it_looked_everywhere_and_the_door_is_open(
    said: dict[str, Any], record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else finding nothing would mean nothing."""
    assert said["door"] == {"with": 200, "without": 401}
    tried = said["tried"]
    for name, count in tried.items():
        record_property(name, count)
    with capsys.disabled():
        print(f"\nleak hunt inside the pod: {', '.join(f'{count} {name}' for name, count in tried.items())}")
    assert tried["files"] > 1000
    assert tried["variables"] > 8
    assert tried["connections"] > 50
    assert tried["names"] > 16


def test_no_other_address_is_reached(said: dict[str, Any]) -> None:
    """Pods, Services, nodes, the API server, the cloud's metadata, the world."""
    assert said["found"]["reached"] == []


def test_no_name_is_resolved(said: dict[str, Any]) -> None:
    """By the pod's own configuration, nor by asking a name server."""
    assert said["found"]["resolved"] == []


def test_files_and_variables_name_nothing_of_ours(said: dict[str, Any]) -> None:
    """The package of agents itself is left out: its name is the one thing that the pod may tell."""
    assert said["found"]["words"] == []


def test_nothing_of_the_node_is_mounted_and_no_account(said: dict[str, Any]) -> None:
    assert said["found"]["there"] == []


def test_the_program_is_confined(said: dict[str, Any]) -> None:
    assert said["confinement"] == {
        "Uid": "65532",
        "CapEff": "0000000000000000",
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    outside = [
        path
        for path in said["found"]["writable"]
        if path != "/tmp" and not path.startswith(("/tmp/", "/dev/"))
    ]
    assert outside == []
