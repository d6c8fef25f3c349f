"""An application as mechanisms observe it: small, with everything that they look at."""

import json
from typing import Any

from reprise.faults.mechanism import (
    API_VERSIONS,
    CLUSTER_API_VERSIONS,
    MEASURED_API_VERSIONS,
    SYSTEM_API_VERSIONS,
    SYSTEM_NAMESPACE,
    Observed,
)

Json = dict[str, Any]
NAMESPACE = "otel-demo"
FLAGS = """{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "adFailure": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"},
    "paymentFailure": {
      "description": "says \\"defaultVariant\\": \\"off\\" in passing",
      "state": "ENABLED",
      "variants": {"100%": 1, "off": 0},
      "defaultVariant": "off"
    },
    "targeted": {
      "state": "ENABLED",
      "variants": {"on": true, "off": false},
      "defaultVariant": "off",
      "targeting": {"if": [true, "on"]}
    }
  }
}
"""


def deployment(name: str, replicas: int = 1, memory: str = "300Mi", **container: Any) -> Json:
    labels = {"app": name, "component": name}
    main = {
        "name": name,
        "image": f"registry.example/demo:2.2.0-{name}",
        "ports": [{"name": "service", "containerPort": 8080}],
        "env": [
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "VALKEY_ADDR", "value": "valkey-cart:6379"},
            {"name": "LEVEL", "value": "info"},
        ],
        "resources": {"limits": {"memory": memory}},
        **container,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"deployment-{name}"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [main]}},
        },
    }


def replica_set(of: Json, suffix: str = "abc") -> Json:
    name = of["metadata"]["name"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{suffix}",
            "namespace": NAMESPACE,
            "uid": f"replicaset-{name}-{suffix}",
            "ownerReferences": [
                {"kind": "Deployment", "name": name, "uid": of["metadata"]["uid"], "apiVersion": "apps/v1"}
            ],
        },
        "spec": {"replicas": of["spec"]["replicas"], "template": of["spec"]["template"]},
    }


def pod(of: Json, suffix: str = "1") -> Json:
    owner = of["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner}-{suffix}",
            "namespace": NAMESPACE,
            "uid": f"pod-{owner}-{suffix}",
            "labels": dict(of["spec"]["template"]["metadata"]["labels"]),
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": owner, "uid": of["metadata"]["uid"], "apiVersion": "apps/v1"}
            ],
        },
        "spec": of["spec"]["template"]["spec"],
        "status": {"phase": "Running"},
    }


def usage(of: Json, memory: str = "40Mi") -> Json:
    """What metrics-server says of a pod's containers."""
    meta = of["metadata"]
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {"name": meta["name"], "namespace": NAMESPACE, "labels": meta["labels"]},
        "containers": [
            {"name": one["name"], "usage": {"cpu": "12345678n", "memory": memory}}
            for one in of["spec"]["containers"]
        ],
    }


def service(name: str, port: int = 8080, port_name: str = "tcp-service") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"service-{name}"},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": port_name, "port": port, "targetPort": port, "protocol": "TCP"}],
        },
    }


def flags(text: str = FLAGS) -> Json:
    json.loads(text)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "flagd-config", "namespace": NAMESPACE, "uid": "configmap-flagd"},
        "data": {"demo.flagd.json": text},
    }


def manifests() -> list[Json]:
    """Four Deployments with a ReplicaSet and a pod each, their Services, the flags: 1200Mi of limits."""
    home: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "uid": "home"}}
    out: list[Json] = [home, flags(), service("valkey-cart", 6379, "valkey-cart")]
    for name in ("cart", "checkout", "frontend", "flagd"):
        one = deployment(name)
        own = replica_set(one)
        out += [one, own, pod(own), service(name)]
    return out


def observed(*extra: Json) -> Observed:
    """The shop, of whose limits 160Mi are used, with further objects (also of the cluster and kube-system) or
    others in place of its own."""
    scopes: dict[str, dict[str, dict[str, Json]]] = {
        NAMESPACE: {kind: {} for kind in (*API_VERSIONS, *MEASURED_API_VERSIONS)},
        "": {kind: {} for kind in CLUSTER_API_VERSIONS},
        SYSTEM_NAMESPACE: {kind: {} for kind in SYSTEM_API_VERSIONS},
    }
    used = [usage(manifest) for manifest in manifests() if manifest["kind"] == "Pod"]
    for manifest in [*manifests(), *used, *extra]:
        meta = manifest["metadata"]
        scopes[meta.get("namespace", "")][manifest["kind"]][meta["name"]] = manifest
    return Observed(NAMESPACE, scopes[NAMESPACE], scopes[""], scopes[SYSTEM_NAMESPACE])
