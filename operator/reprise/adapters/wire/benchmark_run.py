"""BenchmarkRun: wire types, converted to `domain.run` and back. A test checks them against the CRD."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from reprise.adapters.wire import model
from reprise.adapters.wire.model import Model, Time
from reprise.domain import budget, retention
from reprise.domain import run as runs
from reprise.domain import run_status as statuses

KIND = "BenchmarkRun"
FINALIZER = "reprise.dev/recovery"
Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Seconds = Annotated[int, Field(ge=5, le=86400)]


class Application(Model):
    name: Name = "otel-demo"
    namespace: Name = "otel-demo"


SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class SecretKey(Model):
    name: SecretName
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class ModelEndpoint(Model):
    endpoint: Annotated[str, Field(max_length=512, pattern=r"^https?://[^/@?#]+(/[^?#]*)?$")]
    name: Annotated[str, Field(min_length=1, max_length=256)]
    secret_ref: SecretKey | None = None


class Variable(Model):
    name: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: Annotated[str, Field(max_length=4096)]


class SecretRef(Model):
    name: SecretName


class Agent(Model):
    kind: Literal["triage", "stirrup", "command", "scripted", "external", "none"] = "triage"
    image: Annotated[str, Field(max_length=512)] = ""
    parallelism: Annotated[int, Field(ge=1, le=20)] = 1
    model: ModelEndpoint | None = None
    command: Annotated[tuple[Annotated[str, Field(max_length=4096)], ...] | None, Field(max_length=64)] = None
    env: Annotated[tuple[Variable, ...] | None, Field(max_length=64)] = None
    secret_ref: SecretRef | None = None
    answer_file: Annotated[str | None, Field(max_length=256, pattern=r"^/tmp/[^/].*$")] = None
    mount_snapshot: bool = False


class Loop(Model):
    warn_after: Annotated[int, Field(ge=0, le=1000)] = 3
    stop_after: Annotated[int, Field(ge=0, le=1000)] = 0


class Budgets(Model):
    wall_clock_seconds: Annotated[int, Field(ge=10, le=86400)] = 600
    requests: Annotated[int, Field(ge=1, le=1000000)] = 2000
    turns: Annotated[int | None, Field(ge=1, le=1000000)] = None
    tokens: Annotated[int | None, Field(ge=1, le=1000000000)] = None
    cost_usd: Annotated[float | None, Field(alias="costUSD", ge=0, le=100000)] = None
    loop: Loop = Loop()


class Gates(Model):
    baseline_window_seconds: Annotated[int, Field(ge=5, le=3600)] = 20
    baseline_timeout_seconds: Seconds = 300
    deploy_timeout_seconds: Seconds = 600
    symptom_timeout_seconds: Seconds = 180
    recovery_timeout_seconds: Seconds = 300
    record_timeout_seconds: Seconds = 180


class Retention(Model):
    keep_last: Annotated[int | None, Field(ge=1, le=100000)] = None
    keep_days: Annotated[int | None, Field(ge=1, le=36500)] = None


_NAME = r"[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?"
# NB: no user, password, query or fragment: who may read a store is the operator's business.
_URL = rf"(s3|gs|az|abfss?|https?)://[A-Za-z0-9][-A-Za-z0-9.]*(:[0-9]{{1,5}})?(/[-A-Za-z0-9._~]+)*/{_NAME}"


class SnapshotSpec(Model):
    enabled: bool = True
    source: Annotated[str, Field(max_length=512, pattern=rf"^({_NAME}|{_URL})?$")] = ""
    retention: Retention | None = None


class Spec(Model):
    mode: Literal["live", "replay"] = "live"
    scenario: Name | None = None
    application: Application = Application()
    repeats: Annotated[int, Field(ge=1, le=runs.MAX_REPEATS)] = 1
    seed: Annotated[int, Field(ge=0, le=4294967295)] = 0
    agent: Agent = Agent()
    budgets: Budgets = Budgets()
    gates: Gates = Gates()
    snapshot: SnapshotSpec = SnapshotSpec()

    @pydantic.model_validator(mode="after")
    def _fits_its_mode(self) -> "Spec":
        """What the CRD's rules say, for objects that were stored before it had them."""
        replay = self.mode == "replay"
        if replay is (self.scenario is not None):
            raise ValueError(f"scenario: expected {'none' if replay else 'one'} with mode {self.mode}")
        if replay is not bool(self.snapshot.source):
            raise ValueError(f"snapshot.source: expected {'one' if replay else 'none'} with mode {self.mode}")
        kept = self.snapshot.retention
        if kept is not None and kept.keep_last is None and kept.keep_days is None:
            raise ValueError("snapshot.retention: expected keepLast, keepDays or both")
        if kept is not None and (replay or not self.snapshot.enabled):
            raise ValueError("snapshot.retention: expected none for a run that does not record")
        if replay and self.agent.kind == "external":
            raise ValueError("agent.kind: expected one that runs in the cluster with mode replay")
        return self


