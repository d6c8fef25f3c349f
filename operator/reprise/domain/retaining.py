"""What a run that is Completed does about the snapshots before it: its retention policy, once.

Three steps, so that what goes is said even when the process dies between any two: the snapshots are condemned
(renamed, each at once), their names are written into the condition, then they are removed.
"""

import datetime as dt

from reprise.domain import observed
from reprise.domain.observed import Observed
from reprise.domain.run import Run
from reprise.domain.run_status import Condition, ConditionType, Phase
from reprise.domain.transitions import Decision

# The reason while something is condemned and not yet removed.
DROPPING = "Dropping"


def is_due(completed: bool, recorded: bool, wanted: bool, reason: str | None) -> bool:
    """Whether there is something left to do. `reason` is that of the condition, None without one."""
    return completed and recorded and wanted and reason in (None, DROPPING)


def decide(run: Run, seen: Observed, now: dt.datetime) -> Decision:
    """What happens next to a run that is over and not being deleted."""
    before = run.status.condition(ConditionType.RETENTION_APPLIED)
    completed = run.status.phase is Phase.COMPLETED
    recorded, wanted = run.status.snapshot is not None, run.spec.retention is not None
    if not is_due(completed, recorded, wanted, before.reason if before else None):
        return Decision(run.status)
    if seen.problem:
        if seen.problem.retryable:
            return Decision(run.status)
        # The run has its score: what cannot be removed is said, and is nobody's failure.
        return _say(run, False, seen.problem.reason, seen.problem.message, now)
    if before is not None:
        return _dropping(run, before, seen, now)
    if seen.condemned is None:
        return Decision(run.status, (observed.CondemnSnapshots(),))
    if not seen.condemned:
        return _say(run, True, "NothingToDrop", "the policy keeps every snapshot that it governs", now)
    names = ", ".join(seen.condemned)
    said = _say(run, False, DROPPING, f"{len(seen.condemned)} snapshots: {names}", now)
    return Decision(said.status, (observed.DiscardSnapshots(),))


def _dropping(run: Run, before: Condition, seen: Observed, now: dt.datetime) -> Decision:
    if not seen.discarded:
        return Decision(run.status, (observed.DiscardSnapshots(),))
    return _say(run, True, "Dropped", before.message, now)


def _say(run: Run, holds: bool, reason: str, message: str, now: dt.datetime) -> Decision:
    return Decision(run.status.with_condition(ConditionType.RETENTION_APPLIED, holds, reason, message, now))
