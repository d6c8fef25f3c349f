"""Metrics of the operator itself, on a port of its own in its own namespace."""

import datetime as dt
from collections.abc import Callable

import prometheus_client as prom

from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.run import Run
from reprise.domain.run_status import Phase
from reprise.handlers.runtime import utc_now

_BUCKETS = (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600)


class Metrics:
    """A `runtime.Listener`. `registry` is its own, so that tests and restarts do not share numbers."""

    def __init__(self, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self.registry = prom.CollectorRegistry()
        self._clock = clock
        self.entered = prom.Counter(
            "reprise_run_phase_entered", "Runs that entered a phase.", ["phase"], registry=self.registry
        )
        self.runs = prom.Gauge(
            "reprise_runs", "Runs by phase, as last listed.", ["phase"], registry=self.registry
        )
        self.durations = prom.Histogram(
            "reprise_phase_duration_seconds",
            "How long a phase took.",
            ["phase"],
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.injections = prom.Counter(
            "reprise_injections", "Injections by outcome.", ["outcome"], registry=self.registry
        )
        self.recoveries = prom.Counter(
            "reprise_recoveries", "Recoveries by outcome.", ["outcome"], registry=self.registry
        )
        self.attempts = prom.Counter(
            "reprise_attempts", "Attempts by outcome.", ["outcome"], registry=self.registry
        )
        # A series that is not there cannot be told from one that was never counted.
        for phase in Phase:
            self.entered.labels(phase)
            self.runs.labels(phase)
        for outcome in ("applied", "failed"):
            self.injections.labels(outcome)
        for outcome in ("recovered", "failed"):
            self.recoveries.labels(outcome)
        for attempt_phase in AttemptPhase:
            if attempt_phase.is_over:
                self.attempts.labels(attempt_phase)

    async def phase_changed(self, before: Run, after: Run) -> None:
        left, entered = before.status.phase, after.status.phase
        self.entered.labels(entered).inc()
        began, ended = before.status.phase_started_at, after.status.phase_started_at
        if began is None or ended is None:
            return
        self.durations.labels(left).observe((ended - began).total_seconds())
        if left is Phase.INJECTING:
            outcome = "applied" if entered is Phase.MANIFESTING else "failed"
            self.injections.labels(outcome).inc()
        if left is Phase.ATTEMPTING:
            for item in after.status.attempts:
                self.attempts.labels(item.phase).inc()
        if left is Phase.RECOVERING and entered.terminal:
            self.recoveries.labels("failed" if entered is Phase.FAILED else "recovered").inc()

    def set_runs(self, counts: dict[Phase, int]) -> None:
        """The gauge of runs by phase, from a listing."""
        for phase in Phase:
            self.runs.labels(phase).set(counts.get(phase, 0))
