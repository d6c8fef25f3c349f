"""When an attempt begins and ends, decided from its numbers and a given now."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUBMITTED = "Submitted"
    SCORED = "Scored"
    TURNS_EXHAUSTED = "TurnsExhausted"
    TIMED_OUT = "TimedOut"
    LOOP_STOPPED = "LoopStopped"
    CONTEXT_EXHAUSTED = "ContextExhausted"
    AGENT_FAILED = "AgentFailed"
    INFRA_FAILED = "InfraFailed"

    @property
    def is_over(self) -> bool:
        return self not in (Phase.PENDING, Phase.RUNNING)


@dataclass(frozen=True)
class Loop:
    """The circuit breaker: after how many equal calls in a row the agent is warned, and after how many its
    attempt ends. 0: never."""

    warn_after: int = 3
    stop_after: int = 0


@dataclass(frozen=True)
class Budget:
    """What an attempt may use. None: as much as it likes. `tokens` are those in and out together."""

    wall_clock_seconds: int
    requests: int
    turns: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    loop: Loop = field(default_factory=Loop)


@dataclass(frozen=True)
class Usage:
    """What a harness says that it has used so far. `tokens_cached` are part of `tokens_in`."""

    turns: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def grown(self, said: "Usage") -> "Usage":
        """With what was said last. Totals only grow: one that comes late takes nothing back."""
        return Usage(**{name: max(value, getattr(said, name)) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Spent:
    """What an attempt has used. `started_at` is the first authenticated request, None before it; `repeats`
    counts how many times in a row the same call has come."""

    phase: Phase
    started_at: datetime | None
    requests: int
    usage: Usage = field(default_factory=Usage)
    repeats: int = 0


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
    if exceeded(budget, spent):
        return Phase.TURNS_EXHAUSTED
    if 0 < budget.loop.stop_after <= spent.repeats:
        return Phase.LOOP_STOPPED
    return Phase.PENDING if spent.started_at is None else Phase.RUNNING


def left(budget: Budget, spent: Spent, now: datetime) -> dict[str, float | int]:
    """What is left of the budgets that there are, by the names of `spec.budgets`; never below 0."""
    used = (now - spent.started_at).total_seconds() if spent.started_at else 0.0
    found: dict[str, float | int] = {
        "requests": max(0, budget.requests - spent.requests),
        "wallClockSeconds": max(0.0, round(budget.wall_clock_seconds - used, 1)),
    }
    if budget.turns is not None:
        found["turns"] = max(0, budget.turns - spent.usage.turns)
    if budget.tokens is not None:
        found["tokens"] = max(0, budget.tokens - spent.usage.tokens)
    if budget.cost_usd is not None:
        found["costUSD"] = max(0.0, round(budget.cost_usd - spent.usage.cost_usd, 6))
    return found


def exceeded(budget: Budget, spent: Spent) -> str:
    """The first budget that is spent, in words with its number; "" when none is."""
    usage = spent.usage
    if spent.requests > budget.requests:
        return f"the budget of {budget.requests} requests is spent"
    if budget.turns is not None and usage.turns > budget.turns:
        return f"the budget of {budget.turns} turns is spent"
    if budget.tokens is not None and usage.tokens > budget.tokens:
        return f"the budget of {budget.tokens} tokens is spent: {usage.tokens} were reported"
    if budget.cost_usd is not None and usage.cost_usd > budget.cost_usd:
        return f"the budget of {budget.cost_usd:g} USD is spent: {usage.cost_usd:g} were reported"
    return ""


def explain(phase: Phase, budget: Budget, spent: Spent) -> str:
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
            return exceeded(budget, spent) or "a budget is spent"
        case Phase.LOOP_STOPPED:
            return f"the same call came {budget.loop.stop_after} times in a row"
        case Phase.CONTEXT_EXHAUSTED:
            return "the agent's context is full, as its harness reports"
        case Phase.SCORED:
            return "the submission is scored"
        case Phase.AGENT_FAILED | Phase.INFRA_FAILED:
            return "the attempt was ended from outside"
        case _:
            assert_never(phase)
