"""What the compiler needs to know of pods, namespaces, policies and nodes. Frozen values and their matching
rules.

Words and semantics are those of the API reference of networking.k8s.io/v1 NetworkPolicy.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Labels = Mapping[str, str]


class Operator(enum.Enum):
    """Operators of a label selector's matchExpressions."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Protocol(enum.Enum):
    """Transport protocols that a policy can name; the value is nft's word."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


@dataclass(frozen=True)
class Requirement:
    """One of matchExpressions; a pair of matchLabels is `In` with one value."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Tell whether the labels satisfy it. `NotIn` holds for a missing key, as in apimachinery."""
        match self.operator:
            case Operator.IN:
                return self.key in labels and labels[self.key] in self.values
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True)
class Selector:
    """A label selector; without requirements it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Tell whether all requirements hold."""
        return all(requirement.matches(labels) for requirement in self.requirements)


@dataclass(frozen=True)
class NamedPort:
    """A container port with a name; `protocol` must match too when a policy refers to it."""

    name: str
    protocol: Protocol
    number: int


@dataclass(frozen=True)
class Pod:
    """A pod. `ips` is empty until the sandbox exists; a pod of the host's network is never selected."""

    namespace: str
    name: str
    node: str
    labels: Labels
    ips: tuple[str, ...] = ()
    ports: tuple[NamedPort, ...] = ()
    host_network: bool = False
    finished: bool = False
    created: str = ""
    uid: str = ""
    """As the kubelet knows it: for a static pod's mirror that is not the object's own."""

    @property
    def governed(self) -> bool:
        """True for pods that policies select and that peers resolve to."""
        return bool(self.ips) and not self.host_network and not self.finished


@dataclass(frozen=True)
class IPBlock:
    """A range with exceptions inside it."""

    cidr: Network
    excluded: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Peer:
    """One element of `from` or `to`. `None` for a selector means absent, which differs from an empty
    selector."""

    pods: Selector | None = None
    namespaces: Selector | None = None
    block: IPBlock | None = None


@dataclass(frozen=True)
class Port:
    """One element of `ports`: all ports of the protocol, a name, a number, or numbers from `port` to
    `end`."""

    protocol: Protocol = Protocol.TCP
    port: int | str | None = None
    end: int | None = None


@dataclass(frozen=True)
class Rule:
    """One ingress or egress rule. Empty `peers` means everybody, empty `ports` means every protocol and
    port."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A NetworkPolicy. `None` for a direction means that the policy says nothing about it; `()` denies all of
    it."""

    namespace: str
    name: str
    pods: Selector
    ingress: tuple[Rule, ...] | None = None
    egress: tuple[Rule, ...] | None = None


@dataclass(frozen=True)
class Node:
    """A node: its name, its InternalIPs and the pod ranges that it was given."""

    name: str
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
