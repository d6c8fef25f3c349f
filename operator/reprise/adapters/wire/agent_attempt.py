"""AgentAttempt: wire types, converted to `domain.attempt`. A test checks them against the CRD."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from reprise.adapters.wire import model
from reprise.adapters.wire.model import Model, Time
from reprise.domain import attempt as attempts
from reprise.domain import budget
from reprise.domain import run as runs
from reprise.domain.budget import Phase

KIND = "AgentAttempt"
Share = Annotated[float, Field(ge=0, le=1)]


class RunRef(Model):
    name: Annotated[str, Field(max_length=253)]
    uid: Annotated[str, Field(max_length=64)]


class Agent(Model):
    kind: Literal["triage", "stirrup", "command", "scripted", "external"]
    image: Annotated[str, Field(max_length=512)] = ""


class Application(Model):
    namespace: Annotated[str, Field(max_length=63)]


class Window(Model):
    start: Time


class Loop(Model):
    warn_after: Annotated[int, Field(ge=0, le=1000)] = 3
    stop_after: Annotated[int, Field(ge=0, le=1000)] = 0


class Budgets(Model):
    wall_clock_seconds: Annotated[int, Field(ge=1)]
    requests: Annotated[int, Field(ge=1)]
    turns: Annotated[int | None, Field(ge=1)] = None
    tokens: Annotated[int | None, Field(ge=1)] = None
    cost_usd: Annotated[float | None, Field(alias="costUSD", ge=0)] = None
    loop: Loop = Loop()


class Verdict(Model):
    phase: Literal[
        "Scored",
        "TurnsExhausted",
        "TimedOut",
        "LoopStopped",
        "ContextExhausted",
        "AgentFailed",
        "InfraFailed",
    ]
    reason: Annotated[str, Field(max_length=1024)]
    decided_at: Time
    score: Share | None = None
    precision: Share | None = None
    recall: Share | None = None
    f1: Share | None = None


class Spec(Model):
    run: RunRef
    index: Annotated[int, Field(ge=1)]
    agent: Agent
    token_sha256: Annotated[str, Field(alias="tokenSha256", max_length=64, pattern=r"^[0-9a-f]{64}$")]
    application: Application
    window: Window
    budgets: Budgets
    injector: Literal["hidden", "visible"]
    start_by: Time | None = None
    verdict: Verdict | None = None


class Submission(Model):
    entities: Annotated[tuple[Annotated[str, Field(max_length=600)], ...], Field(max_length=200)]


class Usage(Model):
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_usd: Annotated[float | None, Field(alias="costUSD")] = None


class Audit(Model):
    lines: int
    head: str


class Status(Model):
    phase: (
        Literal[
            "Pending", "Running", "Submitted", "Scored", "TurnsExhausted", "TimedOut", "LoopStopped",
            "ContextExhausted", "AgentFailed", "InfraFailed",
        ]
        | None
    ) = None  # fmt: skip
    started_at: Time | None = None
    submitted_at: Time | None = None
    ended_at: Time | None = None
    requests: int | None = None
    denied: int | None = None
    turns: int | None = None
    usage: Usage | None = None
    audit: Audit | None = None
    submission: Submission | None = None
    message: str | None = None


def from_object(obj: Mapping[str, Any], job: attempts.Job) -> attempts.Attempt:
    """Read an attempt together with what became of its Job. Raises InvalidInput with every problem."""
    meta = obj["metadata"]
    try:
        spec = Spec.model_validate(obj.get("spec") or {})
        status = Status.model_validate(obj.get("status") or {})
    except pydantic.ValidationError as exc:
        raise model.problems(exc, f"{KIND} {meta.get('namespace', '')}/{meta.get('name', '')}") from exc
    created = model.parse_time(meta["creationTimestamp"])
    return attempts.Attempt(
        index=spec.index,
        name=meta["name"],
        uid=meta["uid"],
        kind=runs.AgentKind(spec.agent.kind),
        created_at=created,
        start_by=spec.start_by or created,
        wall_clock_seconds=spec.budgets.wall_clock_seconds,
        phase=Phase(status.phase or "Pending"),
        message=status.message or "",
        started_at=status.started_at,
        submitted_at=status.submitted_at,
        ended_at=status.ended_at,
        requests=status.requests or 0,
        usage=_usage(status),
        submission=status.submission.entities if status.submission else None,
        verdict=_verdict(spec.verdict),
        job=job,
    )


def budgets_to_wire(budgets: budget.Budget) -> dict[str, Any]:
    """`spec.budgets` of an attempt of a run, as JSON values."""
    return model.to_wire(Budgets.model_validate({**vars(budgets), "loop": vars(budgets.loop)}))


def _usage(status: Status) -> budget.Usage:
    said = status.usage.model_dump(exclude_none=True) if status.usage else {}
    return budget.Usage(turns=status.turns or 0, **said)


def verdict_to_wire(verdict: attempts.Verdict) -> dict[str, Any]:
    """`spec.verdict` as JSON values."""
    wire = Verdict.model_validate(
        {**vars(verdict), "phase": str(verdict.phase), "reason": verdict.reason[:1024]}
    )
    return model.to_wire(wire)


def _verdict(wire: Verdict | None) -> attempts.Verdict | None:
    if wire is None:
        return None
    return attempts.Verdict(**{**wire.model_dump(), "phase": Phase(wire.phase)})
