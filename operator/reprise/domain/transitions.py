"""Steps that the life of every run is made of, a live one's and a replayed one's alike."""

import dataclasses
import datetime as dt
from dataclasses import dataclass

from reprise.domain import observed
from reprise.domain.run import Run
from reprise.domain.run_status import ConditionType, Ending, Phase, RunStatus

# The condition that becomes True when a phase is left well, and False when the run fails in it.
GATE_OF = {
    Phase.DEPLOYING: ConditionType.DEPLOYED,
    Phase.BASELINE: ConditionType.BASELINE_HEALTHY,
    Phase.INJECTING: ConditionType.INJECTED,
    Phase.MANIFESTING: ConditionType.SYMPTOM_OBSERVED,
    Phase.RECORDING: ConditionType.RECORDED,
    Phase.ATTEMPTING: ConditionType.ATTEMPTED,
    Phase.RECOVERING: ConditionType.RECOVERED,
}


@dataclass(frozen=True)
class Decision:
    """`status` is written when it differs, then `actions` are performed.

    `again`: look once more at once, there is nothing to wait for. `finished`: deletion may go on.
    """

    status: RunStatus
    actions: tuple[observed.Action, ...] = ()
    again: bool = False
    finished: bool = False


def waiting(status: RunStatus, reason: str, message: str) -> RunStatus:
    return dataclasses.replace(status, reason=reason, message=message)


def gate_passed(status: RunStatus, reason: str, message: str, now: dt.datetime) -> RunStatus:
    return status.with_condition(GATE_OF[status.phase], True, reason, message, now)


def finish(run: Run, ending: Ending, now: dt.datetime) -> Decision:
    """A terminal phase. The lock is released after that is written: a crash in between frees it as well,
    because a holder that is over may be taken over from."""
    status = run.status.enter(ending.phase, now)
    status = dataclasses.replace(
        status, reason=ending.reason, message=ending.message, completed_at=now, ending=None
    )
    if status.condition(ConditionType.QUEUED):
        status = status.with_condition(ConditionType.QUEUED, False, "Over", "", now)
    done = ending.phase is Phase.COMPLETED
    status = status.with_condition(ConditionType.COMPLETED, done, ending.reason, ending.message, now)
    return Decision(status, (observed.ReleaseLock(),))
