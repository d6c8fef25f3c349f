"""False alerts: what fires, or waits to fire, while nothing is wrong with the application.

`BENCH_QUIET_MINUTES` (60) is how long is waited. Every copy of the application that stands counts, so three
copies give three hours of the application's life in one of ours. A run in progress is refused.
"""

import json
import os
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from bench.kubectl import kubectl
from bench.table import Figure, render
from reprise.domain.run_status import Phase

MINUTES = float(os.environ.get("BENCH_QUIET_MINUTES", "60"))
STEP_SECONDS = 5
APPLICATION = "otel-demo(-[0-9]+)?"
_PROMETHEUS = "/api/v1/namespaces/observability/services/prometheus:9090/proxy/api/v1"


def ask(path: str, **parameters: str | float) -> list[dict[str, Any]]:
    """The result of one Prometheus query."""
    answer = json.loads(kubectl("get", "--raw", f"{_PROMETHEUS}/{path}?{urlencode(parameters)}"))
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def episodes(series: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each (state, alert) came up: samples further apart than a step are two times."""
    found: Counter[tuple[str, str]] = Counter()
    for one in series:
        last = float("-inf")
        for at, _ in one["values"]:
            if at - last > 1.5 * STEP_SECONDS:
                found[one["metric"]["alertstate"], one["metric"]["alertname"]] += 1
            last = at
    return found


def runs_in_progress() -> list[str]:
    runs = json.loads(kubectl("get", "benchmarkruns", "-A", "-o", "json"))["items"]
    return [
        run["metadata"]["name"]
        for run in runs
        if not Phase(run.get("status", {}).get("phase", Phase.PENDING)).terminal
    ]


def main() -> str:
    if busy := runs_in_progress():
        sys.exit(f"expected no run in progress, found {', '.join(busy)}: wait for them, or delete them")
    began = time.time()
    while (left := began + 60 * MINUTES - time.time()) > 0:
        print(f"  quiet for another {left / 60:.0f} min", file=sys.stderr, flush=True)
        time.sleep(min(60.0, left))
    ended = time.time()
    window = f"{ended - began:.0f}s"
    mine = f'namespace=~"{APPLICATION}"'
    alerts = ask("query_range", query=f"ALERTS{{{mine}}}", start=began, end=ended, step=STEP_SECONDS)
    counted = ask(
        "query", query=f"count(count by (namespace) (kube_deployment_spec_replicas{{{mine}}}))", time=ended
    )
    copies = float(counted[0]["value"][1]) if counted else 0.0
    visits = ask(
        "query",
        query=f'sum(increase(traces_span_metrics_calls_total{{{mine},service_name="frontend",'
        f'span_kind="SPAN_KIND_SERVER"}}[{window}]))',
        time=ended,
    )
    found = episodes(alerts)
    figures = [
        Figure("copies of the application", "1", [copies]),
        Figure("hours watched, over all copies", "h", [(ended - began) / 3600 * copies]),
        Figure("requests that the frontend served", "1", [float(visits[0]["value"][1]) if visits else 0.0]),
        Figure("alerts that fired", "1", [float(_sum(found, "firing"))], "0"),
        Figure("alerts that were pending only", "1", [float(_sum(found, "pending") - _sum(found, "firing"))]),
        *(Figure(f"{state}: {name}", "1", [float(times)]) for (state, name), times in sorted(found.items())),
    ]
    return render(f"False alerts in {MINUTES:g} quiet minutes", figures)


def _sum(found: Counter[tuple[str, str]], state: str) -> int:
    return sum(times for (its, _), times in found.items() if its == state)
