"""Faults in objects beside the pod template: policies, limits, nodes, names, configuration, the mesh."""

import base64
from collections.abc import Mapping

from tests.unit.faults import shop

from reprise.domain.scenario import Fault
from reprise.faults.mechanism import Json

COREFILE = """.:53 {
    errors
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
    cache 30
}
"""
SQL = "CREATE ROLE shop LOGIN PASSWORD 'secret';\nCREATE TABLE catalog.products (id text);\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def node(name: str, **spec: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"node-{name}", "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
    }


def config_map(name: str, data: Mapping[str, str], namespace: str = shop.NAMESPACE) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "uid": f"configmap-{name}"},
        "data": dict(data),
    }


def secret(name: str, kind: str = "Opaque", **data: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": shop.NAMESPACE, "uid": f"secret-{name}"},
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def database() -> Json:
    """A database that reads a ConfigMap by a volume and a Secret by its environment, on the worker."""
    made = shop.deployment("database", env=[{"name": "PASSWORD", "valueFrom": {"secretKeyRef": SECRET_KEY}}])
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "init", "configMap": {"name": "database-init"}}]
    return made


SECRET_KEY = {"name": "database-credentials", "key": "password"}
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def running_cart() -> Json:
    pod = shop.pod(shop.deployment("cart"))
    return {**pod, "spec": {**pod["spec"], "nodeName": "worker"}}


EXTRA: tuple[Json, ...] = (
    node("control-plane", taints=[CONTROL_PLANE_TAINT]),
    node("worker"),
    running_cart(),
    database(),
    config_map("database-init", {"init.sql": SQL}),
    secret("database-credentials", password="otelp"),
    config_map("coredns", {"Corefile": COREFILE}, "kube-system"),
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system", "uid": "deployment-coredns"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}},
    },
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": shop.NAMESPACE,
            "uid": "namespace-otel-demo",
            "labels": {"kubernetes.io/metadata.name": shop.NAMESPACE, "istio.io/dataplane-mode": "ambient"},
        },
    },
)

FAULTS: Mapping[str, Fault] = {
    fault.mechanism: fault
    for fault in (
        Fault("network-policy-egress-block", "Deployment", "checkout"),
        Fault("service-deleted", "Service", "cart"),
        Fault("limit-range-rejecting", "Deployment", "cart"),
        Fault("pod-disruption-budget-blocking", "Deployment", "cart"),
        Fault("horizontal-pod-autoscaler-misconfigured", "Deployment", "cart"),
        Fault("pod-preempted", "Deployment", "cart"),
        Fault("node-cordoned", "Deployment", "cart"),
        Fault("node-tainted", "Deployment", "cart"),
        Fault("coredns-misconfigured", "Service", "valkey-cart"),
        Fault("admission-policy-rejecting", "Deployment", "cart"),
        Fault("api-server-request-surge", "Deployment", "cart"),
        Fault("config-map-key-removed", "ConfigMap", "database-init"),
        Fault("config-map-key-wrong", "ConfigMap", "database-init", {"find": "products", "replace": "items"}),
        Fault("secret-corrupted", "Secret", "database-credentials"),
        Fault("tls-secret-expired", "Secret", "storefront-tls", {"certificate": CERTIFICATE}),
        Fault("istio-ambient-disabled", "Deployment", "cart"),
        Fault("istio-mtls-strict", "Deployment", "cart"),
        Fault("istio-authorization-denied", "Deployment", "cart"),
    )
}
# Their cause is one of several objects that they make, or none that they change.
INDIRECT = frozenset(
    {
        "admission-policy-rejecting",
        "api-server-request-surge",
        "pod-disruption-budget-blocking",
        "pod-preempted",
    }
)
UNSUPPORTED: Mapping[str, str] = {
    "tls-secret-expired": "expected a Secret of type kubernetes.io/tls in the application, found none",
}
