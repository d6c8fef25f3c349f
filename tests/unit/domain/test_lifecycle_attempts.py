"""When an attempt is over, whose fault that is, and which attempts follow."""

import datetime as dt
from typing import Any

import pytest

from reprise.domain import attempt, attempting, observed, run
from reprise.domain.attempt import Attempt, Job, JobState
from reprise.domain.budget import Phase

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
ACTIVE = Job(JobState.ACTIVE, ran=True)


def an_attempt(**more: Any) -> Attempt:
    values: dict[str, Any] = {
        "index": 1,
        "name": "r-1",
        "uid": "u",
        "kind": run.AgentKind.TRIAGE,
        "created_at": NOW,
        "start_by": NOW + dt.timedelta(seconds=60),
        "wall_clock_seconds": 600,
        "job": ACTIVE,
    }
    return Attempt(**{**values, **more})


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


VERDICTS: dict[str, tuple[Attempt, Phase | None, float | None]] = {
    "works": (an_attempt(phase=Phase.RUNNING, started_at=ago(5)), None, None),
    "submitted is scored, not judged": (an_attempt(phase=Phase.SUBMITTED), None, None),
    "timed out": (an_attempt(phase=Phase.TIMED_OUT, requests=4), Phase.TIMED_OUT, 0.0),
    "timed out without a request": (an_attempt(phase=Phase.TIMED_OUT), Phase.INFRA_FAILED, None),
    "timed out because nothing could start": (
        an_attempt(phase=Phase.TIMED_OUT, job=Job(JobState.ACTIVE, message="ErrImagePull: no such image")),
        Phase.INFRA_FAILED, None,
    ),
    "ran until the last second without a request, and was killed": (
        an_attempt(phase=Phase.TIMED_OUT, job=Job(JobState.FAILED, True, "killed without an answer")),
        Phase.AGENT_FAILED, 0.0,
    ),
    "waited for its model until the time was up": (
        an_attempt(phase=Phase.TIMED_OUT, job=Job(JobState.FAILED, True, "no answer", infra=True)),
        Phase.INFRA_FAILED, None,
    ),
    "budget spent": (an_attempt(phase=Phase.TURNS_EXHAUSTED, requests=4), Phase.TURNS_EXHAUSTED, 0.0),
    "loop stopped": (an_attempt(phase=Phase.LOOP_STOPPED, requests=4), Phase.LOOP_STOPPED, 0.0),
    "Job ended well without a submission": (
        an_attempt(job=Job(JobState.SUCCEEDED, True)), Phase.AGENT_FAILED, 0.0,
    ),
    "agent crashed": (an_attempt(job=Job(JobState.FAILED, True, "exit code 1")), Phase.AGENT_FAILED, 0.0),
    "what the agent stands on failed": (
        an_attempt(phase=Phase.RUNNING, started_at=ago(5), job=Job(JobState.FAILED, True, "503", infra=True)),
        Phase.INFRA_FAILED, None,
    ),
    "what it stands on failed after it had submitted": (
        an_attempt(phase=Phase.SUBMITTED, job=Job(JobState.FAILED, True, "503", infra=True)), None, None,
    ),
    "agent never ran": (an_attempt(job=Job(JobState.FAILED, False, "Evicted")), Phase.INFRA_FAILED, None),
    "image cannot be pulled, for a while": (
        an_attempt(job=Job(JobState.ACTIVE, False, "ImagePullBackOff")), None, None,
    ),
    "image cannot be pulled, for too long": (
        an_attempt(job=Job(JobState.ACTIVE, False, "ImagePullBackOff"), start_by=ago(1)),
        Phase.INFRA_FAILED, None,
    ),
    "image of a command cannot be pulled": (
        an_attempt(
            kind=run.AgentKind.COMMAND, job=Job(JobState.ACTIVE, False, "ErrImagePull"), start_by=ago(1)
        ),
        Phase.INFRA_FAILED, None,
    ),
    "agent runs and has not called yet": (an_attempt(start_by=ago(1)), None, None),
    "the gateway does not end it": (
        an_attempt(phase=Phase.RUNNING, started_at=ago(631), start_by=ago(631)), Phase.INFRA_FAILED, None,
    ),
    "the gateway may still end it": (
        an_attempt(phase=Phase.RUNNING, started_at=ago(629), start_by=ago(629)), None, None,
    ),
    "external agent has not come": (
        an_attempt(kind=run.AgentKind.EXTERNAL, job=Job(JobState.NOT_NEEDED), start_by=ago(5)), None, None,
    ),
    "a status that somebody else wrote": (an_attempt(phase=Phase.SCORED), Phase.INFRA_FAILED, None),
}  # fmt: skip


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    judged, phase, score = VERDICTS[name]
    verdict = attempt.judge(judged, NOW)
    assert (verdict.phase if verdict else None) == phase
    assert (verdict.score if verdict else None) == score


