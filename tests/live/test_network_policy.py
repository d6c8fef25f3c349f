"""NetworkPolicy on the real cluster: across nodes, through Services, on new and on open connections.

The pods run the application's own image, because it has a Python to listen and to connect with.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Kubectl = Callable[..., str]

HOME, AWAY = "tenant-a", "tenant-b"
# Of policies and, once one is gone, of TCP, which tries again after up to half a minute.
CONVERGES_SECONDS = 180.0

LISTEN = """
import socketserver, threading
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(100):
            self.request.sendall(data)
for port in (8080, 9090):
    server = socketserver.ThreadingTCPServer(("", port), Echo)
    threading.Thread(target=server.serve_forever).start()
"""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
    print("open")
except OSError as error:
    print("shut", error)
"""
# Keeps one connection, and says for each second whether the echo still comes.
HOLD = """
import socket, sys, time
held = socket.create_connection((sys.argv[1], 8080), 60)
held.settimeout(5)
while True:
    try:
        held.sendall(b"x")
        print("echo" if held.recv(1) else "closed", flush=True)
        time.sleep(0.2)
    except OSError as error:
        print("silence", error, flush=True)
"""


def image_of_the_application(kubectl: Kubectl) -> str:
    """The lite application's image, which has a Python. Workers have it; the other nodes get it here."""
    if told := os.environ.get("REPRISE_TEST_IMAGE"):
        return told
    manifests = kubectl("get", "configmap", "application-otel-demo", "-n", "reprise-system", "-o", "yaml")
    found = re.search(r"localhost/otel-demo-lite:([0-9a-f]+)", manifests)
    assert found, "expected the lite application's image in ConfigMap application-otel-demo, found none"
    archive = f"/kind/archives/otel-demo-lite-{found[1]}/image.tar"
    for node in kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split():
        inside = ["podman", "exec", node, "ctr", "-n", "k8s.io", "images"]
        listed = subprocess.run([*inside, "ls", "-q"], check=True, capture_output=True, text=True).stdout
        if found[0] not in listed.split():
            subprocess.run(
                [*inside, "import", "--snapshotter", "overlayfs", archive], check=True, capture_output=True
            )
    return found[0]


def pod(name: str, namespace: str, node: str, image: str, command: list[str], **extra: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "ports": [{"name": "echo", "containerPort": 8080}, {"name": "other", "containerPort": 9090}],
        **extra,
    }
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": spec,
    }


class Pods:
    """Pods that listen and connect: `server` and `near` on one node, `far` on another, `stranger`
    elsewhere."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
        assert len(nodes) >= 2, "expected two nodes; make the cluster with `reprise up`"
        workers = [n for n in nodes if "node-role.kubernetes.io/control-plane" not in n["metadata"]["labels"]]
        one = workers[0]["metadata"]["name"]
        other = next(n["metadata"]["name"] for n in nodes if n["metadata"]["name"] != one)
        image = image_of_the_application(kubectl)
        idle = ["python3", "-c", "import time; time.sleep(3600)"]
        serve = ["python3", "-c", LISTEN]
        probe = {
            "readinessProbe": {
                "tcpSocket": {"port": 8080}, "timeoutSeconds": 5, "periodSeconds": 1, "failureThreshold": 2,
            }
        }  # fmt: skip
        objects: list[dict[str, Any]] = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n, "labels": {"tenant": n[-1]}}}
            for n in (HOME, AWAY)
        ]
        self.apply(*objects)
        # A pod without a controller is not tried again where its ServiceAccount is not there yet.
        for namespace in (HOME, AWAY):
            kubectl("wait", "serviceaccount/default", "-n", namespace, "--for=create", "--timeout=300s")
        objects = [
            pod("server", HOME, one, image, serve, **probe),
            pod("near", HOME, one, image, idle),
            pod("far", HOME, other, image, idle),
            pod("stranger", AWAY, other, image, idle),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "server", "namespace": HOME},
                "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
            },
        ]
        self.apply(*objects)
        for namespace in (HOME, AWAY):
            kubectl("wait", "pods", "--all", "-n", namespace, "--for=condition=Ready", "--timeout=300s")
        service = json.loads(kubectl("get", "service", "server", "-n", HOME, "-o", "json"))
        self.service_ip = str(service["spec"]["clusterIP"])
        self.server_ip = self.ip("server")

    def ip(self, name: str) -> str:
        return self.kubectl("get", "pod", name, "-n", HOME, "-o", "jsonpath={.status.podIP}")

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def reaches(self, name: str, address: str, port: int) -> bool:
        namespace = AWAY if name == "stranger" else HOME
        said = self.kubectl("exec", "-n", namespace, name, "--", "python3", "-c", CONNECT, address, str(port))
        return said.startswith("open")

    def policy(self, **spec: Any) -> None:
        """Put one policy in the place of the former one."""
        self.apply(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "under-test", "namespace": HOME},
                "spec": spec,
            }
        )

    def settles(self, **wanted: bool) -> None:
        """Wait until who reaches the server's port 8080 is as wanted; keyword: pod → reached."""
        deadline = time.monotonic() + CONVERGES_SECONDS
        while True:
            found = {name: self.reaches(name, self.server_ip, 8080) for name in wanted}
            if found == wanted:
                return
            assert time.monotonic() < deadline, f"expected {wanted}, found {found}"


