"""What `lifecycle.decide` decides from, and the actions that it may ask for.

`Observed` holds what was read for the run's phase. A field that is None was not asked yet: `decide` answers
with the action that finds out, its outcome is folded in, and `decide` is asked again.
"""

import datetime as dt
from dataclasses import dataclass

from reprise.domain import attempt, run_status, symptoms


@dataclass(frozen=True)
class Problem:
    """An observation or action failed. `retryable`: the same may succeed later with nobody's help."""

    reason: str
    message: str
    retryable: bool


@dataclass(frozen=True)
class Application:
    """How far the application is from being available.

    `waiting` has one line a workload: which, and why. `ready_since`: when its last pod became ready.
    `ending`: pods that were deleted and are not gone.
    """

    workloads: int
    waiting: tuple[str, ...] = ()
    ready_since: dt.datetime | None = None
    ending: tuple[str, ...] = ()

    @property
    def available(self) -> bool:
        return self.workloads > 0 and not self.waiting


@dataclass(frozen=True)
class Load:
    """Whether users are being served, and which application alerts fired lately or are about to."""

    flowing: bool
    alerts: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class History:
    """How long the application must have run before `alerts` can tell what is unusual."""

    seconds: float = 0.0
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """How far the engine got with applying or inverting. `conflicts`: objects that others changed."""

    done: int
    total: int
    settled: bool
    waiting_for: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replay:
    """A snapshot that can be replayed: verified, and its truth stored for scoring. Times as recorded."""

    snapshot: run_status.Snapshot
    timeline: run_status.Timeline


@dataclass(frozen=True)
class Observed:
    problem: Problem | None = None
    # Pending
    scenario_known: bool | None = None
    scenarios: tuple[str, ...] = ()
    ahead: str = ""  # the run that this one waits for, "namespace/name (Phase)"
    lock_holder: str | None = None  # uid; None: not asked
    # Deploying, Baseline, Recovering
    manifests_digest: str | None = None  # None: no manifests are known, the application is used as it is
    applied_digest: str | None = None
    application: Application | None = None
    load: Load | None = None
    history: History | None = None
    baseline_saved: bool = False
    # Injecting and after
    plan_saved: bool = False
    changes: Changes | None = None
    truth_saved: bool = False
    readings: tuple[symptoms.Reading, ...] | None = None
    snapshot: run_status.Snapshot | None = None
    attempts: tuple[attempt.Attempt, ...] | None = None
    score: run_status.ScoreSummary | None = None
    drift: tuple[str, ...] | None = None
    # Replays
    replay: Replay | None = None
    served: bool | None = None  # whether the snapshot's server answers; None: not asked
    withdrawn: bool = False
    cleaned: bool = False
    # Completed
    condemned: tuple[str, ...] | None = None  # snapshots that the retention policy takes away, by name
    discarded: bool = False


# -- actions: each may be performed twice, and the process may die right after it ----------


@dataclass(frozen=True)
class AcquireLock:
    """Take the application's lock, from a holder that is gone or over too. Fills `lock_holder`."""


@dataclass(frozen=True)
class ReleaseLock:
    """Give the application's lock back, if it is ours."""


@dataclass(frozen=True)
class ApplyApplication:
    """Apply the application's manifests. Fills `applied_digest`."""


@dataclass(frozen=True)
class SaveBaseline:
    """Store the fingerprint that drift is measured against. Fills `baseline_saved`."""


@dataclass(frozen=True)
class SavePlan:
    """Plan the scenario's faults; store them with their before-images. Fills `plan_saved`."""


@dataclass(frozen=True)
class ApplyFaults:
    """Apply the stored plan and read it back. Fills `changes`."""


@dataclass(frozen=True)
class SaveTruth:
    """Read the truth back from what was really applied, and store it. Fills `truth_saved`."""


@dataclass(frozen=True)
class RecordSnapshot:
    """Record, and verify the digests. Fills `snapshot`."""


@dataclass(frozen=True)
class LoadSnapshot:
    """Find and verify the snapshot to replay, and store its truth. Fills `replay`."""


@dataclass(frozen=True)
class ServeSnapshot:
    """Make the snapshot's server, or what is missing of it. Fills `served`."""


@dataclass(frozen=True)
class WithdrawSnapshot:
    """Remove the snapshot's server. Fills `withdrawn`."""


@dataclass(frozen=True)
class EnsureAttempt:
    """Make the attempt of this index with everything that its agent needs, or what is missing of it."""

    index: int


@dataclass(frozen=True)
class ScoreAttempt:
    """Compare the attempt's submission with the truth and set its verdict."""

    name: str


@dataclass(frozen=True)
class SetVerdict:
    """Set the verdict on an attempt and stop its agent."""

    name: str
    verdict: attempt.Verdict


@dataclass(frozen=True)
class Summarise:
    """Mean and interval over the attempts' scores. Fills `score`."""

    values: tuple[float, ...]
    unscored: int


@dataclass(frozen=True)
class RevertFaults:
    """Invert the stored plan and read it back. Fills `changes`."""


@dataclass(frozen=True)
class CheckDrift:
    """Compare the application with the stored fingerprint. Fills `drift`."""


@dataclass(frozen=True)
class CleanUp:
    """Remove what the run made outside the application, its plan and truth included. Fills `cleaned`."""


@dataclass(frozen=True)
class CondemnSnapshots:
    """Take away what the run's retention policy does not keep. Fills `condemned`."""


@dataclass(frozen=True)
class DiscardSnapshots:
    """Remove what was taken away for this run. Fills `discarded`."""


Action = (
    AcquireLock
    | ReleaseLock
    | ApplyApplication
    | SaveBaseline
    | SavePlan
    | ApplyFaults
    | SaveTruth
    | RecordSnapshot
    | LoadSnapshot
    | ServeSnapshot
    | WithdrawSnapshot
    | EnsureAttempt
    | ScoreAttempt
    | SetVerdict
    | Summarise
    | RevertFaults
    | CheckDrift
    | CleanUp
    | CondemnSnapshots
    | DiscardSnapshots
)
