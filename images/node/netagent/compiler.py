"""NetworkPolicies into one nftables ruleset for one node. Pure: the same input gives the same text.

Shape of the result. One base chain in the forward hook and one in the input hook. A verdict map an address
family and direction leads each isolated pod of this node to a chain of its own; a chain ends with `drop`, and
`return` in it means "allowed in this direction". Pods governed alike share a chain.

Packets of the original direction are judged one by one, whether or not their connection is established; only
replies and related errors pass unjudged. So a new denial cuts the connections that it denies, and nothing has
to be deleted from conntrack. The forward hook sees Services' traffic after DNAT and before SNAT. What the
node itself sends to its pods never passes the forward hook: probes stay allowed. What a pod sends to its node
passes the input hook, where egress rules hold as well (the API has an exception for the local node in ingress
only).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netagent import model

TABLE = "netpol"


@dataclass(frozen=True)
class _Family:
    """Words that differ between IPv4 and IPv6."""

    version: int
    keyword: str
    set_type: str


# Without it a node cannot find its own pods; IPv4 has ARP for that, which these hooks never see.
_NEIGHBOUR_DISCOVERY = "{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }"

_FAMILIES = (_Family(4, "ip", "ipv4_addr"), _Family(6, "ip6", "ipv6_addr"))


def compile(
    policies: Sequence[model.Policy],
    pods: Sequence[model.Pod],
    namespaces: Mapping[str, model.Labels],
    node: str,
) -> str:
    """Return the text for `nft -f -` that replaces the policy table of `node` in one transaction.

    `namespaces` maps names to labels; a namespace that is missing there has none.
    """
    world = _World(tuple(p for p in pods if p.governed), namespaces)
    policies = sorted(policies, key=lambda p: (p.namespace, p.name))
    chains: dict[str, tuple[str, ...]] = {}
    jumps: dict[str, dict[str, str]] = {}
    # NB: an address can stand in two Pod objects while the older one is being removed; nft refuses the whole
    # ruleset over a duplicate key. The younger pod owns the address.
    local = sorted((p for p in world.pods if p.node == node), key=lambda p: (p.created, p.namespace, p.name))
    for pod in local:
        selecting = [p for p in policies if p.namespace == pod.namespace and p.pods.matches(pod.labels)]
        for direction in ("egress", "ingress"):
            rules = [(p, getattr(p, direction)) for p in selecting if getattr(p, direction) is not None]
            for address in pod.ips:
                family = _family_of(address)
                verdicts = jumps.setdefault(f"{direction}{family.version}", {})
                verdicts.pop(address, None)
                if not rules:
                    continue
                lines = _chain(rules, pod, direction == "ingress", family, world)
                digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
                name = f"{direction}-{digest[:12]}"
                chains[name] = lines
                verdicts[address] = f"jump {name}"
    used = {v.removeprefix("jump ") for verdicts in jumps.values() for v in verdicts.values()}
    return _render({n: c for n, c in chains.items() if n in used}, jumps)


@dataclass(frozen=True)
class _World:
    """Everything that peers are resolved against."""

    pods: tuple[model.Pod, ...]
    namespaces: Mapping[str, model.Labels]

    def addresses(self, pod: model.Pod, family: _Family) -> list[str]:
        return [ip for ip in pod.ips if _family_of(ip) is family]

    def selects(self, peer: model.Peer, pod: model.Pod, home: str, address: str) -> bool:
        """Tell whether `peer`, written in a policy of namespace `home`, means `pod` at `address`."""
        if peer.block is not None:
            ip = ipaddress.ip_address(address)
            return ip in peer.block.cidr and not any(ip in e for e in peer.block.excluded)
        if peer.namespaces is None:
            return peer.pods is not None and pod.namespace == home and peer.pods.matches(pod.labels)
        in_namespace = peer.namespaces.matches(self.namespaces.get(pod.namespace, {}))
        return in_namespace and (peer.pods is None or peer.pods.matches(pod.labels))

    def networks(self, peer: model.Peer, home: str, family: _Family) -> Iterable[model.Network]:
        """Yield the ranges of the family that `peer` stands for."""
        if peer.block is not None:
            if peer.block.cidr.version == family.version:
                yield from _subtract(peer.block)
            return
        for pod in self.pods:
            for address in self.addresses(pod, family):
                if self.selects(peer, pod, home, address):
                    yield ipaddress.ip_network(address)


def _chain(
    rules: Sequence[tuple[model.Policy, tuple[model.Rule, ...]]],
    pod: model.Pod,
    ingress: bool,
    family: _Family,
    world: _World,
) -> tuple[str, ...]:
    lines: list[str] = []
    for policy, allowed in rules:
        for rule in allowed:
            lines += _allow(rule, policy.namespace, pod, ingress, family, world)
    return (*dict.fromkeys(lines), "drop")


def _allow(
    rule: model.Rule, home: str, pod: model.Pod, ingress: bool, family: _Family, world: _World
) -> list[str]:
    """Return the lines that return for what one rule allows."""
    peers = ""
    if rule.peers:
        found = [n for peer in rule.peers for n in world.networks(peer, home, family)]
        if not found:
            return []
        side = "saddr" if ingress else "daddr"
        peers = f"{family.keyword} {side} {_braces(_collapse(found))} "
    if not rule.ports:
        return [f"{peers}return"]
    numbers: dict[model.Protocol, list[tuple[int, int]]] = {}
    lines: list[str] = []
    for port in rule.ports:
        ranges = numbers.setdefault(port.protocol, [])
        if port.port is None:
            ranges.append((0, 65535))
        elif isinstance(port.port, int):
            ranges.append((port.port, port.end or port.port))
        elif ingress:
            ranges += [(n, n) for n in _named(pod, port)]
        else:
            lines += _egress_to_named_port(port, rule, home, family, world)
    for protocol, ranges in sorted(numbers.items(), key=lambda item: item[0].value):
        if (0, 65535) in ranges:
            lines.append(f"{peers}meta l4proto {protocol.value} return")
        elif ranges:
            lines.append(f"{peers}{protocol.value} dport {_braces(_merge(ranges))} return")
    return lines


def _egress_to_named_port(
    port: model.Port, rule: model.Rule, home: str, family: _Family, world: _World
) -> list[str]:
    """Resolve a named port in an egress rule, where each destination pod has its own number for the name."""
    pairs = {
        f"{address} . {number}"
        for pod in world.pods
        for address in world.addresses(pod, family)
        if not rule.peers or any(world.selects(peer, pod, home, address) for peer in rule.peers)
        for number in _named(pod, port)
    }
    if not pairs:
        return []
    return [f"{family.keyword} daddr . {port.protocol.value} dport {_braces(sorted(pairs))} return"]


def _named(pod: model.Pod, port: model.Port) -> list[int]:
    return [p.number for p in pod.ports if p.name == port.port and p.protocol is port.protocol]


def _family_of(address: str) -> _Family:
    return _FAMILIES[1] if ":" in address else _FAMILIES[0]


def _subtract(block: model.IPBlock) -> list[model.Network]:
    remaining: list[model.Network] = [block.cidr]
    for excluded in block.excluded:
        kept: list[model.Network] = []
        for network in remaining:
            if network.version != excluded.version or not network.overlaps(excluded):
                kept.append(network)
            elif excluded.prefixlen > network.prefixlen:
                kept += network.address_exclude(excluded)  # type: ignore[arg-type]
        remaining = kept
    return remaining


def _collapse(networks: Iterable[model.Network]) -> list[str]:
    """Return disjoint ranges in nft's notation; nft refuses overlapping elements."""
    return [
        str(n.network_address) if n.prefixlen == n.max_prefixlen else str(n)
        for n in ipaddress.collapse_addresses(networks)  # type: ignore[type-var]
    ]


