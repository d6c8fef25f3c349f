"""Whose failure it was: the agent's scores 0 and stands, ours has no score and is made again. Every
combination of what the gateway says of an attempt and what became of its Job."""

import datetime as dt
import itertools

import pytest

from reprise.domain import attempt, attempting, errors, observed, run
from reprise.domain.attempt import Attempt, Job, JobState, Verdict
from reprise.domain.budget import Phase
from reprise.domain.run import AgentKind

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
LATE = NOW - dt.timedelta(seconds=10_000)

# The gateway's word ends it: what became of the Job does not matter any more.
BY_PHASE: dict[Phase, tuple[Phase, float | None] | None] = {
    Phase.SUBMITTED: None,  # scored, not judged
    Phase.TIMED_OUT: (Phase.TIMED_OUT, 0.0),
    Phase.TURNS_EXHAUSTED: (Phase.TURNS_EXHAUSTED, 0.0),
    Phase.LOOP_STOPPED: (Phase.LOOP_STOPPED, 0.0),
    Phase.CONTEXT_EXHAUSTED: (Phase.CONTEXT_EXHAUSTED, 0.0),
    # A verdict's phases without a verdict: somebody wrote the status by hand.
    Phase.SCORED: (Phase.INFRA_FAILED, None),
    Phase.AGENT_FAILED: (Phase.INFRA_FAILED, None),
    Phase.INFRA_FAILED: (Phase.INFRA_FAILED, None),
}
# While it goes on the Job decides: (state, ran) -> outcome.
BY_JOB: dict[tuple[JobState, bool], tuple[Phase, float | None] | None] = {
    (JobState.SUCCEEDED, True): (Phase.AGENT_FAILED, 0.0),
    (JobState.SUCCEEDED, False): (Phase.AGENT_FAILED, 0.0),
    (JobState.FAILED, True): (Phase.AGENT_FAILED, 0.0),
    (JobState.FAILED, False): (Phase.INFRA_FAILED, None),
    (JobState.ACTIVE, True): None,
    (JobState.ACTIVE, False): None,
    (JobState.MISSING, True): None,
    (JobState.MISSING, False): None,
    (JobState.NOT_NEEDED, True): None,
    (JobState.NOT_NEEDED, False): None,
}
KINDS = (AgentKind.TRIAGE, AgentKind.EXTERNAL)
EVERY = list(itertools.product(Phase, JobState, (True, False), KINDS, (0, 7)))


def an_attempt(phase: Phase, job: Job, kind: AgentKind, requests: int, start: dt.datetime = NOW) -> Attempt:
    started = start if phase is not Phase.PENDING else None
    return Attempt(
        index=1,
        name="r-1",
        uid="u",
        kind=kind,
        created_at=start,
        start_by=start + dt.timedelta(seconds=60),
        wall_clock_seconds=600,
        phase=phase,
        started_at=started,
        requests=requests,
        job=job,
    )


def expected(phase: Phase, state: JobState, ran: bool, requests: int) -> tuple[Phase, float | None] | None:
    if phase is Phase.TIMED_OUT and requests == 0:
        if state is JobState.FAILED and ran:
            return BY_JOB[state, ran]  # it came, asked nothing and ended
        return Phase.INFRA_FAILED, None  # nobody came: nothing is known of an agent
    return BY_PHASE[phase] if phase in BY_PHASE else BY_JOB[state, ran]


def test_the_tables_are_complete() -> None:
    assert {*BY_PHASE, Phase.PENDING, Phase.RUNNING} == set(Phase)
    assert set(BY_JOB) == set(itertools.product(JobState, (True, False)))


@pytest.mark.parametrize(("phase", "state", "ran", "kind", "requests"), EVERY)
def test_the_outcome(phase: Phase, state: JobState, ran: bool, kind: AgentKind, requests: int) -> None:
    verdict = attempt.judge(an_attempt(phase, Job(state, ran), kind, requests), NOW)
    wanted = expected(phase, state, ran, requests)
    assert (None if verdict is None else (verdict.phase, verdict.score)) == wanted


@pytest.mark.parametrize(("phase", "state", "ran", "kind", "requests"), EVERY)
def test_what_follows(phase: Phase, state: JobState, ran: bool, kind: AgentKind, requests: int) -> None:
    """Once decided: what counts is in the mean, what is ours is made again under a new index."""
    one = an_attempt(phase, Job(state, ran), kind, requests)
    verdict = attempt.judge(one, NOW)
    if verdict is None:
        return
    decided = Attempt(**{**vars(one), "verdict": verdict})
    spec = run.RunSpec(scenario="s", agent=run.Agent(kind))
    work = attempting.next_work(spec, [decided], NOW)
    if verdict.phase is Phase.INFRA_FAILED:
        again = (observed.EnsureAttempt(2),) if kind is AgentKind.TRIAGE else ()
        assert (work.actions, work.scores, work.unscored) == (again, (), 1)
    else:
        assert (work.actions, work.scores, work.unscored, work.over) == ((), (0.0,), 0, True)


@pytest.mark.parametrize(("state", "ran", "kind"), list(itertools.product(JobState, (True, False), KINDS)))
@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING])
def test_one_that_nobody_ended_is_ours(phase: Phase, state: JobState, ran: bool, kind: AgentKind) -> None:
    """Past every deadline the gateway should have ended it: whatever the agent did, that failed."""
    verdict = attempt.judge(an_attempt(phase, Job(state, ran), kind, 7, LATE), NOW)
    assert verdict is not None
    assert (verdict.phase, verdict.score) == (Phase.INFRA_FAILED, None)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("score", [None, 0.0, 1.0])
def test_a_verdict_cannot_confuse_the_two(phase: Phase, score: float | None) -> None:
    final = phase not in (Phase.PENDING, Phase.RUNNING, Phase.SUBMITTED)
    if final and (phase is Phase.INFRA_FAILED) == (score is None):
        assert Verdict(phase, "r", NOW, score=score).score == score
    else:
        with pytest.raises(errors.InvalidInput):
            Verdict(phase, "r", NOW, score=score)
