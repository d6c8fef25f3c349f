"""The shop as its manifests deploy it, as mechanisms observe it; with two nodes that have its images."""

import base64
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reprise.faults.mechanism import (
    API_VERSIONS,
    CLUSTER_API_VERSIONS,
    SYSTEM_API_VERSIONS,
    SYSTEM_NAMESPACE,
    Observed,
)

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests/otel-demo"
NAMESPACE = "otel-demo"
_COREFILE = """.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
}
"""


def _manifests() -> Iterator[Json]:
    for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]:
        for manifest in yaml.safe_load_all((FOLDER / name).read_text()):
            if manifest and manifest["kind"] != "Namespace":
                yield manifest


def _config_maps() -> Iterator[Json]:
    for entry in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["configMapGenerator"]:
        files = [FOLDER / file for file in entry["files"]]
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": entry["name"]},
            "data": {file.name: file.read_text() for file in files},
        }


def running(deployment: Json) -> Iterator[Json]:
    """A Deployment's ReplicaSet, its pod, and what the pod's containers use."""
    name, spec = deployment["metadata"]["name"], deployment["spec"]
    owner = {"kind": "Deployment", "name": name, "uid": name, "apiVersion": "apps/v1"}
    yield {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": f"{name}-5d", "uid": f"{name}-5d", "ownerReferences": [owner]},
        "spec": copy.deepcopy(spec),
    }
    meta = {"name": f"{name}-5d-x", "labels": dict(spec["template"]["metadata"]["labels"])}
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {**copy.deepcopy(spec["template"]["spec"]), "nodeName": "worker"},
        "status": {"phase": "Running"},
    }
    yield {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": dict(meta),
        "containers": [
            {"name": container["name"], "usage": {"memory": "8Mi"}}
            for container in spec["template"]["spec"]["containers"]
        ],
    }


def _node(name: str, images: set[str], *taints: Json) -> Json:
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    foreign = {image.replace(":", "-arm64:") for image in images}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints)},
        "status": {"images": [{"names": [name]} for name in sorted(images | foreign)]},
    }


def observed() -> Observed:
    """Everything that a mechanism looks at."""
    app: dict[str, dict[str, Json]] = {kind: {} for kind in API_VERSIONS}
    images: set[str] = set()
    for manifest in [*_manifests(), *_config_maps()]:
        made = [manifest]
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                container["image"] = f"{container['image'].partition(':')[0]}:2.2.0"
                images.add(container["image"])
            made += running(manifest)
        if manifest["kind"] == "Secret":
            texts = manifest.pop("stringData", {})
            encoded = {k: base64.b64encode(v.encode()).decode() for k, v in texts.items()}
            manifest["data"] = {**manifest.get("data", {}), **encoded}
        for one in made:
            one["metadata"]["namespace"] = NAMESPACE
            app.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    cluster: dict[str, dict[str, Json]] = {kind: {} for kind in CLUSTER_API_VERSIONS}
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    cluster["Node"] = {
        "control-plane": _node("control-plane", set(), taint),
        "worker": _node("worker", images),
    }
    system: dict[str, dict[str, Json]] = {kind: {} for kind in SYSTEM_API_VERSIONS}
    meta = {"name": "coredns", "namespace": SYSTEM_NAMESPACE}
    system["ConfigMap"]["coredns"] = {"kind": "ConfigMap", "metadata": meta, "data": {"Corefile": _COREFILE}}
    system["Deployment"]["coredns"] = {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 1}}
    return Observed(NAMESPACE, app, cluster, system)