def _merge(ranges: Iterable[tuple[int, int]]) -> list[str]:
    """Return disjoint port ranges in nft's notation."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [str(a) if a == b else f"{a}-{b}" for a, b in merged]


def _braces(elements: Iterable[str]) -> str:
    return "{ " + ", ".join(elements) + " }"


def _render(chains: Mapping[str, tuple[str, ...]], jumps: Mapping[str, Mapping[str, str]]) -> str:
    # `table` before `delete table` makes the deletion valid when there is none yet.
    out = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    for name in sorted(chains):
        out += [f"  chain {name} {{", *(f"    {line}" for line in chains[name]), "  }"]
    forward: list[str] = []
    inputs: list[str] = []
    for family in _FAMILIES:
        egress = jumps.get(f"egress{family.version}") or {}
        ingress = jumps.get(f"ingress{family.version}") or {}
        isolated = sorted({*egress, *ingress}, key=ipaddress.ip_address)
        if not isolated:
            continue
        # A pod that reaches itself through its own Service comes by here; a pod cannot be cut off from
        # itself.
        selves = ", ".join(f"{a} . {a}" for a in isolated)
        forward.append(f"{family.keyword} saddr . {family.keyword} daddr {{ {selves} }} accept")
        for direction, verdicts, side in (("egress", egress, "saddr"), ("ingress", ingress, "daddr")):
            if verdicts:
                out += _map(f"{direction}{family.version}", verdicts, family)
                forward.append(f"{family.keyword} {side} vmap @{direction}{family.version}")
        if egress:
            if family.version == 6:
                inputs.append(f"icmpv6 type {_NEIGHBOUR_DISCOVERY} accept")
            inputs.append(f"{family.keyword} saddr vmap @egress{family.version}")
    out += _base_chain("forward", forward) + _base_chain("input", inputs)
    return "\n".join([*out, "}", ""])


def _map(name: str, verdicts: Mapping[str, str], family: _Family) -> list[str]:
    ordered = sorted(verdicts, key=ipaddress.ip_address)
    elements = ",\n      ".join(f"{address} : {verdicts[address]}" for address in ordered)
    return [
        f"  map {name} {{",
        f"    type {family.set_type} : verdict",
        f"    elements = {{\n      {elements}\n    }}",
        "  }",
    ]


def _base_chain(hook: str, rules: Sequence[str]) -> list[str]:
    if not rules:
        return []
    return [
        f"  chain {hook} {{",
        f"    type filter hook {hook} priority filter; policy accept;",
        "    ct direction reply ct state established accept",
        "    ct state related accept",
        *(f"    {rule}" for rule in rules),
        "  }",
    ]
