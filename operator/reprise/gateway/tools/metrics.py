"""alerts, query_metrics, query_metrics_range."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from reprise.gateway.tools.call import Call, ToolError, text_of
from reprise.gateway.tools.schema import PagedArguments, Since, Tool
from reprise.gateway.tools.tables import one_line

Json = Mapping[str, Any]
_QUERY = Field(
    min_length=1,
    max_length=10_000,
    description="PromQL.",
    examples=['sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="otel-demo"}[2m]))'],
)
# As many samples of one series as Prometheus gives for one question.
MAX_SAMPLES = 11_000


class AlertsArguments(PagedArguments):
    state: Literal["", "firing", "pending", "resolved"] = ""


class QueryArguments(PagedArguments):
    query: str = _QUERY
    time: str = Field("", max_length=64, description="When; RFC 3339 or how long ago ('5m'). Empty: now.")


class RangeArguments(PagedArguments):
    query: str = _QUERY
    start: Since = ""
    end: str = Field("", max_length=64, description="RFC 3339 or how long ago ('5m'). Empty: now.")
    step_seconds: int = Field(0, ge=0, le=86_400, description="0: chosen so that nothing is decimated.")
    max_points: int = Field(60, ge=2, le=500, description="Of each series; more are put together.")


async def alerts(call: Call, given: AlertsArguments) -> str:
    found = await call.reads.json("/alerts")
    kept = [alert for alert in found if given.state in ("", alert.get("state"))]
    lines = []
    for alert in kept:
        labels = {key: item for key, item in alert["labels"].items() if key != "alertname"}
        end = f" until {alert['resolvedAt']}" if alert.get("resolvedAt") else ""
        lines.append(
            f"{alert.get('state')} {alert['labels'].get('alertname', '')} since {alert.get('activeAt')}{end} "
            f"{_labels(labels)}"
        )
        notes = alert.get("annotations") or {}
        lines += [
            f"  {key}: {one_line(notes[key], 400)}" for key in ("summary", "description") if notes.get(key)
        ]
        if alert.get("expr"):
            lines.append(f"  expr: {one_line(alert['expr'], 400)}")
    return f"{len(kept)} alerts" + (f" {given.state}" if given.state else "") + "\n" + "\n".join(lines)


async def query_metrics(call: Call, given: QueryArguments) -> str:
    at = call.time(given.time, "time", call.now)
    query = {"query": given.query, "time": text_of(at)}
    data = (await call.reads.json("/prometheus/api/v1/query", query))["data"]
    if data["resultType"] in ("scalar", "string"):
        return f"{data['resultType']} at {text_of(at)}: {data['result'][1]}"
    if data["resultType"] == "matrix":
        found = data["result"]
        return f"{len(found)} series\n" + await asyncio.to_thread(_all_series, found, 500)
    rows = data["result"]
    lines = [f"{_labels(row['metric'])} {row['value'][1]}" for row in rows]
    return f"{len(rows)} samples at {text_of(at)}\n" + "\n".join(lines)


async def query_metrics_range(call: Call, given: RangeArguments) -> str:
    start, end = call.time(given.start, "start", call.start), call.time(given.end, "end", call.now)
    seconds = (end - start).total_seconds()
    if seconds <= 0:
        raise ToolError(400, f"start: expected a time before the end, found {text_of(start)}, {text_of(end)}")
    step = given.step_seconds or max(5, math.ceil(seconds / (given.max_points - 1)))
    if seconds / step > MAX_SAMPLES:
        raise ToolError(
            400,
            f"step_seconds: expected at least {math.ceil(seconds / MAX_SAMPLES)} for this range, "
            f"found {step}",
        )
    query = {"query": given.query, "start": text_of(start), "end": text_of(end), "step": str(step)}
    found = (await call.reads.json("/prometheus/api/v1/query_range", query))["data"]["result"]
    head = f"{len(found)} series from {text_of(start)} to {text_of(end)}, a sample every {step} s"
    most = max((len(row["values"]) for row in found), default=0)
    if most > given.max_points:
        head += (
            f"; decimated: up to {math.ceil(most / given.max_points)} samples are put together as "
            "'last (min..max)', nothing is averaged; raise max_points or shorten the range for all"
        )
    return head + "\n" + await asyncio.to_thread(_all_series, found, given.max_points)


def _all_series(found: Sequence[Json], given_points: int) -> str:
    """Written in a thread: hundreds of thousands of samples must not stop everybody else."""
    return "\n".join(_series(row["metric"], row["values"], given_points) for row in found)


def _series(metric: Json, values: Sequence[Sequence[Any]], given_points: int) -> str:
    lines = [_labels(metric)]
    for begin, size in decimate(len(values), given_points):
        part = values[begin : begin + size]
        time, last = part[-1]
        moment = datetime.fromtimestamp(float(time), UTC)
        numbers = [str(value) for _, value in part]
        low, high = min(numbers, key=_number), max(numbers, key=_number)
        spread = f" ({low}..{high})" if low != high else ""
        lines.append(f"  {text_of(moment)} {last}{spread}")
    return "\n".join(lines)


def decimate(count: int, points: int) -> list[tuple[int, int]]:
    """(begin, size) of at most `points` groups of neighbours that hold `count` samples."""
    size = max(1, math.ceil(count / points))
    return [(begin, min(size, count - begin)) for begin in range(0, count, size)]


def _number(text: str) -> float:
    """For comparing; NaN counts as the least, so that it is seen."""
    value = float(text)
    return -math.inf if math.isnan(value) else value


def _labels(labels: Json) -> str:
    name = labels.get("__name__", "")
    pairs = ", ".join(f'{key}="{item}"' for key, item in sorted(labels.items()) if key != "__name__")
    return f"{name}{{{pairs}}}"


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "alerts",
        "Alerts",
        'What fires, is pending, or has resolved within the window. Example: {"state": "firing"}',
        AlertsArguments,
        alerts,
    ),
    Tool(
        "query_metrics",
        "Query metrics at one time",
        "A PromQL expression at one moment; one sample a line. "
        'Example: {"query": "kube_pod_container_status_restarts_total > 0"}',
        QueryArguments,
        query_metrics,
    ),
    Tool(
        "query_metrics_range",
        "Query metrics over time",
        "A PromQL expression over a range. More samples than max_points are put together, and that is said. "
        'Example: {"query": "up == 0", "start": "15m", "max_points": 30}',
        RangeArguments,
        query_metrics_range,
    ),
)
