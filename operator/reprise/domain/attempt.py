"""One agent working once on one incident, and when that is over.

The gateway writes how the attempt goes, the operator writes the verdict. Nothing here knows the truth.
"""

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import assert_never

from reprise.domain import errors, run
from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.budget import Usage

# How long the agent's program may take to send its first request before that is held against our side.
JOB_START_SECONDS = 180
# How long an external agent may take to attach; the wall clock begins then at the latest.
EXTERNAL_START_SECONDS = 900
# An agent whose attempt is over still writes the end of its record; it is not waited for longer.
LAST_WORDS_SECONDS = 10
# The gateway ends an attempt on time; past this the operator assumes that it cannot.
GATEWAY_GRACE_SECONDS = 30


@dataclass(frozen=True)
class Verdict:
    """The last word on an attempt. Set once.

    A failure of ours has no score, and everything else has one: raises InvalidInput otherwise.
    """

    phase: AttemptPhase
    reason: str
    decided_at: dt.datetime
    score: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None

    def __post_init__(self) -> None:
        if not self.phase.is_over or self.phase is AttemptPhase.SUBMITTED:
            raise errors.InvalidInput(f"expected a phase that ends an attempt for good, found {self.phase}")
        if (self.phase is AttemptPhase.INFRA_FAILED) != (self.score is None):
            raise errors.InvalidInput(
                f"expected a score for an agent's outcome and none for a failure of ours, "
                f"found {self.score} with {self.phase}"
            )


class JobState(enum.StrEnum):
    """What became of the agent's Job. `NOT_NEEDED`: the agent brings its own process."""

    NOT_NEEDED = "NotNeeded"
    MISSING = "Missing"
    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True)
class Job:
    """`ran`: the agent's container started at least once, so that what followed is the agent's doing.

    `infra`: it ran and ended with the word that what it stands on failed: the model's endpoint, the gateway.
    """

    state: JobState
    ran: bool = False
    message: str = ""
    infra: bool = False


@dataclass(frozen=True)
class Attempt:
    """An AgentAttempt as read, with what became of its Job."""

    index: int
    name: str
    uid: str
    kind: run.AgentKind
    created_at: dt.datetime
    start_by: dt.datetime
    wall_clock_seconds: int
    phase: AttemptPhase = AttemptPhase.PENDING
    message: str = ""
    started_at: dt.datetime | None = None
    submitted_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    submission: tuple[str, ...] | None = None
    verdict: Verdict | None = None
    job: Job = Job(JobState.NOT_NEEDED)

    @property
    def seconds(self) -> float | None:
        """Wall clock from the first request to the end, None while unknown."""
        end = self.submitted_at or self.ended_at
        if self.started_at is None or end is None:
            return None
        return round((end - self.started_at).total_seconds(), 3)

    def may_still_speak(self, now: dt.datetime) -> bool:
        """Whether the gateway has ended it and its program has not yet: its record may lack the end."""
        end = self.submitted_at or self.ended_at
        waited = dt.timedelta(seconds=LAST_WORDS_SECONDS)
        return self.job.state is JobState.ACTIVE and end is not None and now < end + waited


def start_seconds(kind: run.AgentKind) -> int:
    """How long after its creation an attempt's wall clock begins at the latest."""
    return JOB_START_SECONDS if kind.has_job else EXTERNAL_START_SECONDS


def judge(attempt: Attempt, now: dt.datetime) -> Verdict | None:
    """The verdict on an attempt that is over without a submission to score; None while it is not.

    An attempt in phase Submitted is never judged here: it is scored.
    """
    match attempt.phase:
        case AttemptPhase.SUBMITTED:
            return None
        case (
            AttemptPhase.TIMED_OUT
            | AttemptPhase.TURNS_EXHAUSTED
            | AttemptPhase.LOOP_STOPPED
            | AttemptPhase.CONTEXT_EXHAUSTED
        ):
            if attempt.requests == 0 and attempt.phase is AttemptPhase.TIMED_OUT:
                # The gateway does not know why; an image that cannot be pulled is known by its pod, and so is
                # a program that ran without asking anything and has ended, perhaps in the last seconds.
                if attempt.job.state is JobState.FAILED and attempt.job.ran:
                    return _job_ended(attempt, now)
                return Verdict(AttemptPhase.INFRA_FAILED, attempt.job.message or "NoAgentCame", now)
            return Verdict(attempt.phase, attempt.message or str(attempt.phase), now, score=0.0)
        case AttemptPhase.PENDING | AttemptPhase.RUNNING:
            return _overdue(attempt, now) or _job_ended(attempt, now)
        case AttemptPhase.SCORED | AttemptPhase.AGENT_FAILED | AttemptPhase.INFRA_FAILED:
            # The gateway copies a verdict into the status; without one in the spec somebody wrote it by hand.
            return Verdict(AttemptPhase.INFRA_FAILED, "StatusWithoutVerdict", now)
        case _:
            assert_never(attempt.phase)


def _job_ended(attempt: Attempt, now: dt.datetime) -> Verdict | None:
    match attempt.job.state:
        case JobState.SUCCEEDED:
            return Verdict(AttemptPhase.AGENT_FAILED, "EndedWithoutSubmission", now, score=0.0)
        case JobState.FAILED if attempt.job.ran and not attempt.job.infra:
            return Verdict(AttemptPhase.AGENT_FAILED, attempt.job.message or "AgentFailed", now, score=0.0)
        case JobState.FAILED:
            return Verdict(AttemptPhase.INFRA_FAILED, attempt.job.message or "JobFailed", now)
        case JobState.ACTIVE | JobState.MISSING | JobState.NOT_NEEDED:
            return None
        case _:
            assert_never(attempt.job.state)


def _overdue(attempt: Attempt, now: dt.datetime) -> Verdict | None:
    """The gateway should have ended it by now and did not: our side failed, whatever the agent did."""
    begin = min(attempt.started_at or attempt.start_by, attempt.start_by)
    limit = attempt.wall_clock_seconds + GATEWAY_GRACE_SECONDS
    if (now - begin).total_seconds() > limit:
        reason = "GatewayDidNotEndIt" if attempt.started_at else "NoAgentCame"
        return Verdict(AttemptPhase.INFRA_FAILED, reason, now)
    if (
        attempt.kind.has_job
        and attempt.started_at is None
        and not attempt.job.ran
        and (now - attempt.start_by).total_seconds() > 0
    ):
        return Verdict(AttemptPhase.INFRA_FAILED, attempt.job.message or "AgentNotStarted", now)
    return None
