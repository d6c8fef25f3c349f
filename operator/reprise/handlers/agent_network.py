"""The way out of an agent's pod to its model, and no other; see docs/decisions/0082-*.md.

What every agent may reach, the gateway, is in manifests/operator/agents.yaml; policies add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.adapters.kube import Json
from reprise.domain import model_endpoint
from reprise.domain.entities import ObjectRef
from reprise.domain.model_endpoint import Endpoint
from reprise.handlers.runtime import AGENTS_NAMESPACE, ATTEMPT_LABEL, RUN_LABEL, Runtime


@dataclass(frozen=True)
class Route:
    """`addresses` stand in the pod's hosts file, for it has no DNS; `rules` are egress rules of a policy.

    Both are empty for a name that nobody knows: the harness then finds its endpoint unreachable, and says so.
    """

    endpoint: Endpoint
    addresses: tuple[str, ...]
    rules: tuple[Json, ...]

    @property
    def aliases(self) -> list[Json]:
        """`hostAliases` of the pod."""
        if self.endpoint.literal:
            return []
        return [{"ip": address, "hostnames": [self.endpoint.host]} for address in self.addresses]


async def route(runtime: Runtime, url: str) -> Route:
    """Find the way to a model's endpoint. Raises InvalidInput, Unreachable (the API server)."""
    endpoint = model_endpoint.parse(url)
    found = (endpoint.host,) if endpoint.literal else await runtime.resolve(endpoint.host)
    addresses = model_endpoint.reachable(found)
    if not addresses:
        return Route(endpoint, (), ())
    service = None
    if endpoint.service is not None:
        namespace, name = endpoint.service
        service = await runtime.kube.get(ObjectRef("v1", "Service", namespace, name))
    if service is not None and service["spec"].get("selector"):
        return Route(endpoint, addresses, (_to_service(endpoint, service),))
    peers = [{"ipBlock": {"cidr": model_endpoint.network(address)}} for address in addresses]
    return Route(endpoint, addresses, ({"to": peers, "ports": [{"protocol": "TCP", "port": endpoint.port}]},))


def _to_service(endpoint: Endpoint, service: Mapping[str, Any]) -> Json:
    """To the pods behind a Service: its own address is replaced by theirs before policies are looked at."""
    meta, spec = service["metadata"], service["spec"]
    target = next(
        (item.get("targetPort", item["port"]) for item in spec["ports"] if item["port"] == endpoint.port),
        endpoint.port,
    )
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": meta["namespace"]}},
        "podSelector": {"matchLabels": spec["selector"]},
    }
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": target}]}


def policy(name: str, run_uid: str, attempt_uid: str, rules: Sequence[Json]) -> Json:
    """Lets the pods of one attempt out by these rules."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": AGENTS_NAMESPACE,
            "labels": {RUN_LABEL: run_uid, ATTEMPT_LABEL: attempt_uid},
        },
        "spec": {
            "podSelector": {"matchLabels": {ATTEMPT_LABEL: attempt_uid}},
            "policyTypes": ["Egress"],
            "egress": list(rules),
        },
    }
