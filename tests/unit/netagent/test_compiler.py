"""What a ruleset says, policy by policy. Objects are written as the API has them, so `wire` is tested on the
way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from netagent import compiler, model, wire

NAMESPACES = {
    "shop": {"kubernetes.io/metadata.name": "shop", "tier": "app"},
    "watch": {"kubernetes.io/metadata.name": "watch", "tier": "infra"},
}


def pod(name: str, ip: str, *, namespace: str = "shop", node: str = "a", **extra: Any) -> model.Pod:
    spec = {"nodeName": node, "containers": [{"ports": extra.pop("ports", [])}], **extra.pop("spec", {})}
    labels = extra.pop("labels", {"app": name})
    return wire.pod(
        {
            "metadata": {"name": name, "namespace": namespace, "labels": labels, **extra.pop("metadata", {})},
            "spec": spec,
            "status": {"phase": "Running", "podIPs": [{"ip": ip}], **extra.pop("status", {})},
        }
    )


HTTP = [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
WEB = pod("web", "10.244.0.2", ports=HTTP)
DB = pod("db", "10.244.0.3", ports=[{"name": "http", "containerPort": 9090}])
FAR = pod("far", "10.244.1.2", node="b", ports=[{"name": "http", "containerPort": 7070}])
SCRAPER = pod("scraper", "10.244.1.3", namespace="watch", node="b")
PODS = (WEB, DB, FAR, SCRAPER)


def policy(name: str = "p", namespace: str = "shop", **spec: Any) -> model.Policy:
    return wire.policy({"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def chain_of(text: str, direction: str, ip: str) -> list[str] | None:
    """Return the lines of the chain that judges `ip`, None where nothing does."""
    found = re.search(rf"map {direction}[46] \{{.*?\n  \}}", text, re.DOTALL)
    jump = re.search(rf"\b{re.escape(ip)} : jump (\S+?),?\n", found[0]) if found else None
    if jump is None:
        return None
    body = re.search(rf"  chain {jump[1]} \{{\n(.*?)\n  \}}", text, re.DOTALL)
    assert body is not None, f"jump to a chain that is not there: {jump[1]}"
    return [line.strip() for line in body[1].split("\n")]


WEB_SELECTOR = {"matchLabels": {"app": "web"}}
INGRESS_CASES = {
    "no from and no ports allows everything": ([{}], ["return", "drop"]),
    "empty from and ports allow everything": ([{"from": [], "ports": []}], ["return", "drop"]),
    "no rules deny everything": ([], ["drop"]),
    "pod selector means this namespace": (
        [{"from": [{"podSelector": {}}]}],
        ["ip saddr { 10.244.0.2/31, 10.244.1.2 } return", "drop"],
    ),
    "namespace selector means all its pods": (
        [{"from": [{"namespaceSelector": {"matchLabels": {"tier": "infra"}}}]}],
        ["ip saddr { 10.244.1.3 } return", "drop"],
    ),
    "both selectors in one peer must both hold": (
        [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}]}],
        ["ip saddr { 10.244.0.3 } return", "drop"],
    ),
    "several peers are alternatives": (
        [{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}, {"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
        ["ip saddr { 10.244.0.3, 192.0.2.0/24 } return", "drop"],
    ),
    "a peer that nobody matches allows nobody": (
        [{"from": [{"podSelector": {"matchLabels": {"app": "none"}}}]}],
        ["drop"],
    ),
    "matchExpressions In": (
        [
            {
                "from": [
                    {
                        "podSelector": {
                            "matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "x"]}]
                        }
                    }
                ]
            }
        ],
        ["ip saddr { 10.244.0.3 } return", "drop"],
    ),
    "matchExpressions NotIn": (
        [
            {
                "from": [
                    {
                        "podSelector": {
                            "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web", "db"]}]
                        }
                    }
                ]
            }
        ],
        ["ip saddr { 10.244.1.2 } return", "drop"],
    ),
    "matchExpressions Exists": (
        [{"from": [{"namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}]}],
        ["ip saddr { 10.244.0.2/31, 10.244.1.2/31 } return", "drop"],
    ),
    "matchExpressions DoesNotExist": (
        [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}]}],
        ["drop"],
    ),
    "ipBlock without its exceptions": (
        [{"from": [{"ipBlock": {"cidr": "10.0.0.0/30", "except": ["10.0.0.1/32"]}}]}],
        ["ip saddr { 10.0.0.0, 10.0.0.2/31 } return", "drop"],
    ),
    "an exception as wide as its block leaves nothing": (
        [{"from": [{"ipBlock": {"cidr": "10.0.0.0/30", "except": ["10.0.0.0/30"]}}]}],
        ["drop"],
    ),
    "ports without from": (
        [{"ports": [{"port": 8080}, {"protocol": "UDP", "port": 53}, {"protocol": "SCTP", "port": 7}]}],
        ["sctp dport { 7 } return", "tcp dport { 8080 } return", "udp dport { 53 } return", "drop"],
    ),
    "a protocol without a port": (
        [{"ports": [{"protocol": "UDP"}]}],
        ["meta l4proto udp return", "drop"],
    ),
    "overlapping port ranges merge": (
        [{"ports": [{"port": 80, "endPort": 90}, {"port": 85}, {"port": 91}, {"port": 100}]}],
        ["tcp dport { 80-91, 100 } return", "drop"],
    ),
    "a named port is the selected pod's": (
        [{"ports": [{"port": "http"}]}],
        ["tcp dport { 8080 } return", "drop"],
    ),
    "a name with another protocol is another port": (
        [{"ports": [{"port": "http", "protocol": "UDP"}]}],
        ["drop"],
    ),
    "IPv6 ranges say nothing of IPv4": (
        [{"from": [{"ipBlock": {"cidr": "2001:db8::/32"}}]}],
        ["drop"],
    ),
}


@pytest.mark.parametrize(("ingress", "expected"), INGRESS_CASES.values(), ids=INGRESS_CASES)
def test_ingress(ingress: list[Any], expected: list[str]) -> None:
    text = compiler.compile(
        [policy(podSelector=WEB_SELECTOR, policyTypes=["Ingress"], ingress=ingress)], PODS, NAMESPACES, "a"
    )

    assert chain_of(text, "ingress", "10.244.0.2") == expected
    assert chain_of(text, "egress", "10.244.0.2") is None
    assert chain_of(text, "ingress", "10.244.0.3") is None


EGRESS_CASES = {
    "destination": (
        [
            {
                "to": [{"podSelector": {"matchLabels": {"app": "far"}}}],
                "ports": [{"port": 53, "protocol": "UDP"}],
            }
        ],
        ["ip daddr { 10.244.1.2 } udp dport { 53 } return", "drop"],
    ),
    "a named port is each destination's own": (
        [{"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}],
        [
            "ip daddr . tcp dport { 10.244.0.2 . 8080, 10.244.0.3 . 9090, 10.244.1.2 . 7070 } return",
            "drop",
        ],
    ),
    "a named port to everybody": (
        [{"ports": [{"port": "http"}, {"port": 1}]}],
        [
            "ip daddr . tcp dport { 10.244.0.2 . 8080, 10.244.0.3 . 9090, 10.244.1.2 . 7070 } return",
            "tcp dport { 1 } return",
            "drop",
        ],
    ),
    "a named port inside a range of addresses": (
        [
            {
                "to": [{"ipBlock": {"cidr": "10.244.1.0/24", "except": ["10.244.1.3/32"]}}],
                "ports": [{"port": "http"}],
            }
        ],
        ["ip daddr . tcp dport { 10.244.1.2 . 7070 } return", "drop"],
    ),
    "nothing": ([], ["drop"]),
}


@pytest.mark.parametrize(("egress", "expected"), EGRESS_CASES.values(), ids=EGRESS_CASES)
def test_egress(egress: list[Any], expected: list[str]) -> None:
    text = compiler.compile(
        [policy(podSelector=WEB_SELECTOR, policyTypes=["Egress"], egress=egress)], PODS, NAMESPACES, "a"
    )

    assert chain_of(text, "egress", "10.244.0.2") == expected
    assert chain_of(text, "ingress", "10.244.0.2") is None


def test_policies_add_up() -> None:
    first = policy("one", podSelector={}, ingress=[{"ports": [{"port": 1}]}])
    second = policy("two", podSelector=WEB_SELECTOR, ingress=[{"ports": [{"port": 2}]}])

    text = compiler.compile([second, first], PODS, NAMESPACES, "a")

    assert chain_of(text, "ingress", "10.244.0.2") == [
        "tcp dport { 1 } return",
        "tcp dport { 2 } return",
        "drop",
    ]
    assert chain_of(text, "ingress", "10.244.0.3") == ["tcp dport { 1 } return", "drop"]
    assert text == compiler.compile([first, second], PODS[::-1], NAMESPACES, "a"), "order must not matter"


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        pytest.param({}, True, False, id="no types, no rules: ingress"),
        pytest.param({"egress": [{}]}, True, True, id="no types, egress rules: both"),
        pytest.param({"policyTypes": ["Egress"]}, False, True, id="egress only"),
        pytest.param({"policyTypes": ["Ingress", "Egress"]}, True, True, id="both"),
    ],
)
def test_policy_types(spec: dict[str, Any], ingress: bool, egress: bool) -> None:
    text = compiler.compile([policy(podSelector=WEB_SELECTOR, **spec)], PODS, NAMESPACES, "a")

    assert (chain_of(text, "ingress", "10.244.0.2") is not None) is ingress
    assert (chain_of(text, "egress", "10.244.0.2") is not None) is egress


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pod("x", "10.244.0.9", node="b"), id="on another node"),
        pytest.param(pod("x", "10.244.0.9", namespace="watch"), id="in another namespace"),
        pytest.param(pod("x", "10.244.0.9", spec={"hostNetwork": True}), id="of the host's network"),
        pytest.param(
            pod("x", "10.244.0.9", status={"phase": "Succeeded"}), id="finished, its address is free"
        ),
        pytest.param(pod("x", "10.244.0.9", status={"podIPs": []}), id="without an address yet"),
    ],
)
def test_pods_that_are_not_judged_here(other: model.Pod) -> None:
    text = compiler.compile([policy(podSelector={})], [WEB, other], NAMESPACES, "a")

    assert "10.244.0.9" not in text
    assert chain_of(text, "ingress", "10.244.0.2") == ["drop"]


def test_an_address_belongs_to_the_younger_pod() -> None:
    """nft refuses the whole ruleset over a key that comes twice."""
    old = pod(
        "old", "10.244.0.9", metadata={"creationTimestamp": "2026-01-01T00:00:00Z"}, labels={"app": "web"}
    )
    young = pod("young", "10.244.0.9", metadata={"creationTimestamp": "2026-01-01T00:00:09Z"})

    text = compiler.compile([policy(podSelector=WEB_SELECTOR)], [young, old], NAMESPACES, "a")

    assert chain_of(text, "ingress", "10.244.0.9") is None


def test_pods_governed_alike_share_a_chain() -> None:
    pods = [pod(f"p{i}", f"10.244.0.{i}") for i in range(2, 40)]

    text = compiler.compile(
        [policy(podSelector={}, ingress=[{"ports": [{"port": 1}]}])], pods, NAMESPACES, "a"
    )

    assert text.count("chain ingress-") == 1
    assert text.count(": jump ingress-") == len(pods)


def test_named_ports_of_sidecars_count_and_of_ordinary_init_containers_do_not() -> None:
    ports = [{"name": "http", "containerPort": 15000}]
    sidecar = pod("web", "10.244.0.2", spec={"initContainers": [{"ports": ports, "restartPolicy": "Always"}]})
    ordinary = pod("web", "10.244.0.2", spec={"initContainers": [{"ports": ports}]})
    rules = [policy(podSelector={}, ingress=[{"ports": [{"port": "http"}]}])]

    assert "15000" in compiler.compile(rules, [sidecar], NAMESPACES, "a")
    assert "15000" not in compiler.compile(rules, [ordinary], NAMESPACES, "a")


def test_dual_stack_pods_are_judged_in_both_families() -> None:
    both = pod("web", "", status={"podIPs": [{"ip": "10.244.0.2"}, {"ip": "fd00::2"}]})

    text = compiler.compile([policy(podSelector={}, policyTypes=["Egress"])], [both], NAMESPACES, "a")

    assert "ip saddr vmap @egress4" in text
    assert "ip6 saddr vmap @egress6" in text
    assert "nd-neighbor-solicit" in text


def test_without_policies_the_table_is_empty() -> None:
    assert compiler.compile([], PODS, NAMESPACES, "a").splitlines()[2:] == ["table inet netpol {", "}"]
