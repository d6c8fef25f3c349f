"""API objects (decoded JSON) into the values of `model`. Fields that nobody needs are dropped here, for
memory.

Everything raises `ValueError`, `KeyError` or `TypeError` on an object that the API server would not have
admitted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from netagent import model

Object = Mapping[str, Any]


def namespace(obj: Object) -> Mapping[str, str]:
    """Return the labels of a Namespace; the API server always sets kubernetes.io/metadata.name."""
    return dict(obj["metadata"].get("labels") or {})


def node(obj: Object) -> model.Node:
    """Return a Node's name, InternalIPs and pod ranges."""
    spec = obj.get("spec") or {}
    cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    addresses = (obj.get("status") or {}).get("addresses") or []
    return model.Node(
        name=obj["metadata"]["name"],
        addresses=tuple(a["address"] for a in addresses if a["type"] == "InternalIP"),
        pod_cidrs=tuple(cidrs),
    )


def pod(obj: Object) -> model.Pod:
    """Return what policies need of a Pod. Ports are those of containers and of sidecar init containers."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    containers = list(spec.get("containers") or [])
    containers += [c for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    ports = tuple(
        model.NamedPort(p["name"], model.Protocol[p.get("protocol") or "TCP"], p["containerPort"])
        for c in containers
        for p in c.get("ports") or []
        if p.get("name")
    )
    ips = [i["ip"] for i in status.get("podIPs") or []] or ([status["podIP"]] if status.get("podIP") else [])
    return model.Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        node=spec.get("nodeName") or "",
        labels=dict(metadata.get("labels") or {}),
        ips=tuple(ips),
        ports=ports,
        host_network=bool(spec.get("hostNetwork")),
        finished=status.get("phase") in ("Succeeded", "Failed"),
        created=metadata.get("creationTimestamp") or "",
        uid=(metadata.get("annotations") or {}).get("kubernetes.io/config.mirror")
        or metadata.get("uid")
        or "",
    )


def policy(obj: Object) -> model.Policy:
    """Return a NetworkPolicy. Absent `policyTypes` means Ingress, and Egress if there are egress rules."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return model.Policy(
        namespace=metadata["namespace"],
        name=metadata["name"],
        pods=_selector(spec.get("podSelector") or {}),
        ingress=_rules(spec.get("ingress"), "from") if "Ingress" in types else None,
        egress=_rules(spec.get("egress"), "to") if "Egress" in types else None,
    )


def _rules(rules: list[Object] | None, peers_key: str) -> tuple[model.Rule, ...]:
    return tuple(
        model.Rule(
            peers=tuple(_peer(p) for p in rule.get(peers_key) or []),
            ports=tuple(_port(p) for p in rule.get("ports") or []),
        )
        for rule in rules or []
    )


def _peer(peer: Object) -> model.Peer:
    block = peer.get("ipBlock")
    return model.Peer(
        pods=_selector(peer["podSelector"]) if peer.get("podSelector") is not None else None,
        namespaces=_selector(peer["namespaceSelector"])
        if peer.get("namespaceSelector") is not None
        else None,
        block=model.IPBlock(
            ipaddress.ip_network(block["cidr"], strict=False),
            tuple(ipaddress.ip_network(e, strict=False) for e in block.get("except") or []),
        )
        if block
        else None,
    )


def _port(port: Object) -> model.Port:
    return model.Port(model.Protocol[port.get("protocol") or "TCP"], port.get("port"), port.get("endPort"))


def _selector(selector: Object) -> model.Selector:
    equalities = (
        model.Requirement(key, model.Operator.IN, frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    )
    expressions = (
        model.Requirement(e["key"], model.Operator(e["operator"]), frozenset(e.get("values") or ()))
        for e in selector.get("matchExpressions") or []
    )
    return model.Selector((*equalities, *expressions))
