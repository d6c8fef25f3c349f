"""Services by their spans, and alerts. Memory grows with services and pairs of them, not with spans.

A service's figures are those of what it was asked for (spans of kind server and consumer; all its spans where
it has none). A difference is told when a service comes or goes, when its error rate moves by one percentage
point, its p95 by half and by 5 ms, or its rate of requests by a factor of two (10 requests at least). Less is
chance.
"""

import datetime as dt
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reprise.snapshot import jaeger_spans, reader

ERROR_RATE, P95_FACTOR, P95_MS, RATE_FACTOR, FEWEST = 0.01, 1.5, 5.0, 2.0, 10
# Durations are counted in buckets whose bounds grow by 2 %: quantiles are right to 1 %.
_GROWTH = math.log(1.02)
Pair = tuple[str, str]


@dataclass(frozen=True)
class Figures:
    """A service in a window: requests, how many failed (share, 0 to 1), latency."""

    requests: int
    per_second: float
    error_rate: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class ServiceChange:
    """None where the service had no spans in that window."""

    service: str
    before: Figures | None
    after: Figures | None


@dataclass
class _Counted:
    requests: int = 0
    failed: int = 0
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, span: jaeger_spans.Span) -> None:
        self.requests += 1
        self.failed += span.failed
        self.buckets[math.ceil(math.log(max(span.duration_us, 1)) / _GROWTH)] += 1

    def quantile_ms(self, share: float) -> float:
        """Nearest rank, to 1 %."""
        wanted = max(1, math.ceil(share * self.requests))
        ordered = sorted(self.buckets.items())
        ranks = itertools.accumulate(count for _, count in ordered)
        bucket = next(bucket for (bucket, _), rank in zip(ordered, ranks, strict=True) if rank >= wanted)
        return round(math.exp((bucket - 0.5) * _GROWTH) / 1000, 3)

    def figures(self, seconds: float) -> Figures:
        return Figures(
            self.requests,
            round(self.requests / seconds, 3) if seconds > 0 else 0.0,
            round(self.failed / self.requests, 4),
            self.quantile_ms(0.5),
            self.quantile_ms(0.95),
        )


class Window:
    """The spans that began in [start, end): figures by service, and who called whom."""

    def __init__(self, start: dt.datetime, end: dt.datetime) -> None:
        self._start_us, self._end_us = start.timestamp() * 1e6, end.timestamp() * 1e6
        self._entry: dict[str, _Counted] = {}
        self._all: dict[str, _Counted] = {}
        self.calls: Counter[Pair] = Counter()

    def add(self, span: jaeger_spans.Span, caller: str | None) -> None:
        if not self._start_us <= span.start_us < self._end_us:
            return
        self._all.setdefault(span.service, _Counted()).add(span)
        if span.is_entry:
            self._entry.setdefault(span.service, _Counted()).add(span)
        if caller is not None and caller != span.service:
            self.calls[caller, span.service] += 1

    def figures(self) -> dict[str, Figures]:
        seconds = (self._end_us - self._start_us) / 1e6
        return {
            name: self._entry.get(name, counted).figures(seconds)
            for name, counted in sorted(self._all.items())
        }


def fill(snapshot: reader.Snapshot, windows: Iterable[Window]) -> None:
    """Put every span of the snapshot into the windows that it began in: one pass, one trace held."""
    found = list(windows)
    for trace in snapshot.traces():
        spans = list(jaeger_spans.spans(trace))
        service = {span.span_id: span.service for span in spans}
        for span in spans:
            for window in found:
                window.add(span, service.get(span.parent_id))


def service_changes(before: Mapping[str, Figures], after: Mapping[str, Figures]) -> tuple[ServiceChange, ...]:
    """The services that differ by this module's rule, the worst error rate first."""
    found = [
        ServiceChange(name, before.get(name), after.get(name))
        for name in {*before, *after}
        if _differs(before.get(name), after.get(name))
    ]
    return tuple(sorted(found, key=lambda c: (-(c.after.error_rate if c.after else 0.0), c.service)))


def _differs(old: Figures | None, new: Figures | None) -> bool:
    if old is None or new is None:
        return old is not new
    if abs(old.error_rate - new.error_rate) >= ERROR_RATE:
        return True
    low, high = sorted((old.p95_ms, new.p95_ms))
    if high >= low * P95_FACTOR and high - low >= P95_MS:
        return True
    slow, fast = sorted((old.per_second, new.per_second))
    return fast >= slow * RATE_FACTOR and max(old.requests, new.requests) >= FEWEST


# -- alerts -----------------------------------------------------------------------------------------


def alerts_recorded(snapshot: reader.Snapshot) -> dict[str, str]:
    """State by the alert's name and labels, at the end."""
    return _alerts(snapshot.alerts(), lambda item: True)


def alerts_at(snapshot: reader.Snapshot, moment: dt.datetime) -> dict[str, str]:
    """The same at a moment, from the history."""

    def covers(item: Mapping[str, Any]) -> bool:
        began = reader.parse_time(item["startedAt"])
        ended = reader.parse_time(item["endedAt"]) if item.get("endedAt") else None
        return began <= moment and (ended is None or moment < ended)

    return _alerts(snapshot.alert_history(), covers, past=True)


def _alerts(
    items: Iterable[Mapping[str, Any]], wanted: Callable[[Mapping[str, Any]], bool], past: bool = False
) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        if wanted(item):
            labels = dict(item["labels"])
            name = labels.pop("alertname", "?")
            text = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
            # A stretch that has ended since was firing then.
            state = "firing" if past and item["state"] == "resolved" else str(item["state"])
            found[f"{name}{{{text}}}"] = state
    return found
