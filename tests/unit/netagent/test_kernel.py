"""The rulesets in a real kernel: one network namespace plays the node, others its pods. Needs root and
nft."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from netagent import compiler, fabric, model, wire

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None or shutil.which("ip") is None,
    reason="needs root, nft and ip: makes network namespaces",
)

CLONE_NEWNET = 0x40000000
# How long a packet may take that must arrive, and how long we wait for one that must not.
ARRIVES_SECONDS = 5.0
BLOCKED_SECONDS = 0.3

ADDRESSES = {"web": "10.244.0.2", "db": "10.244.0.3", "far": "10.244.1.2", "outside": "198.51.100.2"}
NODES = [
    model.Node("a", ("192.0.2.1",), ("10.244.0.0/24",)),
    model.Node("b", ("192.0.2.2",), ("10.244.1.0/24",)),
]


def run(*command: str, text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}\n{text or ''}"


def _setns(fd: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Net:
    """Namespaces `node` and one a pod, wired as the ptp plugin does it."""

    def __init__(self) -> None:
        self.prefix = f"na{os.getpid()}"
        self._sockets: list[socket.socket] = []
        for name in ("node", *ADDRESSES):
            run("ip", "netns", "add", self.ns(name))
            self.ip(name, "link", "set", "lo", "up")
        self.node("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for index, (name, address) in enumerate(ADDRESSES.items()):
            self.ip(
                "node", "link", "add", f"v{index}", "type", "veth", "peer", "eth0", "netns", self.ns(name)
            )
            self.ip("node", "link", "set", f"v{index}", "up")
            self.ip("node", "addr", "add", "10.244.0.1/32", "dev", f"v{index}")
            self.ip("node", "route", "add", address, "dev", f"v{index}")
            self.ip(name, "link", "set", "eth0", "up")
            self.ip(name, "addr", "add", f"{address}/32", "dev", "eth0")
            self.ip(name, "route", "add", "10.244.0.1", "dev", "eth0")
            self.ip(name, "route", "add", "default", "via", "10.244.0.1")

        # Conntrack sleeps in a namespace until a rule needs it; on a node kube-proxy has woken it long
        # before.
        self.load(fabric.masquerading(NODES, "a"))

    def ns(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def ip(self, name: str, *words: str) -> None:
        run("ip", "-n", self.ns(name), *words)

    def node(self, *command: str, text: str | None = None) -> None:
        run("ip", "netns", "exec", self.ns("node"), *command, text=text)

    def load(self, text: str) -> None:
        self.node("nft", "-f", "-", text=text)

    def socket(self, name: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A socket belongs to the namespace of the thread that made it, wherever it is used."""
        made: list[socket.socket] = []

        def make() -> None:
            with open(f"/run/netns/{self.ns(name)}") as namespace:
                _setns(namespace.fileno())
            made.append(socket.socket(socket.AF_INET, kind))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        self._sockets += made
        return made[0]

    def listen(self, name: str, port: int) -> socket.socket:
        server = self.socket(name)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", port))  # noqa: S104 - inside a namespace of our own
        server.listen()
        server.settimeout(ARRIVES_SECONDS)
        return server

    def connect(self, name: str, address: str, port: int, timeout: float = ARRIVES_SECONDS) -> socket.socket:
        client = self.socket(name)
        client.settimeout(timeout)
        client.connect((address, port))
        return client

    def reaches(self, name: str, address: str, port: int) -> bool:
        """Tell whether a connection is made; something must be listening."""
        try:
            self.connect(name, address, port, BLOCKED_SECONDS)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        for name in ("node", *ADDRESSES):
            with contextlib.suppress(AssertionError):
                run("ip", "netns", "del", self.ns(name))


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    try:
        yield made
    finally:
        made.close()


def pod(name: str, ip: str, node: str = "a") -> model.Pod:
    ports = (model.NamedPort("http", model.Protocol.TCP, 8080),)
    return model.Pod("shop", name, node, {"app": name}, (ip,), ports)


PODS = [
    pod("web", ADDRESSES["web"]),
    pod("db", ADDRESSES["db"]),
    pod("far", ADDRESSES["far"], "b"),
]


def rules(**spec: Any) -> str:
    policy = wire.policy({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})
    return compiler.compile([policy], PODS, {}, "a")


WEB = {"matchLabels": {"app": "web"}}
DB = {"matchLabels": {"app": "db"}}


def test_all_features_load(net: Net) -> None:
    """Every kind of line that the compiler can write is understood by this kernel and this nft."""
    both = model.Pod("shop", "web", "a", {"app": "web"}, ("10.244.0.2", "fd00::2"), PODS[0].ports)
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}},
                    {"ipBlock": {"cidr": "fd00::/8", "except": ["fd00:9::/32"]}},
                    {"podSelector": {}},
                ],
                "ports": [{"port": 80, "endPort": 90}, {"port": 7, "protocol": "SCTP"}, {"protocol": "UDP"}],
            }
        ],
        "egress": [{"ports": [{"port": "http"}]}, {"to": [{"podSelector": {}}], "ports": [{"port": 53}]}],
    }
    policy = wire.policy({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})
    text = compiler.compile([policy], [both, *PODS[1:]], {}, "a")

    net.load(text)
    net.load(text)  # replaces itself
    net.load(fabric.masquerading([*NODES, model.Node("c", ("fd00:1::1",), ("fd00::/64",))], "c"))


