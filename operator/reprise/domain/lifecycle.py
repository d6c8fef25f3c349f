"""The life of a run as one pure function: what is known, and the time, to what happens next.

`decide` never waits and never fails. Its answer is carried out in this order: the status is written, then
the actions are performed and their outcomes folded into what is known, then it is asked again; it is asked
until it has nothing more to do for now. The process may die between any two of these: every action may be
repeated, and nothing is changed in the application before the status says that this phase has begun.

While agents may still work, messages hold numbers and workload states only. Names of what was changed would
be the answer; they appear when the run is over.
"""

import dataclasses
import datetime as dt
from typing import assert_never

from reprise.domain import attempting, observed, replaying, retaining
from reprise.domain.observed import Observed
from reprise.domain.run import Mode, Run
from reprise.domain.run_status import (
    ConditionType,
    Drift,
    Ending,
    Evidence,
    Injection,
    Phase,
    RunStatus,
)
from reprise.domain.transitions import GATE_OF, Decision, finish, gate_passed, waiting

# Injecting has no gate of its own in the spec: applying takes seconds or does not work.
INJECT_TIMEOUT_SECONDS = 180
# What a rollout breaks shows in alerts up to so much later: their rates look back a minute. Quiet before that
# means nothing.
STEADY_SECONDS = 60

# How many workloads or alerts a message names.
MOST_LINES = 6


