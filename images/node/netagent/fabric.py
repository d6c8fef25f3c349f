"""What joins the pods of all nodes: CNI configuration, routes between nodes, masquerading. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence

from netagent import model

TABLE = "podnet"
# File name of the plugin in the CNI directory, and its type in the configuration.
GATE = "podgate"
_MULTICAST = ("224.0.0.0/4", "ff00::/8")
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def conflist(node: model.Node, mtu: int) -> str:
    """Return the CNI configuration list (JSON) that gives pods of `node` addresses from its own ranges.

    `ipMasq` stays off: the plugin would masquerade traffic to other nodes' pods too, and policies there would
    then see the node's address instead of the pod's. `masquerading` does it instead.
    """
    versions = {ipaddress.ip_network(cidr).version for cidr in node.pod_cidrs}
    routes = [{"dst": dst} for dst in _EVERYWHERE if ipaddress.ip_network(dst).version in versions]
    ranges = [[{"subnet": cidr}] for cidr in node.pod_cidrs]
    plugins = [
        {
            "type": "ptp",
            "ipMasq": False,
            "mtu": mtu,
            "ipam": {"type": "host-local", "ranges": ranges, "routes": routes},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": GATE},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}, indent=1) + "\n"


def gate_plugin(program: str) -> str:
    """Return the plugin's executable: a shell script, so that only ADD pays for starting Python."""
    versions = '{"cniVersion": "1.0.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}'
    return (
        "#!/bin/sh\n# Written by the network agent.\n"
        'case "$CNI_COMMAND" in\n'
        f"  ADD) exec python3 -I -S {program} ;;\n"
        f"  VERSION) echo '{versions}' ;;\n"
        "esac\n"
    )


def routes(nodes: Sequence[model.Node], own: str) -> Mapping[str, str]:
    """Return destination (a pod range of another node) → gateway (an InternalIP of that node, same
    family)."""
    found: dict[str, str] = {}
    for node in nodes:
        if node.name == own:
            continue
        for cidr in node.pod_cidrs:
            version = ipaddress.ip_network(cidr).version
            gateways = [a for a in node.addresses if ipaddress.ip_address(a).version == version]
            if gateways:
                found[cidr] = gateways[0]
    return found


def masquerading(nodes: Sequence[model.Node], own: str) -> str:
    """Return the text for `nft -f -` that hides this node's pods behind the node, towards the outside only.

    Towards pods and nodes the pod's own address stays: nodes have routes back.
    """
    out = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    out += ["  chain postrouting {", "    type nat hook postrouting priority srcnat; policy accept;"]
    for version, keyword, multicast in ((4, "ip", _MULTICAST[0]), (6, "ip6", _MULTICAST[1])):
        local = _ranges((c for n in nodes if n.name == own for c in n.pod_cidrs), version)
        inside = _ranges((r for n in nodes for r in (*n.pod_cidrs, *n.addresses, multicast)), version)
        if local:
            out.append(
                f"    {keyword} saddr {_braces(local)} {keyword} daddr != {_braces(inside)} masquerade"
            )
    return "\n".join([*out, "  }", "}", ""])


def _ranges(texts: Iterable[str], version: int) -> list[str]:
    networks = (ipaddress.ip_network(t) for t in texts)
    mine = (n for n in networks if n.version == version)
    return [str(n) for n in ipaddress.collapse_addresses(mine)]  # type: ignore[type-var]


def _braces(elements: Sequence[str]) -> str:
    return "{ " + ", ".join(elements) + " }"
