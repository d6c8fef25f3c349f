"""What of an object is compared. The rule, for one snapshot and for two:

Left out always
- Events, Leases (heartbeats), Endpoints (EndpointSlices say the same), the usage figures of metrics.k8s.io;
- metadata that the server sets: resourceVersion, uid, generation, creationTimestamp, managedFields, and the
  annotations in which controllers keep their books; that an object is being deleted stays;
- in status: every time (heartbeats, transitions), observedGeneration, container ids, addresses, the list of
  images on a node;
- of EndpointSlices the addresses: how many are ready and not ready stays.

Left out between two snapshots, because it differs by chance
- the part of a name that a controller made up (hash, suffix): `cart-*-*`; of several the first is `cart-*-*`,
  the second `cart-*-*#2`; with it owners, pod-template-hash and the names of token volumes;
- cluster addresses and node ports of Services, the node of a pod, the volume of a claim;
- the cluster's certificates (kube-root-ca.crt).
"""

import re
from collections.abc import Mapping
from typing import Any

from reprise.domain import drift

Json = dict[str, Any]
_LEFT_OUT_GROUPS = frozenset({"metrics.k8s.io", "events.k8s.io"})
_LEFT_OUT_KINDS = frozenset({"Event", "Lease", "Endpoints"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_STATUS = frozenset(
    {"observedGeneration", "containerID", "podIP", "podIPs", "hostIP", "hostIPs", "images", "addresses"}
)
_CHANCE_SPEC = frozenset({"clusterIP", "clusterIPs", "nodeName", "volumeName", "healthCheckNodePort"})
_CHANCE_LABELS = frozenset({"pod-template-hash", "controller-revision-hash", "controller.kubernetes.io/hash"})
_CHANCE_METADATA = frozenset({"generateName", "ownerReferences"})
_TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")


def is_compared(collection: str, obj: Mapping[str, Any], across: bool) -> bool:
    """Whether an object counts at all. `across`: between two snapshots."""
    if collection.partition("~")[0] in _LEFT_OUT_GROUPS or is_left_out(obj.get("kind", "")):
        return False
    return not (across and obj["metadata"]["name"] == "kube-root-ca.crt")


def is_left_out(kind: str) -> bool:
    """Whether no object of this kind counts."""
    return kind in _LEFT_OUT_KINDS


def normalise(obj: Json, across: bool) -> Json:
    """The object without what this module's rule leaves out."""
    out = drift.normalise(obj)
    if obj["metadata"].get("deletionTimestamp"):
        out["metadata"] = {**out["metadata"], "deletionTimestamp": "set"}
    if "status" in obj:
        out["status"] = _status(obj["status"])
    if obj.get("kind") == "EndpointSlice":
        ready = [
            bool((item.get("conditions") or {}).get("ready", True)) for item in obj.get("endpoints") or ()
        ]
        out["endpoints"] = {"ready": sum(ready), "notReady": len(ready) - sum(ready)}
    return _without_chance(out) if across else out


def _status(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _status(entry)
            for key, entry in value.items()
            if key not in _STATUS and not (isinstance(entry, str) and _TIME.fullmatch(entry))
        }
    return [_status(entry) for entry in value] if isinstance(value, list) else value


def _without_chance(obj: Json) -> Json:
    found: Json = _renamed(obj)
    found["metadata"] = {k: v for k, v in found["metadata"].items() if k not in _CHANCE_METADATA}
    found["metadata"].pop("name", None)
    if isinstance(found.get("spec"), dict):
        spec = {k: v for k, v in found["spec"].items() if k not in _CHANCE_SPEC}
        if isinstance(spec.get("ports"), list):
            spec["ports"] = [{k: v for k, v in p.items() if k != "nodePort"} for p in spec["ports"]]
        found["spec"] = spec
    return found


def _renamed(value: Any) -> Any:
    """Without labels of hashes, wherever they stand, and with token volumes under one name."""
    if isinstance(value, dict):
        return {key: _renamed(entry) for key, entry in value.items() if key not in _CHANCE_LABELS}
    if isinstance(value, list):
        return [_renamed(entry) for entry in value]
    return _TOKEN_VOLUME.sub("kube-api-access-*", value) if isinstance(value, str) else value


def stable_name(obj: Mapping[str, Any]) -> str:
    """The name without what a controller made up: `cart-*-*` for a Deployment's pod."""
    meta = obj["metadata"]
    name: str = meta["name"]
    made_from = meta.get("generateName") or ""
    if made_from and name.startswith(made_from) and not _is_ordinal(obj, name[len(made_from) :]):
        name = made_from + "*"
    for label in sorted(_CHANCE_LABELS):
        value = (meta.get("labels") or {}).get(label)
        if value:
            name = name.replace(f"-{value}", "-*")
    if any(owner.get("kind") == "CronJob" for owner in meta.get("ownerReferences") or ()):
        name = re.sub(r"-\d+$", "-*", name)
    return name


def _is_ordinal(obj: Mapping[str, Any], suffix: str) -> bool:
    owners = obj["metadata"].get("ownerReferences") or ()
    return suffix.isdecimal() and any(owner.get("kind") == "StatefulSet" for owner in owners)
