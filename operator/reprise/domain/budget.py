"""When an attempt begins and ends, decided from its numbers and a given now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUBMITTED = "Submitted"
    SCORED = "Scored"
    TURNS_EXHAUSTED = "TurnsExhausted"
    TIMED_OUT = "TimedOut"
    LOOP_STOPPED = "LoopStopped"
    AGENT_FAILED = "AgentFailed"
    INFRA_FAILED = "InfraFailed"

    @property
    def is_over(self) -> bool:
        return self not in (Phase.PENDING, Phase.RUNNING)


@dataclass(frozen=True)
class Budget:
    wall_clock_seconds: int
    requests: int


@dataclass(frozen=True)
class Spent:
    """What an attempt has used. `started_at` is the first authenticated request, None before it."""

    phase: Phase
    started_at: datetime | None
    requests: int


def deadline(budget: Budget, spent: Spent, start_by: datetime | None) -> datetime | None:
    """When the attempt ends by itself: its wall clock from the first request; before that, the time by
    which it must start. None when it may wait for ever."""
    if spent.started_at is not None:
        return spent.started_at + timedelta(seconds=budget.wall_clock_seconds)
    return start_by


def decide(
    budget: Budget, spent: Spent, start_by: datetime | None, verdict: Phase | None, now: datetime
) -> Phase:
    """The phase that the attempt is in now. A verdict is the operator's last word; what is over stays over.

    The request that goes beyond the budget ends the attempt, not the one that uses it up: an agent that
    has read all it may can still submit.
    """
    if verdict is not None:
        return verdict
    if spent.phase.is_over:
        return spent.phase
    end = deadline(budget, spent, start_by)
    if end is not None and now >= end:
        return Phase.TIMED_OUT
    if spent.requests > budget.requests:
        return Phase.TURNS_EXHAUSTED
    return Phase.PENDING if spent.started_at is None else Phase.RUNNING


def explain(phase: Phase, budget: Budget) -> str:
    """One sentence for the agent and for `status.message`, with the number that decided."""
    match phase:
        case Phase.PENDING:
            return "waits for the first request"
        case Phase.RUNNING:
            return "runs"
        case Phase.SUBMITTED:
            return "a submission was accepted"
        case Phase.TIMED_OUT:
            return f"the wall-clock budget of {budget.wall_clock_seconds} s is over"
        case Phase.TURNS_EXHAUSTED:
            return f"the budget of {budget.requests} requests is spent"
        case Phase.LOOP_STOPPED:
            return "the same call came again and again"
        case Phase.SCORED:
            return "the submission is scored"
        case Phase.AGENT_FAILED | Phase.INFRA_FAILED:
            return "the attempt was ended from outside"