def test_why_nobody_came_is_said() -> None:
    job = Job(JobState.ACTIVE, message="ErrImagePull: no such image")
    for phase in (Phase.TIMED_OUT, Phase.PENDING):
        verdict = attempt.judge(an_attempt(phase=phase, start_by=ago(1), job=job), NOW)
        assert verdict is not None
        assert verdict.reason == "ErrImagePull: no such image"


@pytest.mark.parametrize("phase", Phase)
def test_what_failed_on_our_side_has_no_score(phase: Phase) -> None:
    verdict = attempt.judge(an_attempt(phase=phase, start_by=ago(9999)), NOW)
    if verdict is not None and verdict.phase is Phase.INFRA_FAILED:
        assert verdict.score is None


def decided(index: int, phase: Phase) -> Attempt:
    score = None if phase is Phase.INFRA_FAILED else 1.0
    verdict = attempt.Verdict(phase, "r", NOW, score=score)
    return an_attempt(index=index, name=f"r-{index}", verdict=verdict)


def test_failures_of_ours_are_bounded_and_never_counted() -> None:
    """Whatever happens, the run ends; what failed on our side is made again under a new index."""
    spec = run.RunSpec(scenario="s", repeats=2)
    made: list[Attempt] = []
    for _ in range(50):
        work = attempting.next_work(spec, made, NOW)
        if work.over:
            break
        (action,) = work.actions
        assert isinstance(action, observed.EnsureAttempt)
        assert action.index == len(made) + 1
        made.append(decided(action.index, Phase.INFRA_FAILED))
    assert len(made) == attempting.INFRA_FAILURES_TOLERATED + 1
    assert work.give_up
    assert work.unscored == len(made)
    assert work.scores == ()


def test_a_failure_of_ours_in_between() -> None:
    spec = run.RunSpec(scenario="s", repeats=2)
    made = [decided(1, Phase.SCORED), decided(2, Phase.INFRA_FAILED), decided(3, Phase.AGENT_FAILED)]
    work = attempting.next_work(spec, made, NOW)
    assert work.over
    assert not work.give_up
    assert (work.scores, work.unscored) == ((1.0, 1.0), 1)


def test_parallelism_is_a_limit() -> None:
    spec = run.RunSpec(scenario="s", repeats=5, agent=run.Agent(parallelism=2))
    working = [an_attempt(index=1), an_attempt(index=2, name="r-2")]
    assert attempting.next_work(spec, working, NOW).actions == ()
    one_done = [decided(1, Phase.SCORED), an_attempt(index=2, name="r-2")]
    assert attempting.next_work(spec, one_done, NOW).actions == (observed.EnsureAttempt(3),)


WAITED: dict[str, tuple[Attempt, bool]] = {
    "just submitted": (an_attempt(phase=Phase.SUBMITTED, submitted_at=ago(1)), False),
    "just timed out": (an_attempt(phase=Phase.TIMED_OUT, requests=1, ended_at=ago(1)), False),
    "submitted and ended": (
        an_attempt(phase=Phase.SUBMITTED, submitted_at=ago(1), job=Job(JobState.SUCCEEDED, True)), True,
    ),
    "goes on for ever": (an_attempt(phase=Phase.SUBMITTED, submitted_at=ago(10)), True),
    "has no program of ours": (
        an_attempt(phase=Phase.SUBMITTED, submitted_at=ago(1), job=Job(JobState.NOT_NEEDED)), True,
    ),
    "the program is gone": (
        an_attempt(phase=Phase.SUBMITTED, submitted_at=ago(1), job=Job(JobState.MISSING)), True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WAITED)
def test_the_end_of_a_record_is_waited_for_a_while(case: str) -> None:
    item, judged = WAITED[case]
    work = attempting.next_work(run.RunSpec(scenario="s"), [item], NOW)
    assert bool(work.actions) == judged
    assert not work.over


def test_summary_shows_unscored_as_nothing() -> None:
    summaries = attempting.summaries([decided(2, Phase.INFRA_FAILED), decided(1, Phase.SCORED)])
    assert [item.index for item in summaries] == [1, 2]
    assert [item.score for item in summaries] == [1.0, None]