def test_denied_ingress_cuts_new_and_open_connections_and_spares_probes_and_others(net: Net) -> None:
    server = net.listen("web", 8080)
    net.listen("db", 8080)
    client = net.connect("db", ADDRESSES["web"], 8080)
    accepted, _ = server.accept()
    accepted.settimeout(BLOCKED_SECONDS)
    client.sendall(b"before")
    assert accepted.recv(10) == b"before"

    net.load(rules(podSelector=WEB, policyTypes=["Ingress"]))

    client.sendall(b"after")
    with pytest.raises(TimeoutError):
        accepted.recv(10)
    assert not net.reaches("db", ADDRESSES["web"], 8080)
    assert not net.reaches("far", ADDRESSES["web"], 8080)
    assert net.reaches("node", ADDRESSES["web"], 8080), "a probe of the kubelet comes from the node"
    assert net.reaches("web", ADDRESSES["db"], 8080), "replies to the isolated pod must pass"

    net.load(compiler.compile([], PODS, {}, "a"))

    accepted.settimeout(ARRIVES_SECONDS)
    assert accepted.recv(10) == b"after", "the connection goes on once the policy is gone"
    accepted.close()


def test_denied_egress_holds_towards_pods_the_outside_and_the_node_itself(net: Net) -> None:
    for name in ("web", "db", "outside", "node"):
        net.listen(name, 8080)

    net.load(
        rules(
            podSelector=WEB,
            policyTypes=["Egress"],
            egress=[{"to": [{"podSelector": DB}], "ports": [{"port": "http"}]}],
        )
    )

    assert net.reaches("web", ADDRESSES["db"], 8080)
    assert not net.reaches("web", ADDRESSES["outside"], 8080)
    assert not net.reaches("web", "10.244.0.1", 8080), "egress rules hold towards the pod's own node"
    assert net.reaches("db", "10.244.0.1", 8080)
    assert net.reaches("far", ADDRESSES["web"], 8080), "the pod still answers"
    assert net.reaches("node", ADDRESSES["web"], 8080), "and answers its node"


@pytest.mark.parametrize(
    ("ingress", "allowed"),
    [
        pytest.param([{"ports": [{"port": 8000, "endPort": 8100}]}], {8080}, id="range"),
        pytest.param([{"ports": [{"port": "http"}]}], {8080}, id="name"),
        pytest.param([{"ports": [{"protocol": "UDP"}]}], set(), id="another protocol"),
        pytest.param([{}], {8080, 9090}, id="everything"),
        pytest.param([{"from": [{"ipBlock": {"cidr": "10.244.0.3/32"}}]}], {8080, 9090}, id="block"),
        pytest.param(
            [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.0.3/32"]}}]}],
            set(),
            id="except",
        ),
    ],
)
def test_ports_and_blocks(net: Net, ingress: list[Any], allowed: set[int]) -> None:
    for port in (8080, 9090):
        net.listen("web", port)

    net.load(rules(podSelector=WEB, ingress=ingress))

    assert {port for port in (8080, 9090) if net.reaches("db", ADDRESSES["web"], port)} == allowed


def test_services_are_judged_after_dnat_and_a_pod_reaches_itself(net: Net) -> None:
    net.listen("web", 8080)
    net.load(
        "table ip service {\n"
        " chain pre { type nat hook prerouting priority dstnat;"
        " ip daddr 10.96.0.1 tcp dport 80 dnat to 10.244.0.2:8080; }\n"
        " chain post { type nat hook postrouting priority srcnat;"
        " ip saddr 10.244.0.2 ip daddr 10.244.0.2 masquerade; }\n"
        "}\n"
    )

    net.load(rules(podSelector=WEB, policyTypes=["Ingress"], ingress=[]))
    assert not net.reaches("db", "10.96.0.1", 80)
    assert net.reaches("web", "10.96.0.1", 80), "a pod behind its own Service"

    net.load(rules(podSelector=WEB, ingress=[{"from": [{"podSelector": DB}], "ports": [{"port": 8080}]}]))
    assert net.reaches("db", "10.96.0.1", 80)
    assert not net.reaches("far", "10.96.0.1", 80)


def test_udp(net: Net) -> None:
    server = net.socket("web", socket.SOCK_DGRAM)
    server.bind((ADDRESSES["web"], 53))
    server.settimeout(BLOCKED_SECONDS)
    client = net.socket("db", socket.SOCK_DGRAM)
    client.settimeout(ARRIVES_SECONDS)

    def received() -> bool:
        client.sendto(b"?", (ADDRESSES["web"], 53))
        try:
            _, sender = server.recvfrom(10)
        except TimeoutError:
            return False
        server.sendto(b"!", sender)
        return client.recv(10) == b"!"

    assert received()
    net.load(rules(podSelector=WEB, ingress=[{"ports": [{"port": 53}]}]))
    assert not received(), "TCP is the default protocol of a port"
    net.load(rules(podSelector=WEB, ingress=[{"ports": [{"port": 53, "protocol": "UDP"}]}]))
    assert received()


@pytest.mark.parametrize(
    ("destination", "seen"),
    [
        pytest.param("far", ADDRESSES["web"], id="another node's pod sees the pod"),
        pytest.param("outside", "10.244.0.1", id="the outside sees the node"),
    ],
)
def test_masquerading(net: Net, destination: str, seen: str) -> None:
    server = net.listen(destination, 8080)

    net.connect("web", ADDRESSES[destination], 8080)

    accepted, (source, _) = server.accept()
    accepted.close()
    assert source == seen
