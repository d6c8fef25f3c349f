"""How far a run is. Only the operator writes it; nothing in it is the answer while agents work."""

import dataclasses
import datetime as dt
import enum
from dataclasses import dataclass, field
from pathlib import PurePosixPath


class Phase(enum.StrEnum):
    """The life of a run, in order; see docs/architecture.md."""

    PENDING = "Pending"
    DEPLOYING = "Deploying"
    BASELINE = "Baseline"
    INJECTING = "Injecting"
    MANIFESTING = "Manifesting"
    RECORDING = "Recording"
    ATTEMPTING = "Attempting"
    RECOVERING = "Recovering"
    COMPLETED = "Completed"
    INVALID = "Invalid"  # our side could not carry it out; unscored, nothing left behind
    FAILED = "Failed"  # something is left behind; the message says what and how to undo it

    @property
    def terminal(self) -> bool:
        return self in (Phase.COMPLETED, Phase.INVALID, Phase.FAILED)


class ConditionType(enum.StrEnum):
    """Every condition that `kubectl wait --for=condition=…` can wait for."""

    QUEUED = "Queued"
    DEPLOYED = "Deployed"
    BASELINE_HEALTHY = "BaselineHealthy"
    INJECTED = "Injected"
    SYMPTOM_OBSERVED = "SymptomObserved"
    RECORDED = "Recorded"
    ATTEMPTED = "Attempted"
    RECOVERED = "Recovered"
    COMPLETED = "Completed"
    RETENTION_APPLIED = "RetentionApplied"


@dataclass(frozen=True)
class Condition:
    type: ConditionType
    status: bool
    reason: str
    message: str
    last_transition_time: dt.datetime


@dataclass(frozen=True)
class Timeline:
    """When the run passed each mark, UTC. `injected_at` is taken before the first change is made."""

    baseline_at: dt.datetime | None = None
    injected_at: dt.datetime | None = None
    symptom_at: dt.datetime | None = None
    recorded_at: dt.datetime | None = None
    recovered_at: dt.datetime | None = None


@dataclass(frozen=True)
class PhaseStart:
    """One phase that the run entered."""

    phase: Phase
    started_at: dt.datetime


@dataclass(frozen=True)
class Evidence:
    """A symptom that was seen: its name, when, and what was seen (alert names and labels)."""

    symptom: str
    seen_at: dt.datetime
    evidence: str


@dataclass(frozen=True)
class Injection:
    """How many changes are planned, in place, and taken back. Numbers only: names would be the answer."""

    planned: int = 0
    applied: int = 0
    inverted: int = 0


@dataclass(frozen=True)
class Snapshot:
    path: str
    digest: str
    files: int

    @property
    def name(self) -> str:
        """What its folder is called in the operator's volume."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class AttemptSummary:
    """One attempt in the run's status. Scores are None for what is not (yet) scored; unscored is not 0.
    Turns, tokens and cost are None when no harness has reported them."""

    index: int
    name: str
    uid: str
    phase: str
    reason: str = ""
    score: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    requests: int = 0
    turns: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    wall_clock_seconds: float | None = None


@dataclass(frozen=True)
class ScoreSummary:
    """Mean over the scored attempts with its 95 % interval; `unscored` are counted apart."""

    mean: float | None
    n: int
    low: float | None
    high: float | None
    unscored: int = 0


@dataclass(frozen=True)
class Drift:
    checked_at: dt.datetime
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """Where Recovering leads, fixed when it begins."""

    phase: Phase
    reason: str
    message: str


@dataclass(frozen=True)
class RunStatus:
    """The whole status. `phase_started_at` plus a gate's seconds is a deadline; there are no other timers."""

    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    phase_started_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    observed_generation: int = 0
    application_digest: str = ""
    phases: tuple[PhaseStart, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)
    evidence: tuple[Evidence, ...] = ()
    injection: Injection | None = None
    snapshot: Snapshot | None = None
    attempts: tuple[AttemptSummary, ...] = ()
    score: ScoreSummary | None = None
    drift: Drift | None = None
    ending: Ending | None = None
    conditions: tuple[Condition, ...] = ()

    def enter(self, phase: Phase, now: dt.datetime) -> "RunStatus":
        """The status with a new phase begun, its reason and message blank."""
        return dataclasses.replace(
            self,
            phase=phase,
            phase_started_at=now,
            phases=(*self.phases, PhaseStart(phase, now)),
            reason="",
            message="",
        )

    def condition(self, kind: ConditionType) -> Condition | None:
        return next((found for found in self.conditions if found.type is kind), None)

    def with_condition(
        self, kind: ConditionType, status: bool, reason: str, message: str, now: dt.datetime
    ) -> "RunStatus":
        """The status with one condition set. The transition time changes only when the truth value does."""
        before = self.condition(kind)
        since = before.last_transition_time if before and before.status is status else now
        new = Condition(kind, status, reason, message, since)
        if before == new:
            return self
        rest = tuple(found for found in self.conditions if found.type is not kind)
        order = list(ConditionType)
        conditions = tuple(sorted((*rest, new), key=lambda item: order.index(item.type)))
        return dataclasses.replace(self, conditions=conditions)
