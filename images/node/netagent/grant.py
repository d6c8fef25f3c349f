"""The rights that the agent needs beyond a kubelet's: to read nodes, pods, namespaces and policies of the
cluster.

A kubelet's identity may read its own node and pods only. The agent of a control-plane node, which has the
administrator's kubeconfig at hand, grants the rest to all nodes, so that nobody has to apply a manifest.
"""

from __future__ import annotations

import logging
from pathlib import Path

from netagent import api

_NAME = "node-network"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_VERSION = "rbac.authorization.k8s.io/v1"
_READ = ["get", "list", "watch"]

log = logging.getLogger("netagent")


def grant(admin_kubeconfig: Path) -> None:
    """Apply the ClusterRole and its binding, where the kubeconfig exists. Logs and returns on failure."""
    if not admin_kubeconfig.exists():
        return
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "pods", "namespaces"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": _READ},
    ]
    role = {"apiVersion": _VERSION, "kind": "ClusterRole", "metadata": {"name": _NAME}, "rules": rules}
    binding = {
        "apiVersion": _VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
    }
    client = api.Client(admin_kubeconfig)
    try:
        client.apply(f"{_RBAC}/clusterroles/{_NAME}", role, "netagent")
        client.apply(f"{_RBAC}/clusterrolebindings/{_NAME}", binding, "netagent")
    except api.ApiError as error:
        log.warning("cannot grant the nodes their rights yet: %s", error)
    else:
        log.info("granted all nodes to read nodes, pods, namespaces and network policies")
