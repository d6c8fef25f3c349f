"""Where the model of an agent answers, and which addresses an agent may be let out to."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from reprise.domain import errors

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Endpoint:
    """`url` as given; `service` is (namespace, name) when the host is a Service of this cluster."""

    url: str
    host: str
    port: int
    service: tuple[str, str] | None

    @property
    def literal(self) -> bool:
        """Whether the host is an address already."""
        return _address(self.host) is not None


def parse(url: str) -> Endpoint:
    """Take a base URL such as `https://host/v1` apart. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError as exc:
        raise errors.InvalidInput(f"agent.model.endpoint: expected a URL, found {url!r:.200}: {exc}") from exc
    if port is None or not parts.hostname:
        raise errors.InvalidInput(
            f"agent.model.endpoint: expected http(s)://host[:port]/path, found {url!r:.200}"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise errors.InvalidInput(
            "agent.model.endpoint: expected a URL without a key in it; put the key into a Secret and name "
            "that in agent.model.secretRef"
        )
    return Endpoint(url, parts.hostname, port, _service(parts.hostname))


def _service(host: str) -> tuple[str, str] | None:
    """`name.namespace.svc`, with or without the cluster's domain."""
    match host.rstrip(".").split("."):
        case [name, namespace, "svc", *_]:
            return namespace, name
        case _:
            return None


def reachable(addresses: Iterable[str]) -> tuple[str, ...]:
    """The addresses that an agent may be let out to, in a fixed order.

    Not those of the node itself, nor link-local ones, where clouds serve their metadata and credentials.
    """
    found = {address for text in addresses if (address := _address(text)) is not None}
    return tuple(
        str(address)
        for address in sorted(found, key=lambda one: (one.version, int(one)))
        if not (
            address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
        )
    )


def network(address: str) -> str:
    """The address alone, as a CIDR."""
    return str(ipaddress.ip_network(address))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # An IPv4 address in the clothes of an IPv6 one goes to the same place.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
