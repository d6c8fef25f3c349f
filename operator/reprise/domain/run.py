"""A BenchmarkRun as values: what was asked for, and who asks."""

import datetime as dt
import enum
from dataclasses import dataclass, field

from reprise.domain import run_status
from reprise.domain.budget import Budget
from reprise.domain.retention import Policy

MAX_REPEATS = 100


class Mode(enum.StrEnum):
    """Where the incident comes from."""

    LIVE = "live"  # an application is deployed and broken
    REPLAY = "replay"  # a recorded snapshot is served


class AgentKind(enum.StrEnum):
    """Who works on the incident."""

    TRIAGE = "triage"  # the built-in one, a Job
    STIRRUP = "stirrup"  # a model in the open harness Stirrup, a Job
    COMMAND = "command"  # a command-line agent in an image of the user's, a Job
    SCRIPTED = "scripted"  # a recorded trajectory, a Job
    EXTERNAL = "external"  # somebody who attaches through the gateway
    NONE = "none"  # nobody: the run only records

    @property
    def has_job(self) -> bool:
        """Whether the agent is a program that we start."""
        return self not in (AgentKind.EXTERNAL, AgentKind.NONE)


@dataclass(frozen=True)
class Application:
    """What is broken. `namespace` is also what the application lock is named after."""

    name: str = "otel-demo"
    namespace: str = "otel-demo"


@dataclass(frozen=True)
class SecretKey:
    """A key of a Secret in the run's namespace."""

    name: str
    key: str


@dataclass(frozen=True)
class Model:
    """An OpenAI-compatible endpoint. Without `secret` it is asked without a key."""

    endpoint: str
    name: str
    secret: SecretKey | None = None


@dataclass(frozen=True)
class Variable:
    """An environment variable."""

    name: str
    value: str


@dataclass(frozen=True)
class Agent:
    """`secret` names a Secret of the run's namespace; all of it is given to the agent. `mount_snapshot`: the
    incident's files, too, as far as agents may see them."""

    kind: AgentKind = AgentKind.TRIAGE
    image: str = ""  # empty: the image that the operator was installed with
    parallelism: int = 1
    model: Model | None = None
    command: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    secret: str = ""
    answer_file: str = ""
    mount_snapshot: bool = False


@dataclass(frozen=True)
class Gates:
    """How long each gate may take before the run gives up, and how long the baseline must be quiet."""

    baseline_window_seconds: int = 20
    baseline_timeout_seconds: int = 300
    deploy_timeout_seconds: int = 600
    symptom_timeout_seconds: int = 180
    recovery_timeout_seconds: int = 300
    record_timeout_seconds: int = 180


@dataclass(frozen=True)
class RunSpec:
    """Immutable once applied. `scenario` is empty in a replay, `source` (which snapshot) in a live run."""

    scenario: str = ""
    mode: Mode = Mode.LIVE
    source: str = ""
    application: Application = field(default_factory=Application)
    repeats: int = 1
    seed: int = 0
    agent: Agent = field(default_factory=Agent)
    budgets: Budget = field(default_factory=lambda: Budget(wall_clock_seconds=600, requests=2000))
    gates: Gates = field(default_factory=Gates)
    snapshot_enabled: bool = True
    retention: Policy | None = None  # None: nothing is dropped


@dataclass(frozen=True, order=True)
class RunRef:
    """Names one run object; `uid` tells it from a later one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Run:
    """One BenchmarkRun as read from the API server.

    `deleting`: somebody deleted it and our finalizer holds it. `guarded`: our finalizer is on it, so that
    deletion cannot pass us by.
    """

    ref: RunRef
    created_at: dt.datetime
    generation: int
    deleting: bool
    guarded: bool
    spec: RunSpec
    status: run_status.RunStatus
