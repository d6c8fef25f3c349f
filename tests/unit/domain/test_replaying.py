"""The life of a replayed run: every phase against every situation."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from tests.unit.domain.lifecycle_runs import BROKEN, LONG_AGO, NOW, RETRY, Row, a_run, an_attempt, decided

from reprise.domain import lifecycle, observed, run, run_status
from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.observed import Observed, Replay
from reprise.domain.run_status import Ending, Phase

SNAPSHOT = run_status.Snapshot("/data/snapshots/x", "sha256:0", 12)
TIMES = run_status.Timeline(LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO)
READY = Observed(replay=Replay(SNAPSHOT, TIMES))
SUMMED = run_status.ScoreSummary(1.0, 1, 1.0, 1.0, 0)
SCORED = decided(1, AttemptPhase.SCORED, 1.0)
LOST = tuple(decided(index, AttemptPhase.INFRA_FAILED) for index in (1, 2, 3))


def replayed(phase: Phase, since: dt.datetime = NOW, **more: Any) -> run.Run:
    made = a_run(phase, since, **more)
    spec = dataclasses.replace(made.spec, scenario="", mode=run.Mode.REPLAY, source="x")
    return dataclasses.replace(made, spec=spec)


ENDING = {"ending": Ending(Phase.COMPLETED, "Replayed", "1 of 1 attempts over")}
ROWS = {
    "pending: not loaded": Row(
        replayed(Phase.PENDING), Observed(), Phase.PENDING, (observed.LoadSnapshot,), "LoadingSnapshot"
    ),
    "pending: store away for too long": Row(
        replayed(Phase.PENDING, LONG_AGO), Observed(problem=RETRY), Phase.INVALID, (observed.ReleaseLock,),
        "Unreachable",
    ),
    "pending: loaded": Row(replayed(Phase.PENDING), READY, Phase.ATTEMPTING),
    "pending: volume away": Row(
        replayed(Phase.PENDING), Observed(problem=RETRY), Phase.PENDING, (), "Unreachable"
    ),
    "pending: not whole": Row(
        replayed(Phase.PENDING), Observed(problem=BROKEN), Phase.INVALID, (observed.ReleaseLock,),
        "Unsupported",
    ),
    "attempting: no server": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=()), Phase.ATTEMPTING, (observed.ServeSnapshot,)
    ),
    "attempting: not guarded yet": Row(
        replayed(Phase.ATTEMPTING, guarded=False), Observed(attempts=()), Phase.ATTEMPTING, (),
        "WaitingForFinalizer",
    ),
    "attempting: server starts": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=(), served=False), Phase.ATTEMPTING, (), "ReplayStarts"
    ),
    "attempting: server never comes": Row(
        replayed(Phase.ATTEMPTING, LONG_AGO), Observed(attempts=(), served=False), Phase.RECOVERING,
        ending="ReplayNotStarted",
    ),
    "attempting: server restarts while agents work": Row(
        replayed(Phase.ATTEMPTING, LONG_AGO), Observed(attempts=(an_attempt(1),), served=False),
        Phase.ATTEMPTING, (), "ReplayStarts",
    ),
    "attempting: server answers": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=(), served=True), Phase.ATTEMPTING,
        (observed.EnsureAttempt,),
    ),
    "attempting: agent works": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=(an_attempt(1),), served=True), Phase.ATTEMPTING, (),
        "AgentsWork",
    ),
    "attempting: over": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=(SCORED,)), Phase.ATTEMPTING, (observed.Summarise,)
    ),
    "attempting: over and summed up": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=(SCORED,), score=SUMMED), Phase.RECOVERING,
        ending="Replayed",
    ),
    "attempting: none counts": Row(
        replayed(Phase.ATTEMPTING), Observed(attempts=LOST, score=SUMMED), Phase.RECOVERING,
        ending="AttemptsFailed",
    ),
    "attempting: problem for now": Row(
        replayed(Phase.ATTEMPTING), Observed(problem=RETRY), Phase.ATTEMPTING, (), "Unreachable"
    ),
    "attempting: problem for ever": Row(
        replayed(Phase.ATTEMPTING), Observed(problem=BROKEN), Phase.RECOVERING, ending="Unsupported"
    ),
    "attempting: deleted": Row(
        replayed(Phase.ATTEMPTING, deleting=True), Observed(), Phase.RECOVERING, ending="Deleted"
    ),
    "recovering: agents work": Row(
        replayed(Phase.RECOVERING, status=ENDING), Observed(attempts=(an_attempt(1),)), Phase.RECOVERING,
        (observed.SetVerdict,), ending="Replayed",
    ),
    "recovering: server stands": Row(
        replayed(Phase.RECOVERING, status=ENDING), Observed(attempts=(SCORED,)), Phase.RECOVERING,
        (observed.WithdrawSnapshot,), ending="Replayed",
    ),
    "recovering: server gone": Row(
        replayed(Phase.RECOVERING, status=ENDING), Observed(attempts=(SCORED,), withdrawn=True),
        Phase.COMPLETED, (observed.ReleaseLock,), "Replayed",
    ),
    "recovering: problem": Row(
        replayed(Phase.RECOVERING, status=ENDING), Observed(problem=RETRY), Phase.RECOVERING, (),
        "Unreachable", ending="Replayed",
    ),
    "completed": Row(replayed(Phase.COMPLETED), Observed(), Phase.COMPLETED),
    "completed: deleted": Row(
        replayed(Phase.COMPLETED, deleting=True), Observed(), Phase.COMPLETED,
        (observed.WithdrawSnapshot, observed.CleanUp),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    row = ROWS[name]
    decision = lifecycle.decide(row.run, row.seen, NOW)
    assert decision.status.phase is row.phase
    assert tuple(type(action) for action in decision.actions) == row.actions
    assert decision.status.reason == row.reason
    ending = decision.status.ending
    assert (ending.reason if ending and row.phase is Phase.RECOVERING else "") == row.ending


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("problem", [None, RETRY, BROKEN])
def test_a_replay_touches_no_application(
    phase: Phase, deleting: bool, problem: observed.Problem | None
) -> None:
    decision = lifecycle.decide(replayed(phase, deleting=deleting), Observed(problem=problem), NOW)
    touching = {observed.ApplyApplication, observed.ApplyFaults, observed.SavePlan, observed.AcquireLock}
    assert not touching & {type(action) for action in decision.actions}


def test_the_recorded_times_are_the_runs() -> None:
    status = lifecycle.decide(replayed(Phase.PENDING), READY, NOW).status
    assert (status.snapshot, status.timeline) == (SNAPSHOT, TIMES)


def test_a_deleted_replay_is_let_go_when_nothing_is_left() -> None:
    gone = Observed(withdrawn=True, cleaned=True)
    assert lifecycle.decide(replayed(Phase.PENDING, deleting=True), gone, NOW).finished
