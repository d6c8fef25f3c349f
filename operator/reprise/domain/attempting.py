"""Which attempts to make, judge and score next. Pure bookkeeping over what the attempts say of themselves."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from reprise.domain import attempt, observed, run, run_status
from reprise.domain.attempt import Attempt, JobState
from reprise.domain.budget import Phase as AttemptPhase

# How many attempts may fail for reasons of our own before the run stops trying.
INFRA_FAILURES_TOLERATED = 2


@dataclass(frozen=True)
class Work:
    """`actions` to perform now. `over`: all that will be made are decided. `give_up`: none counts."""

    actions: tuple[observed.Action, ...]
    over: bool
    give_up: bool
    scores: tuple[float, ...]
    unscored: int
    message: str


def next_work(spec: run.RunSpec, attempts: Sequence[Attempt], now: dt.datetime) -> Work:
    """What to do about the attempts of a run.

    One that is over is judged when its program has ended, too, or soon after: then its record is whole.

    An attempt that failed for reasons of ours is made again under a new index, at most
    `INFRA_FAILURES_TOLERATED` times a run; one that nobody external came for is not.
    """
    if spec.agent.kind is run.AgentKind.NONE:
        return Work((), True, False, (), 0, "no agent was asked for")
    decided = [item for item in attempts if item.verdict is not None]
    open_ = [item for item in attempts if item.verdict is None]
    infra = sum(1 for item in decided if _phase(item) is AttemptPhase.INFRA_FAILED)
    counted = len(decided) - infra
    scores = tuple(item.verdict.score for item in decided if item.verdict and item.verdict.score is not None)
    actions: list[observed.Action] = []
    for item in open_:
        if item.may_still_speak(now):
            continue
        verdict = attempt.judge(item, now)
        if item.phase is AttemptPhase.SUBMITTED:
            actions.append(observed.ScoreAttempt(item.name))
        elif verdict is not None:
            actions.append(observed.SetVerdict(item.name, verdict))
        elif item.job.state is JobState.MISSING:
            actions.append(observed.EnsureAttempt(item.index))
    external = spec.agent.kind is run.AgentKind.EXTERNAL
    retry = infra <= INFRA_FAILURES_TOLERATED and not (external and infra)
    if retry:
        wanted = spec.repeats - counted - len(open_)
        room = spec.agent.parallelism - len(open_)
        first = max((item.index for item in attempts), default=0) + 1
        actions += [observed.EnsureAttempt(first + step) for step in range(max(0, min(wanted, room)))]
    over = not actions and not open_
    message = f"{counted} of {spec.repeats} attempts over"
    if infra:
        message += f", {infra} failed on our side and do not count"
    return Work(tuple(actions), over, over and counted == 0, scores, infra, message)


def stop_all(attempts: Sequence[Attempt], now: dt.datetime) -> tuple[observed.Action, ...]:
    """Verdicts for attempts that the run's end cut off."""
    verdict = attempt.Verdict(AttemptPhase.INFRA_FAILED, "RunEnded", now)
    return tuple(observed.SetVerdict(item.name, verdict) for item in attempts if item.verdict is None)


def summaries(attempts: Sequence[Attempt]) -> tuple[run_status.AttemptSummary, ...]:
    """The attempts as the run's status shows them, by index."""
    return tuple(_summary(item) for item in sorted(attempts, key=lambda item: item.index))


def _phase(item: Attempt) -> AttemptPhase:
    return item.verdict.phase if item.verdict else item.phase


def _summary(item: Attempt) -> run_status.AttemptSummary:
    verdict = item.verdict
    return run_status.AttemptSummary(
        index=item.index,
        name=item.name,
        uid=item.uid,
        phase=str(_phase(item)),
        reason=verdict.reason if verdict else item.message,
        score=verdict.score if verdict else None,
        precision=verdict.precision if verdict else None,
        recall=verdict.recall if verdict else None,
        f1=verdict.f1 if verdict else None,
        # A count that moves with every request would write the status on every tick.
        requests=item.requests if verdict else 0,
        turns=item.usage.turns or None if verdict else None,
        tokens=item.usage.tokens or None if verdict else None,
        cost_usd=item.usage.cost_usd or None if verdict else None,
        wall_clock_seconds=item.seconds,
    )
