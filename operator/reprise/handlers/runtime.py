"""What the handlers work with: connections, settings, and the seams that tests replace."""

import asyncio
import datetime as dt
import os
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reprise.adapters import resolve
from reprise.adapters.engine import Engine
from reprise.adapters.kube import Kube
from reprise.adapters.run_store import RunStore
from reprise.domain import errors, observed, run_status, scenario, symptoms
from reprise.domain.run import Run

SYSTEM_NAMESPACE = "reprise-system"
AGENTS_NAMESPACE = "reprise-agents"
RUN_LABEL = "reprise.dev/run"
ATTEMPT_LABEL = "reprise.dev/attempt"


class Gates(Protocol):
    """What the gates ask the observability of the cluster."""

    async def load(self, namespace: str, window_seconds: int) -> observed.Load:
        """Whether users are served now, and the application alerts that fired within the window or are
        pending; with a window of 0, those that fire now."""

    async def history(self, wanted: tuple[symptoms.Symptom, ...]) -> observed.History:
        """How long the application must have run before the required ones among them can be told."""

    async def readings(
        self, wanted: tuple[symptoms.Symptom, ...], namespace: str, since: dt.datetime
    ) -> tuple[symptoms.Reading, ...]:
        """One look at each expected symptom."""


class Scenarios(Protocol):
    """`adapters.scenario_store.ScenarioStore`."""

    async def get(self, name: str) -> scenario.Scenario | None:
        """Raises InvalidInput when it cannot be read."""

    async def names(self) -> tuple[str, ...]:
        """What there is, for messages."""


class Recorder(Protocol):
    """Records the incident and verifies the digests. Must not block the event loop."""

    async def record(self, run: Run) -> run_status.Snapshot:
        """Raises Unreachable (try again) or Corrupt."""


class History(Protocol):
    """Watches the cluster's objects from a run's baseline until it is recorded. Must not block."""

    async def follow(self, run: Run) -> None:
        """Start, keep or end the watching, as the run's phase wants it. Called at every look."""

    async def forget(self, run_uid: str) -> None:
        """End the watching and remove what was seen."""


class Listener(Protocol):
    """Told of every phase that a run has entered, after it was written."""

    async def phase_changed(self, before: Run, after: Run) -> None:
        """Must not raise RepriseError: what listens must never hold up a run."""


@dataclass(frozen=True)
class Settings:
    """Where things are; see docs/operations.md for the variables."""

    scenarios: Path
    data: Path
    agent_image: str
    replay_image: str
    agent_shell_image: str = "reprise-agent-shell"
    pull_policy: str = "IfNotPresent"
    metrics_port: int = 9090
    interval_seconds: float = 1.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read `REPRISE_*`. Raises ValueError for a number that is none."""
        checkout = Path(__file__).parents[3]
        return cls(
            scenarios=Path(environ.get("REPRISE_SCENARIOS") or checkout / "scenarios"),
            data=Path(environ.get("REPRISE_DATA") or "/var/lib/reprise"),
            agent_image=environ.get("REPRISE_AGENT_IMAGE") or "reprise-agent",
            replay_image=environ.get("REPRISE_REPLAY_IMAGE") or "reprise-replay",
            agent_shell_image=environ.get("REPRISE_AGENT_SHELL_IMAGE") or "reprise-agent-shell",
            metrics_port=int(environ.get("REPRISE_METRICS_PORT") or 9090),
        )


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class Runtime:
    """One operator process. Everything that a run must remember is in the API server, not here."""

    kube: Kube
    engine: Engine
    store: RunStore
    gates: Gates
    recorder: Recorder
    history: History
    scenarios: Scenarios
    settings: Settings
    listeners: tuple[Listener, ...] = ()
    clock: Callable[[], dt.datetime] = utc_now
    resolve: Callable[[str], Awaitable[tuple[str, ...]]] = resolve.addresses
    # A delete handler may run while a timer's call is in flight: one look at a run at a time. Entries vanish
    # with their last user.
    _locks: weakref.WeakValueDictionary[str, asyncio.Lock] = field(
        default_factory=weakref.WeakValueDictionary
    )

    async def scenario(self, run: Run) -> scenario.Scenario:
        """The run's scenario. Raises NotFound when it is gone since the run began."""
        found = await self.scenarios.get(run.spec.scenario)
        if found is None:
            raise errors.NotFound(f"scenario {run.spec.scenario} is gone since the run began")
        return found

    def lock(self, run_uid: str) -> asyncio.Lock:
        found = self._locks.get(run_uid)
        if found is None:
            found = self._locks[run_uid] = asyncio.Lock()
        return found
