"""What an agent hands in: several spellings in, canonical entity ids out.

Accepted documents: `{"entities": [...]}` or the bare list. Accepted items: `"namespace/Kind/name"` as text,
`{"name": "namespace/Kind/name"}`, `{"kind", "name", "namespace"}`, and a Kubernetes object with `metadata`.
When any item has the key `contributing_factor` (ITBench's agent_output.json), only those where it is true
count. Everything else in the document (reasoning, propagations, ...) is left alone.

NB: the gateway imports this module, so it must never learn about truth or scores.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.entities import EntityId, shorten

MAX_ENTITIES = 200
_FORM = "'namespace/Kind/name', or 'Kind/name' for what has no namespace"

# kind -> short names that kubectl knows. Plurals are derived.
_NAMESPACED: Mapping[str, tuple[str, ...]] = {
    "ConfigMap": ("cm",),
    "ControllerRevision": (),
    "CronJob": ("cj",),
    "DaemonSet": ("ds",),
    "Deployment": ("deploy",),
    "EndpointSlice": (),
    "Endpoints": ("ep",),
    "Event": ("ev",),
    "HorizontalPodAutoscaler": ("hpa",),
    "Ingress": ("ing",),
    "Job": (),
    "Lease": (),
    "LimitRange": ("limits",),
    "NetworkPolicy": ("netpol",),
    "PersistentVolumeClaim": ("pvc",),
    "Pod": ("po",),
    "PodDisruptionBudget": ("pdb",),
    "PodTemplate": (),
    "ReplicaSet": ("rs",),
    "ReplicationController": ("rc",),
    "ResourceQuota": ("quota",),
    "Role": (),
    "RoleBinding": (),
    "Secret": (),
    "Service": ("svc",),
    "ServiceAccount": ("sa",),
    "StatefulSet": ("sts",),
    # Gateway API and Istio, where applications have them
    "AuthorizationPolicy": (),
    "DestinationRule": ("dr",),
    "Gateway": ("gtw",),
    "GRPCRoute": (),
    "HTTPRoute": (),
    "PeerAuthentication": ("pa",),
    "ServiceEntry": ("se",),
    "Sidecar": (),
    "VirtualService": ("vs",),
    # Chaos Mesh
    "AWSChaos": (),
    "DNSChaos": (),
    "HTTPChaos": (),
    "IOChaos": (),
    "JVMChaos": (),
    "KernelChaos": (),
    "NetworkChaos": (),
    "PodChaos": (),
    "Schedule": (),
    "StressChaos": (),
    "TimeChaos": (),
    "Workflow": (),
}
_CLUSTER: Mapping[str, tuple[str, ...]] = {
    "APIService": (),
    "ClusterRole": (),
    "ClusterRoleBinding": (),
    "CustomResourceDefinition": ("crd", "crds"),
    "IngressClass": (),
    "MutatingWebhookConfiguration": (),
    "Namespace": ("ns",),
    "Node": ("no",),
    "PersistentVolume": ("pv",),
    "PriorityClass": ("pc",),
    "RuntimeClass": (),
    "StorageClass": ("sc",),
    "ValidatingAdmissionPolicy": (),
    "ValidatingWebhookConfiguration": (),
}


@dataclass(frozen=True)
class Submission:
    """What counts of a submission, in the agent's order, without duplicates."""

    entities: tuple[EntityId, ...]


def plural(kind: str) -> str:
    """The resource of a kind, as the well known ones are spelled: NetworkPolicy gives networkpolicies."""
    lower = kind.lower()
    if lower.endswith("y") and lower[-2] not in "aeiou":
        return lower[:-1] + "ies"
    if lower.endswith(("s", "x", "ch", "sh")):
        return lower if lower.endswith("points") else lower + "es"
    return lower + "s"


def _spellings() -> dict[str, str]:
    known: dict[str, str] = {}
    for kind, short in (*_NAMESPACED.items(), *_CLUSTER.items()):
        for spelling in (kind.lower(), plural(kind), *short):
            known[spelling] = kind
    # Chaos Mesh's own plurals are its singulars, which are in already.
    return known


_SPELLINGS: Mapping[str, str] = _spellings()