class PhaseStart(Model):
    phase: str
    started_at: Time


class Timeline(Model):
    baseline_at: Time | None = None
    injected_at: Time | None = None
    symptom_at: Time | None = None
    recorded_at: Time | None = None
    recovered_at: Time | None = None


class Evidence(Model):
    symptom: str
    seen_at: Time
    evidence: str


class Injection(Model):
    planned: int
    applied: int
    inverted: int


class Snapshot(Model):
    path: str
    digest: str
    files: int


class Attempt(Model):
    index: int
    name: str
    uid: str
    phase: str
    reason: str | None = None
    score: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    requests: int | None = None
    turns: int | None = None
    tokens: int | None = None
    cost_usd: Annotated[float | None, Field(alias="costUSD")] = None
    wall_clock_seconds: float | None = None


class Score(Model):
    mean: float | None = None
    n: int
    low: float | None = None
    high: float | None = None
    unscored: int


class Drift(Model):
    checked_at: Time
    differences: tuple[str, ...]


class Ending(Model):
    phase: Literal["Completed", "Invalid", "Failed"]
    reason: str
    message: str


class Condition(Model):
    type: Literal[
        "Queued", "Deployed", "BaselineHealthy", "Injected", "SymptomObserved", "Recorded", "Attempted",
        "Recovered", "Completed", "RetentionApplied",
    ]  # fmt: skip
    status: Literal["True", "False"]
    reason: str
    message: str
    last_transition_time: Time


class Status(Model):
    phase: (
        Literal[
            "Pending", "Deploying", "Baseline", "Injecting", "Manifesting", "Recording", "Attempting",
            "Recovering", "Completed", "Invalid", "Failed",
        ]
        | None
    ) = None  # fmt: skip
    reason: str | None = None
    message: str | None = None
    phase_started_at: Time | None = None
    started_at: Time | None = None
    completed_at: Time | None = None
    observed_generation: int | None = None
    application_digest: str | None = None
    phases: tuple[PhaseStart, ...] | None = None
    timeline: Timeline | None = None
    evidence: tuple[Evidence, ...] | None = None
    injection: Injection | None = None
    snapshot: Snapshot | None = None
    attempts: tuple[Attempt, ...] | None = None
    score: Score | None = None
    score_text: str | None = None
    drift: Drift | None = None
    ending: Ending | None = None
    conditions: tuple[Condition, ...] | None = None


def from_object(obj: Mapping[str, Any]) -> runs.Run:
    """Read a run as the API server returns it. Raises InvalidInput with every problem."""
    meta = obj["metadata"]
    what = f"{KIND} {meta.get('namespace', '')}/{meta.get('name', '')}"
    try:
        spec = Spec.model_validate(obj.get("spec") or {})
        status = Status.model_validate(obj.get("status") or {})
    except pydantic.ValidationError as exc:
        raise model.problems(exc, what) from exc
    return runs.Run(
        ref=ref_of(obj),
        created_at=model.parse_time(meta["creationTimestamp"]),
        generation=meta.get("generation", 0),
        deleting="deletionTimestamp" in meta,
        guarded=FINALIZER in (meta.get("finalizers") or ()),
        spec=spec_from_wire(spec),
        status=status_from_wire(status),
    )


def ref_of(obj: Mapping[str, Any]) -> runs.RunRef:
    """Which run an object is, without looking at its spec."""
    meta = obj["metadata"]
    return runs.RunRef(meta["namespace"], meta["name"], meta["uid"])


def snapshot_name(obj: Mapping[str, Any]) -> str:
    """What the folder of its snapshot is called in the operator's volume, recorded or fetched; "" while its
    status names none."""
    path = ((obj.get("status") or {}).get("snapshot") or {}).get("path") or ""
    return PurePosixPath(path).name


def spec_from_wire(wire: Spec) -> runs.RunSpec:
    kept = wire.snapshot.retention
    return runs.RunSpec(
        scenario=wire.scenario or "",
        mode=runs.Mode(wire.mode),
        source=wire.snapshot.source,
        application=runs.Application(wire.application.name, wire.application.namespace),
        repeats=wire.repeats,
        seed=wire.seed,
        agent=agent_from_wire(wire.agent),
        budgets=budget.Budget(
            **{**wire.budgets.model_dump(), "loop": budget.Loop(**wire.budgets.loop.model_dump())}
        ),
        gates=runs.Gates(**wire.gates.model_dump()),
        snapshot_enabled=wire.snapshot.enabled,
        retention=retention.Policy(kept.keep_last, kept.keep_days) if kept else None,
    )


