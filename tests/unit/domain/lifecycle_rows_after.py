"""Situations from the fault on: symptoms, snapshot, attempts, recovery, deletion."""

from tests.unit.domain.lifecycle_runs import (
    BROKEN,
    FLOWING,
    LATE,
    LONG_AGO,
    NOW,
    OK,
    RETRY,
    Row,
    a_run,
    an_attempt,
    decided,
    seen,
)

from reprise.domain import attempt, observed, run, run_status
from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.observed import Observed
from reprise.domain.run_status import Phase

COUNT = {"repeats": 2}
ROWS = {
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