def parse(data: object, extra_kinds: Collection[str] = ()) -> Submission:
    """Read a decoded JSON document. An empty list is a submission: "nothing is wrong".

    `extra_kinds` are kinds that this cluster serves beside the well known ones. Raises InvalidInput with
    every problem and the index of the entity it is in.
    """
    if isinstance(data, Mapping):
        if "entities" not in data:
            raise errors.InvalidInput(
                'expected {"entities": [...]}, found an object without "entities"; '
                'to say that nothing is wrong send {"entities": []}'
            )
        items = data["entities"]
    else:
        items = data
    if isinstance(items, str | bytes) or not isinstance(items, Sequence):
        raise errors.InvalidInput(f"entities: expected a list, found {_type(items)}")
    if len(items) > MAX_ENTITIES:
        raise errors.InvalidInput(
            f"entities: expected at most {MAX_ENTITIES}, found {len(items)}; "
            "name the root causes only, not everything they affect"
        )
    spellings = _with(extra_kinds)
    marked = any(isinstance(item, Mapping) and "contributing_factor" in item for item in items)
    problems: list[str] = []
    found: dict[EntityId, None] = {}
    for index, item in enumerate(items):
        try:
            if marked and not _contributes(item):
                continue
            found[_entity(item, spellings)] = None
        except errors.InvalidInput as exc:
            problems += [f"entities[{index}]: {problem}" for problem in exc.problems]
    if problems:
        raise errors.InvalidInput(problems)
    return Submission(tuple(found))


def canonical(entity: EntityId, extra_kinds: Collection[str] = ()) -> EntityId:
    """The id with its kind spelled as Kubernetes does, and no namespace where the kind has none.

    Raises InvalidInput for a kind that nobody knows and for a missing namespace.
    """
    return _canonical(entity, _with(extra_kinds))


def _with(extra_kinds: Collection[str]) -> Mapping[str, str]:
    """The well known spellings win, so that `deploy` never becomes a kind of its own."""
    return {**{kind.lower(): kind for kind in extra_kinds}, **_SPELLINGS}


def _contributes(item: object) -> bool:
    """In a list where some items are marked, an item counts only when it is marked true."""
    value = item.get("contributing_factor", False) if isinstance(item, Mapping) else False
    if not isinstance(value, bool):
        raise errors.InvalidInput(f"contributing_factor: expected true or false, found {_type(value)}")
    return value


def _entity(item: object, spellings: Mapping[str, str]) -> EntityId:
    if isinstance(item, str):
        return _canonical(_split(item), spellings)
    if not isinstance(item, Mapping):
        raise errors.InvalidInput(f'expected text or an object like {{"name": …}}, found {_type(item)}')
    meta = item.get("metadata")
    source = {**meta, "kind": item.get("kind")} if isinstance(meta, Mapping) else item
    name, kind, namespace = (source.get(key) for key in ("name", "kind", "namespace"))
    problems = [
        f"{key}: expected text, found {_type(value)}"
        for key, value in (("name", name), ("kind", kind), ("namespace", namespace))
        if value is not None and not isinstance(value, str)
    ]
    if name is None or name == "":
        problems.append(f"name: expected {_FORM}; it is missing")
    if problems:
        raise errors.InvalidInput(problems)
    name, kind, namespace = str(name), str(kind or ""), str(namespace or "")
    if "/" in name:
        return _canonical(_split(name), spellings)
    if not kind:
        raise errors.InvalidInput(
            f"name: expected {_FORM}, or kind and namespace beside it; found {shorten(name)!r}"
        )
    return _canonical(EntityId(namespace, kind, name), spellings)


def _split(text: str) -> EntityId:
    """Only split; what the parts may hold is checked once the kind is spelled right."""
    parts = [part.strip() for part in text.strip().split("/")]
    if len(parts) == 2:
        parts = ["", *parts]
    if len(parts) != 3:
        raise errors.InvalidInput(f"expected {_FORM}, found {shorten(text)!r}")
    return EntityId(*parts)


def _canonical(entity: EntityId, spellings: Mapping[str, str]) -> EntityId:
    # "deployments.apps" and "Deployment.apps" are how kubectl and API groups print a kind.
    written = entity.kind.lower().partition(".")[0]
    kind = spellings.get(written)
    if kind is None:
        near = difflib.get_close_matches(written, spellings, n=1)
        hint = f"; did you mean {spellings[near[0]]}?" if near else ""
        raise errors.InvalidInput(f"expected a Kubernetes kind, found {shorten(entity.kind)!r}{hint}")
    if kind in _NAMESPACED and not entity.namespace:
        raise errors.InvalidInput(
            f"expected 'namespace/{kind}/{shorten(entity.name)}': a {kind} has a namespace"
        )
    namespace = "" if kind in _CLUSTER else entity.namespace
    if namespace:
        return EntityId.parse(f"{namespace}/{kind}/{entity.name}")
    return EntityId.parse(f"{kind}/{entity.name}")


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return f"the text {shorten(value, 40)!r}"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case Sequence():
            return "a list"
        case _:
            return type(value).__name__