@pytest.fixture(scope="module")
def pods(kubectl: Kubectl) -> Iterator[Pods]:
    try:
        yield Pods(kubectl)
    finally:
        kubectl("delete", "namespace", HOME, AWAY, "--wait=false", "--ignore-not-found")


@pytest.fixture
def clean(pods: Pods) -> Iterator[Pods]:
    pods.settles(near=True, far=True, stranger=True)
    yield pods
    pods.kubectl("delete", "networkpolicy", "under-test", "-n", HOME, "--ignore-not-found")


SERVER = {"matchLabels": {"app": "server"}}


def test_default_deny_holds_everywhere_but_for_the_kubelets_probe(clean: Pods) -> None:
    clean.policy(podSelector=SERVER, policyTypes=["Ingress"])

    clean.settles(near=False, far=False, stranger=False)

    assert not clean.reaches("near", clean.service_ip, 80), "the Service leads to the same pod"
    ready = clean.kubectl("get", "pod", "server", "-n", HOME, "-o", "jsonpath={.status.conditions}")
    assert {c["type"]: c["status"] for c in json.loads(ready) if c["type"] == "Ready"} == {"Ready": "True"}


@pytest.mark.parametrize(
    ("ingress", "wanted"),
    [
        pytest.param([{}], {"near": True, "far": True, "stranger": True}, id="an empty rule allows all"),
        pytest.param(
            [{"from": [{"podSelector": {}}]}],
            {"near": True, "far": True, "stranger": False},
            id="own namespace",
        ),
        pytest.param(
            [{"from": [{"namespaceSelector": {"matchLabels": {"tenant": "b"}}}]}],
            {"near": False, "far": False, "stranger": True},
            id="another namespace",
        ),
        pytest.param(
            [{"from": [{"podSelector": {"matchLabels": {"app": "far"}}}], "ports": [{"port": "echo"}]}],
            {"near": False, "far": True, "stranger": False},
            id="one pod of another node, named port",
        ),
        pytest.param(
            [{"ports": [{"port": 8081, "endPort": 9090}]}],
            {"near": False, "far": False, "stranger": False},
            id="a range beside the port",
        ),
    ],
)
def test_ingress_rules(clean: Pods, ingress: list[dict[str, Any]], wanted: dict[str, bool]) -> None:
    if all(wanted.values()):
        # As it is without any policy: what is shut first shows that the policy is at work.
        clean.policy(podSelector=SERVER, policyTypes=["Ingress"])
        clean.settles(near=False, far=False, stranger=False)
    clean.policy(podSelector=SERVER, policyTypes=["Ingress"], ingress=ingress)

    clean.settles(**wanted)

    assert clean.reaches("far", clean.service_ip, 80) is wanted["far"], "through the Service as well"


def test_egress_rules(clean: Pods) -> None:
    near = {"matchLabels": {"app": "near"}}
    clean.policy(podSelector=near, policyTypes=["Egress"])
    clean.settles(near=False, far=True)

    clean.policy(
        podSelector=near,
        policyTypes=["Egress"],
        egress=[{"to": [{"podSelector": SERVER}], "ports": [{"port": "echo"}]}],
    )
    clean.settles(near=True, far=True)

    assert clean.reaches("near", clean.service_ip, 80)
    assert not clean.reaches("near", clean.server_ip, 9090)


def test_a_new_policy_cuts_an_open_connection_and_its_removal_heals_it(clean: Pods) -> None:
    log = "/tmp/held"
    clean.kubectl(
        "exec", "-n", HOME, "far", "--", "sh", "-c",
        f"rm -f {log}; python3 -c '{HOLD}' {clean.server_ip} >{log} 2>&1 </dev/null &",
    )  # fmt: skip

    def says(word: str) -> None:
        deadline = time.monotonic() + CONVERGES_SECONDS
        while True:
            said = clean.kubectl("exec", "-n", HOME, "far", "--", "tail", "-n", "1", log, check=False)
            if said.startswith(word):
                return
            assert time.monotonic() < deadline, f"expected {word!r}, found {said!r}"

    says("echo")
    clean.policy(podSelector=SERVER, policyTypes=["Ingress"])
    says("silence")
    clean.kubectl("delete", "networkpolicy", "under-test", "-n", HOME)
    says("echo")


def test_a_pod_that_comes_later_is_governed_from_the_start(clean: Pods) -> None:
    clean.policy(podSelector={"matchLabels": {"app": "late"}}, policyTypes=["Egress"])
    image = image_of_the_application(clean.kubectl)
    node = clean.kubectl("get", "pod", "far", "-n", HOME, "-o", "jsonpath={.spec.nodeName}")
    program = CONNECT.replace("sys.argv[1]", f"'{clean.server_ip}'").replace("sys.argv[2]", "8080")
    late = pod(
        "late",
        HOME,
        node,
        image,
        ["python3", "-c", f"for _ in range(3):\n {program.replace(chr(10), chr(10) + ' ')}"],
    )
    late["spec"]["restartPolicy"] = "Never"
    try:
        clean.apply(late)
        clean.kubectl(
            "wait", "pod/late", "-n", HOME, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s"
        )
        said = clean.kubectl("logs", "late", "-n", HOME).split("\n")
        assert [line.split()[0] for line in said if line] == ["shut"] * 3, said
    finally:
        clean.kubectl("delete", "pod", "late", "-n", HOME, "--ignore-not-found")