def agent_from_wire(wire: Agent) -> runs.Agent:
    """What was asked for of the agent; the rules between the fields are the CRD's."""
    model_ = wire.model
    secret = runs.SecretKey(**model_.secret_ref.model_dump()) if model_ and model_.secret_ref else None
    return runs.Agent(
        kind=runs.AgentKind(wire.kind),
        image=wire.image,
        parallelism=wire.parallelism,
        model=runs.Model(model_.endpoint, model_.name, secret) if model_ else None,
        command=wire.command or (),
        env=tuple(runs.Variable(item.name, item.value) for item in wire.env or ()),
        secret=wire.secret_ref.name if wire.secret_ref else "",
        answer_file=wire.answer_file or "",
        mount_snapshot=wire.mount_snapshot,
    )


def status_from_wire(wire: Status) -> statuses.RunStatus:
    """The status as values; what is missing takes its default."""
    if wire.phase is None:
        return statuses.RunStatus()
    return statuses.RunStatus(
        phase=statuses.Phase(wire.phase),
        reason=wire.reason or "",
        message=wire.message or "",
        phase_started_at=wire.phase_started_at,
        started_at=wire.started_at,
        completed_at=wire.completed_at,
        observed_generation=wire.observed_generation or 0,
        application_digest=wire.application_digest or "",
        phases=tuple(
            statuses.PhaseStart(statuses.Phase(item.phase), item.started_at) for item in wire.phases or ()
        ),
        timeline=statuses.Timeline(**wire.timeline.model_dump()) if wire.timeline else statuses.Timeline(),
        evidence=tuple(statuses.Evidence(**item.model_dump()) for item in wire.evidence or ()),
        injection=statuses.Injection(**wire.injection.model_dump()) if wire.injection else None,
        snapshot=statuses.Snapshot(**wire.snapshot.model_dump()) if wire.snapshot else None,
        attempts=tuple(
            statuses.AttemptSummary(**item.model_dump(exclude_none=True)) for item in wire.attempts or ()
        ),
        score=statuses.ScoreSummary(**wire.score.model_dump()) if wire.score else None,
        drift=statuses.Drift(wire.drift.checked_at, wire.drift.differences) if wire.drift else None,
        ending=statuses.Ending(statuses.Phase(wire.ending.phase), wire.ending.reason, wire.ending.message)
        if wire.ending
        else None,
        conditions=tuple(
            statuses.Condition(
                statuses.ConditionType(item.type),
                item.status == "True",
                item.reason,
                item.message,
                item.last_transition_time,
            )
            for item in wire.conditions or ()
        ),
    )


def status_to_wire(status: statuses.RunStatus) -> dict[str, Any]:
    """The status as JSON values, without empty parts: the inverse of `status_from_wire`, to milliseconds."""
    score = status.score
    wire = Status.model_validate(
        {
            "phase": str(status.phase),
            "reason": status.reason or None,
            "message": status.message or None,
            "phase_started_at": status.phase_started_at,
            "started_at": status.started_at,
            "completed_at": status.completed_at,
            "observed_generation": status.observed_generation or None,
            "application_digest": status.application_digest or None,
            "phases": tuple(vars(item) for item in status.phases) or None,
            "timeline": vars(status.timeline) if status.timeline != statuses.Timeline() else None,
            "evidence": tuple(vars(item) for item in status.evidence) or None,
            "injection": vars(status.injection) if status.injection else None,
            "snapshot": vars(status.snapshot) if status.snapshot else None,
            "attempts": tuple(vars(item) for item in status.attempts) or None,
            "score": vars(score) if score else None,
            "score_text": score_text(score) if score else None,
            "drift": vars(status.drift) if status.drift else None,
            "ending": vars(status.ending) if status.ending else None,
            "conditions": tuple(
                {**vars(item), "status": "True" if item.status else "False"} for item in status.conditions
            )
            or None,
        }
    )
    return model.to_wire(wire)


def score_text(score: statuses.ScoreSummary) -> str:
    """The score for a printer column: `0.83 [0.50, 1.00] n=3`."""
    if score.mean is None or score.low is None or score.high is None:
        return f"- unscored={score.unscored}" if score.unscored else "-"
    text = f"{score.mean:.2f}"
    if score.n > 1:
        text += f" [{score.low:.2f}, {score.high:.2f}]"
    text += f" n={score.n}"
    return text + (f" unscored={score.unscored}" if score.unscored else "")
