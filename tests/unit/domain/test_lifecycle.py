"""Every phase of a run against every situation, as a table: what is written, what is done."""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest

from reprise.domain import attempt, lifecycle, observed, run, run_status, symptoms
from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.lifecycle import Decision
from reprise.domain.observed import Observed
from reprise.domain.run_status import ConditionType, Phase, RunStatus

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


known = Observed(scenario_known=True, scenarios=("known",))
injected = Observed(plan_saved=True, lock_holder=UID)
COUNT = {"repeats": 2}
ROWS = {
    # Pending
    "pending: no such scenario": Row(
        a_run(Phase.PENDING), Observed(scenario_known=False), Phase.INVALID,
        (observed.ReleaseLock,), "UnknownScenario",
    ),
    "pending: in the application's namespace": Row(
        a_run(Phase.PENDING, namespace="otel-demo"), known, Phase.INVALID,
        (observed.ReleaseLock,), "NamespaceNotAllowed",
    ),
    "pending: another run is ahead": Row(
        a_run(Phase.PENDING), dataclasses.replace(known, ahead="default/a (Attempting)"),
        Phase.PENDING, (), "Queued",
    ),
    "pending: nobody ahead": Row(a_run(Phase.PENDING), known, Phase.PENDING, (observed.AcquireLock,)),
    "pending: the lock is somebody else's": Row(
        a_run(Phase.PENDING), dataclasses.replace(known, lock_holder="other"), Phase.PENDING, (), "Queued"
    ),
    "pending: the lock is ours": Row(
        a_run(Phase.PENDING), dataclasses.replace(known, lock_holder=UID), Phase.DEPLOYING
    ),
    "pending: the API server is away, for hours": Row(
        a_run(Phase.PENDING, LONG_AGO), Observed(problem=RETRY), Phase.PENDING, (), "Unreachable"
    ),
    # Deploying
    "deploying: manifests not applied": Row(
        a_run(Phase.DEPLOYING), Observed(manifests_digest="d", application=OK), Phase.DEPLOYING,
        (observed.ApplyApplication,),
    ),
    "deploying: just applied": Row(
        a_run(Phase.DEPLOYING), Observed(manifests_digest="d", applied_digest="d", application=OK),
        Phase.DEPLOYING,
    ),
    "deploying: rolling out": Row(
        a_run(Phase.DEPLOYING, status={"application_digest": "d"}),
        Observed(manifests_digest="d", application=LATE), Phase.DEPLOYING, (), "WaitingForWorkloads",
    ),
    "deploying: available": Row(
        a_run(Phase.DEPLOYING, status={"application_digest": "d"}),
        Observed(manifests_digest="d", application=OK), Phase.BASELINE,
    ),
    "deploying: no manifests, but the application is there": Row(
        a_run(Phase.DEPLOYING), Observed(application=OK), Phase.BASELINE
    ),
    "deploying: not deployable": Row(
        a_run(Phase.DEPLOYING, LONG_AGO), Observed(application=LATE), Phase.INVALID,
        (observed.ReleaseLock,), "ApplicationNotAvailable",
    ),
    "deploying: nothing there at all": Row(
        a_run(Phase.DEPLOYING, LONG_AGO), Observed(application=observed.Application(0)), Phase.INVALID,
        (observed.ReleaseLock,), "ApplicationNotAvailable",
    ),
    "deploying: manifests refused": Row(
        a_run(Phase.DEPLOYING), Observed(problem=BROKEN), Phase.INVALID, (observed.ReleaseLock,),
        "Unsupported"
    ),
    # Baseline
    "baseline: unhealthy": Row(
        a_run(Phase.BASELINE), Observed(application=LATE, load=FLOWING), Phase.BASELINE, (),
        "ApplicationNotAvailable",
    ),
    "baseline: an alert fired": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=observed.Load(True, ("A",))), Phase.BASELINE,
        (), "AlertsFiring",
    ),
    "baseline: no load": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=observed.Load(False)), Phase.BASELINE, (),
        "NoLoad"
    ),
    "baseline: pods too young for alerts to tell": Row(
        a_run(Phase.BASELINE),
        Observed(application=observed.Application(22, (), NOW - dt.timedelta(seconds=59)), load=FLOWING),
        Phase.BASELINE, (), "Settling",
    ),
    "baseline: quiet, not yet stored": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=FLOWING), Phase.BASELINE,
        (observed.SaveBaseline,)
    ),
    "baseline: quiet and stored": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=FLOWING, baseline_saved=True), Phase.INJECTING
    ),
    "baseline: never quiet": Row(
        a_run(Phase.BASELINE, LONG_AGO), Observed(application=OK, load=observed.Load(True, ("A",))),
        Phase.INVALID, (observed.ReleaseLock,), "AlertsFiring",
    ),
    "baseline: Prometheus away": Row(
        a_run(Phase.BASELINE), Observed(problem=RETRY), Phase.BASELINE, (), "Unreachable"
    ),
    "baseline: Prometheus away too long": Row(
        a_run(Phase.BASELINE, LONG_AGO), Observed(problem=RETRY), Phase.INVALID,
        (observed.ReleaseLock,), "Unreachable",
    ),
    # Injecting
    "injecting: no finalizer yet": Row(
        a_run(Phase.INJECTING, guarded=False), Observed(), Phase.INJECTING, (), "WaitingForFinalizer"
    ),
    "injecting: the lock is looked at again": Row(
        a_run(Phase.INJECTING), Observed(), Phase.INJECTING, (observed.AcquireLock,)
    ),
    "injecting: the lock is lost before anything was planned": Row(
        a_run(Phase.INJECTING), Observed(lock_holder="other"), Phase.INVALID, (observed.ReleaseLock,),
        "LockLost"
    ),
    "injecting: the lock is lost with a plan": Row(
        a_run(Phase.INJECTING), Observed(lock_holder="other", plan_saved=True), Phase.RECOVERING,
        ending="LockLost",
    ),
    "injecting: no plan": Row(
        a_run(Phase.INJECTING), Observed(lock_holder=UID), Phase.INJECTING, (observed.SavePlan,)
    ),
    "injecting: cannot be planned here": Row(
        a_run(Phase.INJECTING), Observed(lock_holder=UID, problem=BROKEN), Phase.INVALID,
        (observed.ReleaseLock,), "Unsupported",
    ),
    "injecting: planned": Row(a_run(Phase.INJECTING), injected, Phase.INJECTING, (observed.ApplyFaults,)),
    "injecting: half applied": Row(
        a_run(Phase.INJECTING), dataclasses.replace(injected, changes=observed.Changes(1, 2, False)),
        Phase.INJECTING, (), "Applying",
    ),
    "injecting: applied, truth not read back": Row(
        a_run(Phase.INJECTING), dataclasses.replace(injected, changes=observed.Changes(2, 2, True)),
        Phase.INJECTING, (observed.SaveTruth,),
    ),
    "injecting: applied and truth stored": Row(
        a_run(Phase.INJECTING),
        dataclasses.replace(injected, changes=observed.Changes(2, 2, True), truth_saved=True),
        Phase.MANIFESTING,
    ),
    "injecting: a control without decoys": Row(
        a_run(Phase.INJECTING),
        dataclasses.replace(injected, changes=observed.Changes(0, 0, True), truth_saved=True),
        Phase.MANIFESTING,
    ),
    "injecting: the noise of a control goes on": Row(
        a_run(Phase.INJECTING), dataclasses.replace(injected, changes=observed.Changes(0, 0, False)),
        Phase.INJECTING, (), "Applying",
    ),
    "injecting: never settles": Row(
        a_run(Phase.INJECTING, LONG_AGO),
        dataclasses.replace(injected, changes=observed.Changes(1, 2, False)), Phase.RECOVERING,
        ending="InjectionIncomplete",
    ),
    "injecting: refused half way": Row(
        a_run(Phase.INJECTING), dataclasses.replace(injected, problem=BROKEN), Phase.RECOVERING,
        ending="Unsupported",
    ),
    "injecting: API server away": Row(
        a_run(Phase.INJECTING), dataclasses.replace(injected, problem=RETRY), Phase.INJECTING, (),
        "Unreachable"
    ),
    # Manifesting
    "manifesting: nothing seen": Row(
        a_run(Phase.MANIFESTING), Observed(readings=(seen("a", False),)), Phase.MANIFESTING, (),
        "WaitingForSymptoms",
    ),
    "manifesting: one of two": Row(
        a_run(Phase.MANIFESTING), Observed(readings=(seen("a", True), seen("b", False))), Phase.MANIFESTING,
        (), "WaitingForSymptoms",
    ),
    "manifesting: the other was seen before": Row(
        a_run(Phase.MANIFESTING, status={"evidence": (run_status.Evidence("b", NOW, "x"),)}),
        Observed(readings=(seen("a", True), seen("b", False))), Phase.RECORDING,
    ),
    "manifesting: what is missing is not required": Row(
        a_run(Phase.MANIFESTING), Observed(readings=(seen("a", True), seen("b", False, required=False))),
        Phase.RECORDING,
    ),
    "manifesting: control": Row(a_run(Phase.MANIFESTING), Observed(readings=()), Phase.RECORDING),
    "manifesting: no snapshot wanted": Row(
        a_run(Phase.MANIFESTING, spec={"snapshot_enabled": False}), Observed(readings=()), Phase.ATTEMPTING
    ),
    "manifesting: never seen": Row(
        a_run(Phase.MANIFESTING, LONG_AGO), Observed(readings=(seen("a", False),)), Phase.RECOVERING,
        ending="SymptomNotSeen",
    ),
    "manifesting: not looked yet is not seen": Row(
        a_run(Phase.MANIFESTING), Observed(), Phase.MANIFESTING, (), "WaitingForSymptoms"
    ),
    # Recording
    "recording: not recorded": Row(
        a_run(Phase.RECORDING), Observed(), Phase.RECORDING, (observed.RecordSnapshot,)
    ),
    "recording: recorded": Row(
        a_run(Phase.RECORDING), Observed(snapshot=run_status.Snapshot("/p", "d", 3)), Phase.ATTEMPTING
    ),
    "recording: damaged": Row(
        a_run(Phase.RECORDING), Observed(problem=observed.Problem("Corrupt", "digest", False)),
        Phase.RECOVERING, ending="Corrupt",
    ),
    "recording: takes too long": Row(
        a_run(Phase.RECORDING, LONG_AGO), Observed(problem=RETRY), Phase.RECOVERING, ending="Unreachable"
    ),
    # Attempting
    "attempting: no agent wanted": Row(
        a_run(Phase.ATTEMPTING, spec={"agent": run.Agent(run.AgentKind.NONE)}), Observed(attempts=()),
        Phase.ATTEMPTING, (observed.Summarise,),
    ),
    "attempting: none yet, one at a time": Row(
        a_run(Phase.ATTEMPTING, spec=COUNT), Observed(attempts=()), Phase.ATTEMPTING,
        (observed.EnsureAttempt,)
    ),
    "attempting: none yet, two at a time": Row(
        a_run(Phase.ATTEMPTING, spec={**COUNT, "agent": run.Agent(parallelism=5)}), Observed(attempts=()),
        Phase.ATTEMPTING, (observed.EnsureAttempt, observed.EnsureAttempt),
    ),
    "attempting: an agent works": Row(
        a_run(Phase.ATTEMPTING, spec=COUNT), Observed(attempts=(an_attempt(1),)), Phase.ATTEMPTING, (),
        "AgentsWork",
    ),
    "attempting: its Job is missing": Row(
        a_run(Phase.ATTEMPTING), Observed(attempts=(an_attempt(1,
        job=attempt.Job(attempt.JobState.MISSING)),)),
        Phase.ATTEMPTING, (observed.EnsureAttempt,),
    ),
    "attempting: submitted": Row(
        a_run(Phase.ATTEMPTING), Observed(attempts=(an_attempt(1, phase=AttemptPhase.SUBMITTED),)),
        Phase.ATTEMPTING, (observed.ScoreAttempt,),
    ),
    "attempting: one scored, the next": Row(
        a_run(Phase.ATTEMPTING, spec=COUNT), Observed(attempts=(decided(1, AttemptPhase.SCORED, 1.0),)),
        Phase.ATTEMPTING, (observed.EnsureAttempt,),
    ),
    "attempting: failed on our side, again": Row(
        a_run(Phase.ATTEMPTING), Observed(attempts=(decided(1, AttemptPhase.INFRA_FAILED),)),
        Phase.ATTEMPTING, (observed.EnsureAttempt,),
    ),
    "attempting: all over, not summed up": Row(
        a_run(Phase.ATTEMPTING), Observed(attempts=(decided(1, AttemptPhase.SCORED, 1.0),)),
        Phase.ATTEMPTING, (observed.Summarise,),
    ),
    "attempting: all over": Row(
        a_run(Phase.ATTEMPTING),
        Observed(
            attempts=(decided(1, AttemptPhase.SCORED, 1.0),),
            score=run_status.ScoreSummary(1.0, 1, 1.0, 1.0),
        ),
        Phase.RECOVERING, ending="Recovered",
    ),
    "attempting: only ever failed on our side": Row(
        a_run(Phase.ATTEMPTING),
        Observed(
            attempts=tuple(decided(i, AttemptPhase.INFRA_FAILED) for i in (1, 2, 3)),
            score=run_status.ScoreSummary(None, 0, None, None, 3),
        ),
        Phase.RECOVERING, ending="AttemptsFailed",
    ),
    "attempting: nobody came for an external attempt, not again": Row(
        a_run(Phase.ATTEMPTING, spec={"agent": run.Agent(run.AgentKind.EXTERNAL)}),
        Observed(
            attempts=(decided(1, AttemptPhase.INFRA_FAILED),),
            score=run_status.ScoreSummary(None, 0, None, None, 1),
        ),
        Phase.RECOVERING, ending="AttemptsFailed",
    ),
    "attempting: cannot make attempts": Row(
        a_run(Phase.ATTEMPTING), Observed(problem=BROKEN), Phase.RECOVERING, ending="Unsupported"
    ),
    # Recovering
    "recovering: agents still work": Row(
        a_run(Phase.RECOVERING), Observed(plan_saved=True, attempts=(an_attempt(1),)), Phase.RECOVERING,
        (observed.SetVerdict,),
    ),
    "recovering: planned": Row(
        a_run(Phase.RECOVERING), Observed(plan_saved=True), Phase.RECOVERING, (observed.RevertFaults,)
    ),
    "recovering: half way": Row(
        a_run(Phase.RECOVERING), Observed(plan_saved=True, changes=observed.Changes(1, 2, False)),
        Phase.RECOVERING, (), "TakingBack",
    ),
    "recovering: half way for too long": Row(
        a_run(Phase.RECOVERING, LONG_AGO),
        Observed(plan_saved=True, changes=observed.Changes(1, 2, False, ("cart",))), Phase.FAILED,
        (observed.ReleaseLock,), "RecoveryFailed",
    ),
    "recovering: others changed it meanwhile": Row(
        a_run(Phase.RECOVERING),
        Observed(plan_saved=True, changes=observed.Changes(2, 2, True, (), ("Service/ad",))), Phase.FAILED,
        (observed.ReleaseLock,), "RecoveryFailed",
    ),
    "recovering: not healthy yet": Row(
        a_run(Phase.RECOVERING),
        Observed(plan_saved=True, changes=observed.Changes(2, 2, True), application=LATE, load=FLOWING),
        Phase.RECOVERING, (), "WaitingForHealth",
    ),
    "recovering: never healthy": Row(
        a_run(Phase.RECOVERING, LONG_AGO),
        Observed(plan_saved=True, changes=observed.Changes(2, 2, True), application=LATE, load=FLOWING),
        Phase.FAILED, (observed.ReleaseLock,), "RecoveryFailed",
    ),
    "recovering: healthy, drift not looked at": Row(
        a_run(Phase.RECOVERING),
        Observed(
            plan_saved=True, changes=observed.Changes(2, 2, True), application=OK, load=FLOWING,
            baseline_saved=True,
        ),
        Phase.RECOVERING, (observed.CheckDrift,),
    ),
    "recovering: drift may still settle": Row(
        a_run(Phase.RECOVERING),
        Observed(
            plan_saved=True, changes=observed.Changes(2, 2, True), application=OK, load=FLOWING,
            baseline_saved=True, drift=("x",),
        ),
        Phase.RECOVERING, (), "WaitingForDrift",
    ),
    "recovering: drift that stays is listed": Row(
        a_run(
            Phase.RECOVERING, LONG_AGO,
            status={"ending": run_status.Ending(Phase.COMPLETED, "Recovered", "")},
        ),
        Observed(
            plan_saved=True, changes=observed.Changes(2, 2, True), application=OK, load=FLOWING,
            baseline_saved=True, drift=("x",),
        ),
        Phase.COMPLETED, (observed.ReleaseLock,), "Recovered",
    ),
    "recovering: done after a failure": Row(
        a_run(
            Phase.RECOVERING, status={"ending": run_status.Ending(Phase.INVALID, "SymptomNotSeen", "a")}
        ),
        Observed(
            plan_saved=True, changes=observed.Changes(2, 2, True), application=OK, load=FLOWING,
            baseline_saved=True, drift=(),
        ),
        Phase.INVALID, (observed.ReleaseLock,), "SymptomNotSeen",
    ),
    "recovering: a refusal is tried again, too": Row(
        a_run(Phase.RECOVERING), Observed(problem=BROKEN), Phase.RECOVERING, (), "Unsupported"
    ),
    "recovering: refused for too long": Row(
        a_run(Phase.RECOVERING, LONG_AGO), Observed(problem=BROKEN), Phase.FAILED,
        (observed.ReleaseLock,), "RecoveryFailed",
    ),
    # over
    "completed": Row(a_run(Phase.COMPLETED), Observed(), Phase.COMPLETED),
    "invalid": Row(a_run(Phase.INVALID), Observed(), Phase.INVALID),
    "failed": Row(a_run(Phase.FAILED), Observed(), Phase.FAILED),
    # deletion
    **{
        f"deleted in {phase}: nothing was changed": Row(
            a_run(phase, deleting=True), Observed(), phase, (observed.CleanUp, observed.ReleaseLock)
        )
        for phase in (Phase.PENDING, Phase.DEPLOYING, Phase.BASELINE, Phase.COMPLETED, Phase.INVALID)
    },
    **{
        f"deleted in {phase}: recovers first": Row(
            a_run(phase, deleting=True), Observed(), Phase.RECOVERING, ending="Deleted"
        )
        for phase in (
            Phase.INJECTING, Phase.MANIFESTING, Phase.RECORDING, Phase.ATTEMPTING, Phase.FAILED,
        )
    },
    "deleted, recovering: taking back": Row(
        a_run(Phase.RECOVERING, deleting=True), Observed(plan_saved=True), Phase.RECOVERING,
        (observed.RevertFaults,),
    ),
    "deleted, recovering: taken back, health is not waited for": Row(
        a_run(
            Phase.RECOVERING, deleting=True,
            status={"ending": run_status.Ending(Phase.INVALID, "Deleted", "")},
        ),
        Observed(plan_saved=True, changes=observed.Changes(2, 2, True), application=LATE),
        Phase.INVALID, (observed.ReleaseLock,), "Deleted",
    ),
    "deleted, recovering: what others changed does not hold it": Row(
        a_run(
            Phase.RECOVERING, deleting=True,
            status={"ending": run_status.Ending(Phase.INVALID, "Deleted", "")},
        ),
        Observed(plan_saved=True, changes=observed.Changes(2, 2, True, (), ("Service/ad",))),
        Phase.INVALID, (observed.ReleaseLock,), "Deleted",
    ),
    "deleted, recovering: never lets go of a fault": Row(
        a_run(Phase.RECOVERING, LONG_AGO, deleting=True),
        Observed(plan_saved=True, changes=observed.Changes(1, 2, False)), Phase.RECOVERING, (),
        "RecoveryBlocksDeletion",
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
    assert decision.finished is False


@pytest.mark.parametrize("name", ROWS)
def test_deciding_again_changes_no_status(name: str) -> None:
    """A status that differs at every look would be written for ever."""
    row = ROWS[name]
    first = lifecycle.decide(row.run, row.seen, NOW)
    if first.again or first.status.phase is not row.run.status.phase:
        return
    again = lifecycle.decide(dataclasses.replace(row.run, status=first.status), row.seen, NOW)
    assert again.status == first.status


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("problem", [None, RETRY, BROKEN])
@pytest.mark.parametrize("since", [NOW, LONG_AGO])
def test_total(phase: Phase, deleting: bool, problem: observed.Problem | None, since: dt.datetime) -> None:
    """Knowing nothing is a situation, too: nothing is injected then, and no fault is let go of."""
    decision = lifecycle.decide(a_run(phase, since, deleting=deleting), Observed(problem=problem), NOW)
    assert isinstance(decision, Decision)
    assert observed.ApplyFaults not in {type(action) for action in decision.actions}
    assert not decision.finished


def test_a_new_run_begins() -> None:
    fresh = dataclasses.replace(a_run(Phase.PENDING), status=RunStatus())
    decision = lifecycle.decide(fresh, Observed(), NOW)
    assert decision.status.phase_started_at == NOW == decision.status.started_at
    assert decision.status.observed_generation == 1
    assert decision.again


def test_deletion_ends_after_cleaning() -> None:
    decision = lifecycle.decide(a_run(Phase.COMPLETED, deleting=True), Observed(cleaned=True), NOW)
    assert decision.finished


@pytest.mark.parametrize(
    ("phase", "gate"), [(phase, gate) for phase, gate in lifecycle.GATE_OF.items()], ids=str
)
def test_failing_in_a_phase_says_which_gate(phase: Phase, gate: ConditionType) -> None:
    decision = lifecycle.decide(a_run(phase, LONG_AGO), Observed(problem=BROKEN, plan_saved=True), NOW)
    condition = decision.status.condition(gate)
    assert condition is not None
    assert condition.status is False


@pytest.mark.parametrize(
    ("ending", "holds"), [(Phase.COMPLETED, True), (Phase.INVALID, False)], ids=["completed", "invalid"]
)
def test_completed_condition(ending: Phase, holds: bool) -> None:
    status = {"ending": run_status.Ending(ending, "R", "m")}
    healthy = Observed(application=OK, load=FLOWING)
    decision = lifecycle.decide(a_run(Phase.RECOVERING, status=status), healthy, NOW)
    condition = decision.status.condition(ConditionType.COMPLETED)
    assert decision.status.completed_at == NOW
    assert condition is not None
    assert condition.status is holds


def test_errors_stay_out_of_the_status_while_agents_may_come() -> None:
    """An error's text names objects."""
    for phase in (Phase.INJECTING, Phase.MANIFESTING, Phase.RECORDING, Phase.ATTEMPTING):
        decision = lifecycle.decide(a_run(phase), Observed(problem=RETRY, plan_saved=True), NOW)
        assert decision.status.phase is phase
        assert "secret-name" not in repr(decision.status)


def test_progress_names_no_object() -> None:
    changes = observed.Changes(1, 2, False, ("Deployment/secret-name",))
    decision = lifecycle.decide(a_run(Phase.INJECTING), dataclasses.replace(injected, changes=changes), NOW)
    assert "secret-name" not in repr(decision.status)


def test_unread_attempts_do_not_wipe_what_is_known() -> None:
    known_attempts = (run_status.AttemptSummary(1, "first-1", "u", "Scored", score=1.0),)
    before = a_run(Phase.RECOVERING, status={"attempts": known_attempts})
    decision = lifecycle.decide(before, Observed(problem=RETRY), NOW)
    assert decision.status.attempts == known_attempts


def test_a_failed_recovery_says_what_is_left_and_how_to_undo_it() -> None:
    seen_now = Observed(plan_saved=True, changes=observed.Changes(1, 2, False, ("Deployment/cart",)))
    message = lifecycle.decide(a_run(Phase.RECOVERING, LONG_AGO), seen_now, NOW).status.message
    assert "Deployment/cart" in message
    assert "docs/operations.md" in message


def test_evidence_is_kept_when_the_symptom_goes_away() -> None:
    first = lifecycle.decide(
        a_run(Phase.MANIFESTING), Observed(readings=(seen("a", True), seen("b", False))), NOW
    )
    later = dataclasses.replace(a_run(Phase.MANIFESTING), status=first.status)
    second = lifecycle.decide(
        later, Observed(readings=(seen("a", False), seen("b", True))), NOW + dt.timedelta(seconds=5)
    )
    assert second.status.phase is Phase.RECORDING
    assert [item.symptom for item in second.status.evidence] == ["a", "b"]
