"""Resident memory of every part, from the kubelets' own summaries, beside the whole node containers'."""

import json
from collections import defaultdict
from typing import Any

from bench.kubectl import kubectl
from bench.table import Figure, render

SAMPLES = 5
MIB = 1024 * 1024
LIMITS = {"otel-demo": "2560", "nodes": "6144"}


def sample(nodes: list[str]) -> dict[str, float]:
    """MiB by part: each container of ours, each namespace, and all nodes together."""
    found: dict[str, float] = defaultdict(float)
    for node in nodes:
        summary: dict[str, Any] = json.loads(
            kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary")
        )
        found["nodes"] += summary["node"]["memory"]["workingSetBytes"] / MIB
        for pod in summary["pods"]:
            namespace = pod["podRef"]["namespace"]
            for container in pod.get("containers", ()):
                resident = container.get("memory", {}).get("rssBytes", 0) / MIB
                found[namespace] += resident
                if namespace in ("reprise-system", "observability"):
                    found[f"{namespace}/{container['name']}"] += resident
    return dict(found)


def main() -> str:
    nodes = kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    samples = [sample(nodes) for _ in range(SAMPLES)]
    names = sorted(set().union(*samples), key=lambda name: (name == "nodes", name))
    figures = [
        Figure(name, "MiB", [row.get(name, 0.0) for row in samples], LIMITS.get(name, "")) for name in names
    ]
    return render("Resident memory (containers: RSS; nodes: working set)", figures)
