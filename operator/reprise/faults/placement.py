"""Which nodes a pod may run on: taints, cordons, node selectors and required node affinity."""

from collections.abc import Mapping

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.faults.mechanism import Json, Observed

KEEPS_OUT = ("NoSchedule", "NoExecute")


def nodes_for(deployment: Json, observed: Observed) -> list[ObjectRef]:
    """The nodes that the Deployment's pods may run on now. Raises InvalidInput when there is none."""
    spec = deployment["spec"]["template"]["spec"]
    found = [name for name, node in sorted(observed.all("Node").items()) if _takes(node, spec)]
    if not found:
        there = ", ".join(sorted(observed.all("Node"))) or "none"
        raise errors.InvalidInput(
            f"expected a node that takes pods of Deployment/{deployment['metadata']['name']}, "
            f"found none among: {there}"
        )
    return [observed.ref("Node", name) for name in found]


def _takes(node: Json, pod_spec: Json) -> bool:
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    tolerations = pod_spec.get("tolerations") or ()
    return (
        not spec.get("unschedulable")
        and all(
            any(_tolerates(toleration, taint) for toleration in tolerations)
            for taint in spec.get("taints") or ()
            if taint.get("effect") in KEEPS_OUT
        )
        and (pod_spec.get("nodeSelector") or {}).items() <= labels.items()
        and _has_affinity(pod_spec, labels)
    )


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if not toleration.get("key"):
        return bool(toleration.get("operator") == "Exists")
    if toleration["key"] != taint["key"]:
        return False
    return bool(
        toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")
    )


def _has_affinity(pod_spec: Json, labels: Mapping[str, str]) -> bool:
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        all(_matches(entry, labels) for entry in term.get("matchExpressions") or ())
        for term in required["nodeSelectorTerms"]
    )


def _matches(entry: Json, labels: Mapping[str, str]) -> bool:
    value = labels.get(entry["key"])
    match entry["operator"]:
        case "In":
            return value in entry["values"]
        case "NotIn":
            return value not in entry["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise errors.Unsupported(f"expected a node affinity by labels, found the operator {other!r}")