def decide(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    """What happens next to this run. Total: every phase and every observation has an answer."""
    if run.status.phase_started_at is None:
        begun = dataclasses.replace(run.status, started_at=now, observed_generation=run.generation)
        return Decision(begun.enter(Phase.PENDING, now), again=True)
    if run.spec.mode is Mode.REPLAY:
        return replaying.decide(run, seen, now)
    if run.deleting:
        return _deleting(run, seen, now)
    match run.status.phase:
        case Phase.PENDING:
            return _pending(run, seen, now)
        case Phase.DEPLOYING:
            return _deploying(run, seen, now)
        case Phase.BASELINE:
            return _baseline(run, seen, now)
        case Phase.INJECTING:
            return _injecting(run, seen, now)
        case Phase.MANIFESTING:
            return _manifesting(run, seen, now)
        case Phase.RECORDING:
            return _recording(run, seen, now)
        case Phase.ATTEMPTING:
            return _attempting(run, seen, now)
        case Phase.RECOVERING:
            return _recovering(run, seen, now)
        case Phase.COMPLETED | Phase.INVALID | Phase.FAILED:
            return retaining.decide(run, seen, now)
        case _:
            assert_never(run.status.phase)


def deadline(run: Run) -> dt.datetime | None:
    """When the run's phase is given up, None for a phase that no gate bounds."""
    gates = run.spec.gates
    match run.status.phase:
        case Phase.DEPLOYING:
            seconds = gates.deploy_timeout_seconds
        case Phase.BASELINE:
            seconds = gates.baseline_timeout_seconds
        case Phase.INJECTING:
            seconds = INJECT_TIMEOUT_SECONDS
        case Phase.MANIFESTING:
            seconds = gates.symptom_timeout_seconds
        case Phase.RECORDING:
            seconds = gates.record_timeout_seconds
        case Phase.RECOVERING:
            seconds = gates.recovery_timeout_seconds
        case Phase.PENDING | Phase.ATTEMPTING | Phase.COMPLETED | Phase.INVALID | Phase.FAILED:
            return None
        case _:
            assert_never(run.status.phase)
    if run.status.phase_started_at is None:
        return None
    return run.status.phase_started_at + dt.timedelta(seconds=seconds)


# -- phases ------------------------------------------------------------


def _pending(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        return _after_problem(run, seen.problem, now)
    if run.ref.namespace == run.spec.application.namespace:
        return _fail(
            run,
            "NamespaceNotAllowed",
            f"expected a namespace other than the application's, found {run.ref.namespace}; "
            "agents can read that one: apply the run elsewhere",
            now,
        )
    if not seen.scenario_known:
        known = ", ".join(seen.scenarios) or "none"
        return _fail(run, "UnknownScenario", f"expected one of: {known}; found {run.spec.scenario!r}", now)
    if seen.ahead:
        return Decision(_queued(run, seen.ahead, now))
    if seen.lock_holder is None:
        return Decision(run.status, (observed.AcquireLock(),))
    if seen.lock_holder != run.ref.uid:
        return Decision(_queued(run, f"the run with uid {seen.lock_holder}", now))
    status = run.status
    if status.condition(ConditionType.QUEUED):
        status = status.with_condition(ConditionType.QUEUED, False, "Started", "", now)
    return Decision(status.enter(Phase.DEPLOYING, now))


def _deploying(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        return _after_problem(run, seen.problem, now)
    digest = seen.manifests_digest
    if digest is not None and run.status.application_digest != digest:
        if seen.applied_digest != digest:
            return Decision(run.status, (observed.ApplyApplication(),))
        # Written only after it was applied: a crash in between applies it again, which changes nothing.
        # Availability is judged at the next look, after the controllers had a chance to see the change.
        return Decision(dataclasses.replace(run.status, application_digest=digest), again=True)
    application = seen.application or observed.Application(0)
    if application.available:
        status = gate_passed(run.status, "Available", f"{application.workloads} workloads available", now)
        return Decision(status.enter(Phase.BASELINE, now))
    message = _some(application.waiting) or (
        f"expected workloads in namespace {run.spec.application.namespace}, found none; "
        "`reprise up` provides their manifests"
    )
    if _expired(run, now):
        return _fail(run, "ApplicationNotAvailable", message, now)
    return Decision(waiting(run.status, "WaitingForWorkloads", message))


def _baseline(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        return _after_problem(run, seen.problem, now)
    application = seen.application or observed.Application(0)
    load = seen.load or observed.Load(False)
    if not application.available:
        reason, message = "ApplicationNotAvailable", _some(application.waiting) or "no workloads"
    elif application.ending:
        # What they still say, as Events and in their logs, would be read as a part of this incident.
        reason = "PodsEnding"
        message = f"expected deleted pods to be gone, found {_some(application.ending)}"
    elif load.alerts:
        reason = "AlertsFiring"
        window = run.spec.gates.baseline_window_seconds
        message = f"fired within the last {window} s or pending: {_some(load.alerts)}"
    elif not load.flowing:
        reason, message = "NoLoad", load.detail or "expected requests to be served, found none"
    elif unsteady := _unsteady(application, seen.history or observed.History(), now):
        reason, message = "Settling", unsteady
    elif not seen.baseline_saved:
        return Decision(run.status, (observed.SaveBaseline(),))
    else:
        timeline = dataclasses.replace(run.status.timeline, baseline_at=now)
        status = dataclasses.replace(run.status, timeline=timeline)
        status = gate_passed(status, "HealthyAndQuiet", load.detail, now)
        return Decision(status.enter(Phase.INJECTING, now))
    if _expired(run, now):
        return _fail(run, reason, message, now)
    return Decision(waiting(run.status, reason, message))


def _injecting(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        # Before the plan is stored nothing can have been changed, so there is nothing to recover.
        return _after_problem(run, seen.problem, now, injected=seen.plan_saved)
    if not run.guarded:
        return Decision(waiting(run.status, "WaitingForFinalizer", "nothing is changed before it is there"))
    if seen.lock_holder is None:
        return Decision(run.status, (observed.AcquireLock(),))
    if seen.lock_holder != run.ref.uid:
        message = f"expected to hold the application, found uid {seen.lock_holder}"
        return _fail(run, "LockLost", message, now, injected=seen.plan_saved)
    if not seen.plan_saved:
        return Decision(run.status, (observed.SavePlan(),))
    if run.status.timeline.injected_at is None:
        timeline = dataclasses.replace(run.status.timeline, injected_at=now)
        return Decision(dataclasses.replace(run.status, timeline=timeline), (observed.ApplyFaults(),))
    if seen.changes is None:
        return Decision(run.status, (observed.ApplyFaults(),))
    changes = seen.changes
    status = dataclasses.replace(run.status, injection=Injection(changes.total, changes.done))
    text = f"{changes.done} of {changes.total} changes in place"
    if changes.settled and not seen.truth_saved:
        return Decision(status, (observed.SaveTruth(),))
    if changes.settled:
        return Decision(gate_passed(status, "Applied", text, now).enter(Phase.MANIFESTING, now))
    if _expired(run, now):
        return _fail(dataclasses.replace(run, status=status), "InjectionIncomplete", text, now)
    return Decision(waiting(status, "Applying", text))


def _manifesting(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        return _after_problem(run, seen.problem, now)
    readings = seen.readings or ()
    known = {item.symptom for item in run.status.evidence}
    fresh = tuple(
        Evidence(item.symptom, item.seen_at, item.evidence)
        for item in readings
        if item.seen and item.symptom not in known
    )
    status = dataclasses.replace(run.status, evidence=(*run.status.evidence, *fresh)) if fresh else run.status
    have = {item.symptom for item in status.evidence}
    missing = [item.symptom for item in readings if item.required and item.symptom not in have]
    if seen.readings is not None and not missing:
        timeline = dataclasses.replace(status.timeline, symptom_at=now)
        status = dataclasses.replace(status, timeline=timeline)
        text = f"{len(have)} of {len(readings)} symptoms seen"
        status = gate_passed(status, "Seen" if readings else "NoneExpected", text, now)
        after = Phase.RECORDING if run.spec.snapshot_enabled else Phase.ATTEMPTING
        return Decision(status.enter(after, now))
    text = f"{len(have)} of {len(readings)} symptoms seen; not seen: {', '.join(missing)}"
    if _expired(run, now):
        return _fail(dataclasses.replace(run, status=status), "SymptomNotSeen", text, now)
    return Decision(waiting(status, "WaitingForSymptoms", text))


def _recording(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        return _after_problem(run, seen.problem, now)
    if seen.snapshot is None:
        return Decision(run.status, (observed.RecordSnapshot(),))
    timeline = dataclasses.replace(run.status.timeline, recorded_at=now)
    status = dataclasses.replace(run.status, timeline=timeline, snapshot=seen.snapshot)
    status = gate_passed(status, "Verified", f"{seen.snapshot.files} files", now)
    return Decision(status.enter(Phase.ATTEMPTING, now))


def _attempting(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    if seen.problem:
        return _after_problem(run, seen.problem, now)
    attempts = seen.attempts or ()
    status = dataclasses.replace(run.status, attempts=attempting.summaries(attempts))
    work = attempting.next_work(run.spec, attempts, now)
    if work.actions:
        return Decision(status, work.actions)
    if not work.over:
        return Decision(waiting(status, "AgentsWork", work.message))
    if seen.score is None:
        return Decision(status, (observed.Summarise(work.scores, work.unscored),))
    status = dataclasses.replace(status, score=seen.score)
    if work.give_up:
        return _fail(dataclasses.replace(run, status=status), "AttemptsFailed", work.message, now)
    status = gate_passed(status, "Over", work.message, now)
    ending = Ending(Phase.COMPLETED, "Recovered", work.message)
    return Decision(dataclasses.replace(status, ending=ending).enter(Phase.RECOVERING, now))


def _recovering(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    status = run.status
    if seen.attempts is not None:
        status = dataclasses.replace(status, attempts=attempting.summaries(seen.attempts))
        run = dataclasses.replace(run, status=status)
    if seen.problem:
        if _expired(run, now):
            return _recovery_failed(run, (f"{seen.problem.reason}: {seen.problem.message}",), now)
        # Every problem is worth another try here: giving up would leave a fault behind.
        return Decision(waiting(run.status, seen.problem.reason, "recovery is tried again"))
    stop = attempting.stop_all(seen.attempts or (), now)
    if stop:
        return Decision(status, stop)
    if seen.plan_saved and seen.changes is None:
        return Decision(status, (observed.RevertFaults(),))
    if seen.changes is not None:
        changes = seen.changes
        before = status.injection or Injection()
        injection = Injection(max(before.planned, changes.total), before.applied, changes.done)
        status = dataclasses.replace(status, injection=injection)
        run = dataclasses.replace(run, status=status)
        if not changes.settled:
            text = f"{changes.done} of {changes.total} changes taken back"
            if _expired(run, now):
                return _recovery_failed(run, (*changes.conflicts, *changes.waiting_for), now)
            return Decision(waiting(status, "TakingBack", text))
        # What others changed meanwhile is theirs. It is reported, but a deletion would wait for ever for it.
        if changes.conflicts and not run.deleting:
            return _recovery_failed(run, changes.conflicts, now)
    return _recovered(run, seen, now)


def _recovered(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    """Every change is taken back; the application must show it."""
    unhealthy = _unhealthy(seen)
    if unhealthy and not run.deleting:
        if _expired(run, now):
            return _recovery_failed(run, unhealthy, now)
        return Decision(waiting(run.status, "WaitingForHealth", _some(unhealthy)))
    if seen.baseline_saved and seen.drift is None:
        return Decision(run.status, (observed.CheckDrift(),))
    differences = seen.drift or ()
    if differences and not run.deleting and not _expired(run, now):
        # Controllers may still be settling (a pod that terminates, an endpoint that follows).
        return Decision(waiting(run.status, "WaitingForDrift", f"{len(differences)} differences"))
    timeline = dataclasses.replace(run.status.timeline, recovered_at=now)
    drift = Drift(now, differences) if seen.baseline_saved else None
    status = dataclasses.replace(run.status, timeline=timeline, drift=drift)
    text = f"{len(differences)} differences to the state before; see status.drift" if differences else ""
    status = status.with_condition(
        ConditionType.RECOVERED, True, "Drift" if differences else "NoDrift", text, now
    )
    ending = status.ending or Ending(Phase.INVALID, "Unknown", "")
    return finish(dataclasses.replace(run, status=status), ending, now)


def _deleting(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    """Recover first, whatever phase it is in; then remove what the run made, then let go."""
    phase = run.status.phase
    match phase:
        case Phase.INJECTING | Phase.MANIFESTING | Phase.RECORDING | Phase.ATTEMPTING:
            ending = Ending(Phase.INVALID, "Deleted", f"deleted during {phase}")
            return Decision(dataclasses.replace(run.status, ending=ending).enter(Phase.RECOVERING, now))
        case Phase.FAILED:
            ending = Ending(Phase.INVALID, "Deleted", "deleted after it had failed")
            return Decision(dataclasses.replace(run.status, ending=ending).enter(Phase.RECOVERING, now))
        case Phase.RECOVERING:
            decision = _recovering(run, seen, now)
            if decision.status.phase is Phase.FAILED:
                # NB: never let go of a run whose fault may be in place: stay, say so, go on trying.
                message = decision.status.message
                return Decision(waiting(run.status, "RecoveryBlocksDeletion", message))
            return decision
        case Phase.PENDING | Phase.DEPLOYING | Phase.BASELINE | Phase.COMPLETED | Phase.INVALID:
            if seen.problem:
                return Decision(run.status)
            if not seen.cleaned:
                return Decision(run.status, (observed.CleanUp(), observed.ReleaseLock()))
            return Decision(run.status, finished=True)
        case _:
            assert_never(phase)


# -- transitions ------------------------------------------------------------


def _queued(run: Run, ahead: str, now: dt.datetime) -> RunStatus:
    message = f"waits for {ahead}"
    status = run.status.with_condition(ConditionType.QUEUED, True, "ApplicationInUse", message, now)
    return waiting(status, "Queued", message)


def _expired(run: Run, now: dt.datetime) -> bool:
    limit = deadline(run)
    return limit is not None and now >= limit


def _after_problem(
    run: Run, problem: observed.Problem, now: dt.datetime, *, injected: bool = True
) -> Decision:
    """Try again until the phase's time is over, or at once go the phase's way of failing."""
    if problem.retryable and not _expired(run, now):
        # The text of an error names objects: it is kept out of the status while agents may still come.
        return Decision(waiting(run.status, problem.reason, "tried again; the operator's log says more"))
    return _fail(run, problem.reason, problem.message, now, injected=injected)


def _fail(run: Run, reason: str, message: str, now: dt.datetime, *, injected: bool = True) -> Decision:
    """Leave the phase by its failure route: to Invalid, through Recovering when changes were made."""
    status = run.status
    gate = GATE_OF.get(status.phase)
    if gate is not None:
        status = status.with_condition(gate, False, reason, message, now)
    ending = Ending(Phase.INVALID, reason, message)
    match status.phase:
        case Phase.PENDING | Phase.DEPLOYING | Phase.BASELINE:
            return finish(dataclasses.replace(run, status=status), ending, now)
        case Phase.INJECTING if not injected:
            return finish(dataclasses.replace(run, status=status), ending, now)
        case _:
            return Decision(dataclasses.replace(status, ending=ending).enter(Phase.RECOVERING, now))


def _recovery_failed(run: Run, left: tuple[str, ...], now: dt.datetime) -> Decision:
    what = "; ".join(left) or "unknown"
    cause = run.status.ending
    message = (
        f"left behind: {what}. The plan with its before-images is kept: delete this run to try again, "
        "or see docs/operations.md to undo it by hand"
    )
    if cause is not None and cause.phase is Phase.INVALID:
        message += f". It was recovering because of {cause.reason}: {cause.message}"
    status = run.status.with_condition(ConditionType.RECOVERED, False, "RecoveryFailed", message, now)
    return finish(
        dataclasses.replace(run, status=status), Ending(Phase.FAILED, "RecoveryFailed", message), now
    )


def _unsteady(application: observed.Application, history: observed.History, now: dt.datetime) -> str:
    """What is expected of the pods' age, "" when they are old enough."""
    wanted = max(STEADY_SECONDS, history.seconds)
    since = application.ready_since
    if since is None or (now - since).total_seconds() >= wanted:
        return ""
    why = f", which {_some(history.alerts)} needs to tell the unusual" if history.seconds == wanted else ""
    return f"expected every pod to be ready for {wanted:.0f} s{why}"


def _some(lines: tuple[str, ...]) -> str:
    """Lines for a message, the first few of many."""
    more = len(lines) - MOST_LINES
    return "; ".join(lines[:MOST_LINES]) + (f"; and {more} more" if more > 0 else "")


def _unhealthy(seen: Observed) -> tuple[str, ...]:
    """What still shows that the application is not as before, workloads first."""
    application = seen.application or observed.Application(0)
    load = seen.load or observed.Load(False)
    found = list(application.waiting)
    if application.workloads == 0:
        found.append("no workloads")
    found += [f"alert {name} fires" for name in load.alerts]
    if not load.flowing:
        found.append(load.detail or "no requests are served")
    return tuple(found)
