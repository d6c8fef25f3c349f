"""The NetworkPolicy scenario from apply to Completed, phase by phase, on a warm cluster."""

import itertools
import json
import os
from collections import defaultdict
from datetime import datetime

from bench.kubectl import kubectl
from bench.table import Figure, render

REPEATS = int(os.environ.get("BENCH_RUNS", "3"))
SCENARIO = os.environ.get("BENCH_SCENARIO", "frontend-unreachable")


def one_run(name: str) -> dict[str, float]:
    """Seconds by phase, and in all, of one run."""
    kubectl("delete", "brun", name, "--ignore-not-found", "--timeout=300s")
    manifest = {
        "apiVersion": "reprise.dev/v1alpha1",
        "kind": "BenchmarkRun",
        "metadata": {"name": name},
        "spec": {"scenario": SCENARIO, "repeats": 1, "agent": {"kind": "triage"}},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    kubectl("wait", f"brun/{name}", "--for=condition=Completed", "--timeout=900s")
    run = json.loads(kubectl("get", "brun", name, "-o", "json"))
    moments = [(row["phase"], datetime.fromisoformat(row["startedAt"])) for row in run["status"]["phases"]]
    seconds: dict[str, float] = defaultdict(float)
    for (phase, start), (_, end) in itertools.pairwise(moments):
        seconds[phase] += (end - start).total_seconds()
    seconds["apply to Completed"] = (
        moments[-1][1] - datetime.fromisoformat(run["metadata"]["creationTimestamp"])
    ).total_seconds()
    return dict(seconds)


def main() -> str:
    rows = [one_run(f"bench-{index}") for index in range(REPEATS)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return render(
        f"One run of {SCENARIO}, warm cluster, one attempt of triage",
        [
            Figure(name, "s", [row.get(name, 0.0) for row in rows], "180" if name.startswith("apply") else "")
            for name in names
        ],
    )
