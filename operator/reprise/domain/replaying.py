"""The life of a replayed run: no application, no fault; a snapshot is served until its attempts are over.

The same rules as in `lifecycle`: pure, total, and every action may be repeated.
"""

import dataclasses
import datetime as dt
from typing import assert_never

from reprise.domain import attempting, observed
from reprise.domain.observed import Observed
from reprise.domain.run import Run
from reprise.domain.run_status import ConditionType, Ending, Phase
from reprise.domain.transitions import Decision, finish, gate_passed, waiting


def decide(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    """What happens next to this run. Total: every phase and every observation has an answer."""
    match run.status.phase:
        case Phase.PENDING if not run.deleting:
            return _pending(run, seen, now)
        case Phase.ATTEMPTING if run.deleting:
            return _leave(run, Ending(Phase.INVALID, "Deleted", "deleted during Attempting"), now)
        case Phase.ATTEMPTING:
            return _attempting(run, seen, now)
        case Phase.RECOVERING:
            return _recovering(run, seen, now)
        case Phase.PENDING | Phase.COMPLETED | Phase.INVALID | Phase.FAILED:
            return _over(run, seen)
        case (
            Phase.DEPLOYING | Phase.BASELINE | Phase.INJECTING | Phase.MANIFESTING | Phase.RECORDING
        ):  # pragma: no cover - no replay enters them; one whose status says so was written by hand
            return _leave(run, Ending(Phase.INVALID, "UnknownPhase", str(run.status.phase)), now)
        case _:
            assert_never(run.status.phase)


def _pending(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        reason, message = seen.problem.reason, seen.problem.message
        if seen.problem.retryable and not _start_expired(run, now):
            return Decision(waiting(run.status, reason, message))
        status = run.status.with_condition(ConditionType.RECORDED, False, reason, message, now)
        return finish(dataclasses.replace(run, status=status), Ending(Phase.INVALID, reason, message), now)
    if seen.replay is None:
        # What an earlier look has found wrong stays readable while it is tried again.
        text = "finds, fetches and verifies the snapshot"
        status = run.status if run.status.reason else waiting(run.status, "LoadingSnapshot", text)
        return Decision(status, (observed.LoadSnapshot(),))
    status = dataclasses.replace(
        run.status, snapshot=seen.replay.snapshot, timeline=seen.replay.timeline
    ).with_condition(
        ConditionType.RECORDED, True, "Verified", f"{seen.replay.snapshot.files} files, recorded before", now
    )
    return Decision(status.enter(Phase.ATTEMPTING, now))


def _attempting(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        if seen.problem.retryable:
            text = "tried again; the operator's log says more"
            return Decision(waiting(run.status, seen.problem.reason, text))
        return _leave(run, Ending(Phase.INVALID, seen.problem.reason, seen.problem.message), now)
    attempts = seen.attempts or ()
    status = dataclasses.replace(run.status, attempts=attempting.summaries(attempts))
    run = dataclasses.replace(run, status=status)
    work = attempting.next_work(run.spec, attempts, now)
    if work.over:
        return _attempted(run, seen, work, now)
    if not run.guarded:
        # What is made for it lies in another namespace, and only its own deletion takes that away.
        return Decision(waiting(status, "WaitingForFinalizer", "nothing is made before it is there"))
    if seen.served is None:
        return Decision(status, (observed.ServeSnapshot(),))
    if not seen.served:
        # An attempt's wall clock must not run while nobody answers its agent.
        if not attempts and _start_expired(run, now):
            seconds = run.spec.gates.deploy_timeout_seconds
            message = f"expected the snapshot's server to answer within {seconds} s; see its pod"
            return _leave(run, Ending(Phase.INVALID, "ReplayNotStarted", message), now)
        return Decision(waiting(status, "ReplayStarts", "waits for the snapshot's server"))
    if work.actions:
        return Decision(status, work.actions)
    return Decision(waiting(status, "AgentsWork", work.message))


def _attempted(run: Run, seen: Observed, work: attempting.Work, now: dt.datetime) -> Decision:
    if seen.score is None:
        return Decision(run.status, (observed.Summarise(work.scores, work.unscored),))
    status = dataclasses.replace(run.status, score=seen.score)
    run = dataclasses.replace(run, status=status)
    if work.give_up:
        status = status.with_condition(ConditionType.ATTEMPTED, False, "AttemptsFailed", work.message, now)
        run = dataclasses.replace(run, status=status)
        return _leave(run, Ending(Phase.INVALID, "AttemptsFailed", work.message), now)
    run = dataclasses.replace(run, status=gate_passed(status, "Over", work.message, now))
    return _leave(run, Ending(Phase.COMPLETED, "Replayed", work.message), now)


def _recovering(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    """Nothing was broken: what there is to take back is the snapshot's server."""
    if seen.problem:
        return Decision(waiting(run.status, seen.problem.reason, seen.problem.message))
    if seen.attempts is not None:
        summaries = attempting.summaries(seen.attempts)
        run = dataclasses.replace(run, status=dataclasses.replace(run.status, attempts=summaries))
    if stop := attempting.stop_all(seen.attempts or (), now):
        return Decision(run.status, stop)
    if not seen.withdrawn:
        return Decision(run.status, (observed.WithdrawSnapshot(),))
    return finish(run, run.status.ending or Ending(Phase.INVALID, "Unknown", ""), now)


def _over(run: Run, seen: Observed) -> Decision:
    if not run.deleting or seen.problem:
        return Decision(run.status)
    if not seen.cleaned:
        return Decision(run.status, (observed.WithdrawSnapshot(), observed.CleanUp()))
    return Decision(run.status, finished=True)


def _leave(run: Run, ending: Ending, now: dt.datetime) -> Decision:
    return Decision(dataclasses.replace(run.status, ending=ending).enter(Phase.RECOVERING, now))


def _start_expired(run: Run, now: dt.datetime) -> bool:
    begun = run.status.phase_started_at
    limit = dt.timedelta(seconds=run.spec.gates.deploy_timeout_seconds)
    return begun is not None and now >= begun + limit
