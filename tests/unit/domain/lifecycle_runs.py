"""Runs, attempts and what is seen of them, for the tables of the lifecycle."""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from reprise.domain import attempt, observed, run, run_status, symptoms
from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.observed import Observed
from reprise.domain.run_status import Phase, RunStatus

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
LONG_AGO = NOW - dt.timedelta(hours=5)
UID = "11111111-2222-3333-4444-555555555555"
OK = observed.Application(22)
LATE = observed.Application(22, ("Deployment cart: 0 of 1 replicas available",))
FLOWING = observed.Load(True)
RETRY = observed.Problem("Unreachable", "GET /secret-name: no answer", True)
BROKEN = observed.Problem("Unsupported", "expected two nodes, found one", False)


def a_run(phase: Phase, since: dt.datetime = NOW, spec: dict[str, Any] | None = None, **more: Any) -> run.Run:
    status = RunStatus(started_at=since).enter(phase, since)
    timeline = run_status.Timeline(baseline_at=since, injected_at=since)
    status = dataclasses.replace(status, timeline=timeline, **more.pop("status", {}))
    settings = {"namespace": "default", **more}
    return run.Run(
        ref=run.RunRef(settings.pop("namespace"), "first", UID),
        created_at=since,
        generation=1,
        deleting=settings.pop("deleting", False),
        guarded=settings.pop("guarded", True),
        spec=run.RunSpec(scenario="known", **(spec or {})),
        status=status,
    )


def seen(name: str, is_seen: bool, required: bool = True) -> symptoms.Reading:
    return symptoms.Reading(name, is_seen, "what was seen", NOW, required)


def an_attempt(index: int, **more: Any) -> attempt.Attempt:
    kind = more.pop("kind", run.AgentKind.TRIAGE)
    default = attempt.Job(attempt.JobState.ACTIVE, True)
    return attempt.Attempt(
        index=index,
        name=f"first-{index}",
        uid=f"uid-{index}",
        kind=kind,
        created_at=NOW,
        start_by=more.pop("start_by", NOW + dt.timedelta(seconds=60)),
        wall_clock_seconds=600,
        job=more.pop("job", default),
        **more,
    )


def decided(index: int, phase: AttemptPhase, score: float | None = None) -> attempt.Attempt:
    return an_attempt(index, verdict=attempt.Verdict(phase, "because", NOW, score=score))


@dataclass(frozen=True)
class Row:
    """A situation, the phase that follows, the actions asked for, and the reason in the status."""

    run: run.Run
    seen: Observed
    phase: Phase
    actions: tuple[type, ...] = ()
    reason: str = ""
    ending: str = ""


KNOWN = Observed(scenario_known=True, scenarios=("known",))
INJECTED = Observed(plan_saved=True, lock_holder=UID)
