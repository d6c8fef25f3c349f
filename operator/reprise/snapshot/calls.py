"""Who called whom: counts, failures and latencies from traces. Grows with pairs of services, not spans."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reprise.domain import spans

# Buckets grow by this factor, so a quantile is within one per cent of the true one, whatever the order in
# which values come (the histogram of DDSketch, Masson et al. 2019, without its collapsing).
_GROWTH = 1.02
_LOG_GROWTH = math.log(_GROWTH)


class Pair(NamedTuple):
    """Two services, by their OpenTelemetry names."""

    caller: str
    callee: str


@dataclass
class Latency:
    """How long something took, as counts of logarithmic buckets."""

    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, microseconds: float) -> None:
        self.buckets[math.ceil(math.log(max(microseconds, 1.0)) / _LOG_GROWTH)] += 1

    def quantile_ms(self, share: float) -> float:
        """The value below which `share` of all lie, in ms, by the nearest-rank rule; 0 for none at all."""
        rank = max(1, math.ceil(share * self.buckets.total()))
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                # The value in a bucket from which both of its ends are equally far, in proportion.
                return round(2 * _GROWTH**bucket / (_GROWTH + 1) / 1000, 3)
        return 0.0


@dataclass
class Calls:
    """Spans of one service whose parent is a span of another; the latency is that of the called side."""

    total: Counter[Pair] = field(default_factory=Counter)
    failed: Counter[Pair] = field(default_factory=Counter)
    latency: dict[Pair, Latency] = field(default_factory=dict)

    def add(self, trace: Mapping[str, Any]) -> None:
        """Count a trace (Jaeger's UI JSON)."""
        services = {key: process["serviceName"] for key, process in trace["processes"].items()}
        service = {span["spanID"]: services.get(span["processID"], "") for span in trace["spans"]}
        for span in trace["spans"]:
            pair = Pair(service.get(spans.parent_of(span), ""), service[span["spanID"]])
            if pair.caller and pair.callee and pair.caller != pair.callee:
                self.total[pair] += 1
                tags = {tag["key"]: tag["value"] for tag in span.get("tags") or ()}
                self.failed[pair] += spans.status_of(tags) == "ERROR"
                self.latency.setdefault(pair, Latency()).add(span["duration"])

    def edge(self, pair: tuple[str, str]) -> dict[str, Any]:
        """What is known of a pair's calls: counts, the share that failed, and quantiles in ms."""
        pair = Pair(*pair)
        count, failed, latency = self.total[pair], self.failed[pair], self.latency[pair]
        return {
            "count": count,
            "failed": failed,
            "error_rate": round(failed / count, 6),
            "p50_ms": latency.quantile_ms(0.5),
            "p95_ms": latency.quantile_ms(0.95),
        }
