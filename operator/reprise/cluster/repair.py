"""Brings a cluster back that stands but does not run, and finds out what its nodes are."""

import json
import time

from reprise.cluster import kind, nodes
from reprise.cluster.install import Kubectl
from reprise.cluster.tools import Tools
from reprise.domain import errors


def revive(containers: nodes.Nodes, kubectl: Kubectl, timeout_seconds: float) -> bool:
    """Start what is stopped and wait for the API server and the nodes.

    False when they do not come back in time.
    """
    stopped = [node.name for node in containers.all() if not node.running]
    if stopped:
        try:
            containers.start(stopped)
        except errors.ToolFailed:
            return False
    deadline = time.monotonic() + timeout_seconds
    while not kubectl.ready():
        if time.monotonic() >= deadline:
            return False
        # an API server that does not listen yet has nothing to watch
        time.sleep(0.5)
    left = max(5, int(deadline - time.monotonic()))
    if stopped:
        # NB: for 40 s the API server still shows the nodes as Ready that they were before they stopped
        _wait_for_fresh_leases(kubectl, stopped, deadline)
    return kubectl.succeeds(
        "wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={left}s", timeout=left + 10
    )


def _wait_for_fresh_leases(kubectl: Kubectl, names: list[str], deadline: float) -> None:
    """Until each kubelet renewed its lease after now, at most until the deadline."""
    begin = _leases(kubectl)
    while time.monotonic() < deadline:
        now = _leases(kubectl)
        if all(now.get(name) and now.get(name) != begin.get(name) for name in names):
            return
        time.sleep(1)


def _leases(kubectl: Kubectl) -> dict[str, str]:
    text = kubectl.run("get", "leases", "-n", "kube-node-lease", "-o", "json", check=False)
    items = json.loads(text)["items"] if text else []
    return {item["metadata"]["name"]: item["spec"].get("renewTime", "") for item in items}


def schedulable(kubectl: Kubectl) -> list[str]:
    """Names of the nodes that take ordinary pods; a cordoned node counts, for it will again."""
    items = json.loads(kubectl.run("get", "nodes", "-o", "json"))["items"]
    return [item["metadata"]["name"] for item in items if takes_pods(item)]


def takes_pods(node: dict[str, object]) -> bool:
    """False for a node with a taint that keeps ordinary pods away, other than that of cordoning. Pure."""
    spec = node.get("spec")
    taints = spec.get("taints", []) if isinstance(spec, dict) else []
    return not any(
        taint.get("effect") in ("NoSchedule", "NoExecute")
        and not str(taint.get("key", "")).startswith("node.kubernetes.io/")
        for taint in taints
    )


def cluster_of(tools: Tools, node_names: list[str]) -> nodes.Nodes | None:
    """The kind cluster on this machine whose nodes these are; None when there is none."""
    for engine in ("podman", "docker"):
        for name in node_names:
            try:
                found = tools.run(
                    [
                        engine,
                        "inspect",
                        "--format",
                        '{{index .Config.Labels "' + kind.LABEL_CLUSTER + '"}}',
                        name,
                    ],
                    log=engine,
                    check=False,
                )
            except errors.NotFound:
                break
            if found.code == 0 and found.stdout.strip():
                return nodes.Nodes(tools, engine, found.stdout.strip())
    return None
