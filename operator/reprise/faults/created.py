"""Objects that a mechanism makes; workloads are small Deployments of the target's image, which nodes have."""

from collections.abc import Mapping, Sequence
from typing import Any

from reprise.domain import paths
from reprise.domain.entities import ObjectRef
from reprise.faults import template
from reprise.faults.mechanism import Json, Observed


def head(ref: ObjectRef) -> Json:
    """What every object begins with: its kind and its name, and nothing that tells who made it."""
    metadata = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}


def deployment(
    ref: ObjectRef,
    like: Json,
    command: Sequence[str],
    *,
    resources: Json,
    image: str | None = None,
    environment: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    replicas: int = 1,
    pod: Mapping[str, Any] | None = None,
) -> Json:
    """A Deployment that runs the command in the image of the Deployment `like`, or in `image`.

    command: empty for what the image runs by itself. labels: its pods', by which it selects them; by default
    its name. pod: more fields of the pod's spec.
    """
    own = paths.get(like, template.container_path(template.container_name(like, None)))
    container: Json = {
        "name": ref.name,
        "image": image or own["image"],
        "imagePullPolicy": own.get("imagePullPolicy", "IfNotPresent"),
        "resources": resources,
    }
    if command:
        container["command"] = list(command)
    if environment:
        container["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    labels = dict(labels or {"app.kubernetes.io/name": ref.name})
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                # What it does can be cut short: recovery must not wait for it.
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **(pod or {})},
            },
        },
    }


def taken(observed: Observed) -> set[str]:
    """Names and label values that a new workload must not have."""
    return {*observed.all("Deployment"), *observed.all("Service"), *observed.all("ServiceAccount")}
