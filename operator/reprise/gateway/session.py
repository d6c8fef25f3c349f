"""One attempt while the gateway serves it: its counters, its phase, and the only writes to its status."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from reprise.domain import access, budget, errors, redaction
from reprise.domain.budget import Phase, Usage
from reprise.gateway import attempt as attempts
from reprise.gateway import audit
from reprise.gateway.meter import Meter
from reprise.gateway.store import StatusStore
from reprise.gateway.upstream import Source

log = logging.getLogger(__name__)
PERSIST_SECONDS = 5.0
MAX_PAGES_AT_ONCE = 4
MAX_TOOLS_AT_ONCE = 4
# Of the requests that come when all is over, so many are recorded.
MAX_LATE = 1000
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Session:
    """State of one attempt. Started by the registry with `run()`, fed with `update()`."""

    def __init__(
        self, attempt: attempts.Attempt, kube: Source, trail: audit.Trail, clock: Clock = utc_now
    ) -> None:
        status = attempt.status
        self.attempt = attempt
        self.trail = trail
        # Nothing older than this process has seen of the attempt may be watched from: history would show
        # what was changed, and when.
        self.oldest_revision = attempt.resource_version
        self._store = StatusStore(kube, attempt)
        self._clock = clock
        self._phase = attempt.phase
        self._started_at = redaction.parse_time(status.get("startedAt"))
        self._requests = max(int(status.get("requests") or 0), trail.totals.counted)
        self._free = trail.totals.free
        self._late = 0
        self._denied = max(int(status.get("denied") or 0), trail.totals.denied)
        self._meter = Meter(attempt.usage.grown(trail.totals.usage))
        self._message = status.get("message", "") if attempt.phase.is_over else ""
        # Only what moves from here on is written: another gateway may count, too.
        self._written: Mapping[str, Any] = {"requests": 0, "denied": 0, **status}
        self._seq = trail.totals.last_seq
        self._ended_at: str = status.get("endedAt", "")
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._streams: set[asyncio.Task[Any]] = set()
        # What the server counts: requests that are not answered to the end, those of them that are or become
        # streams, and what long answers have still to send.
        self.in_flight = 0
        self.streaming = 0
        self.unsent_bytes = 0
        # Pages of lists that are read and filtered at the same time.
        self.pages = asyncio.Semaphore(MAX_PAGES_AT_ONCE)
        # Tools over MCP that read at the same time; each holds what it has read until it answers.
        self.tools = asyncio.Semaphore(MAX_TOOLS_AT_ONCE)

    @property
    def view(self) -> redaction.View:
        return self.attempt.view

    @property
    def phase(self) -> Phase:
        """The phase by the clock, which the stored one follows."""
        attempt = self.attempt
        return budget.decide(attempt.limits, self._spent, attempt.start_by, attempt.verdict, self._clock())

    @property
    def _spent(self) -> budget.Spent:
        return budget.Spent(
            self._phase, self._started_at, self._requests, self._meter.usage, self._meter.repeats
        )

    def _explain(self, phase: Phase) -> str:
        return self._message or budget.explain(phase, self.attempt.limits, self._spent)

    def left(self) -> dict[str, float | int]:
        """What is left of the budgets that there are, by the names of `spec.budgets`."""
        return budget.left(self.attempt.limits, self._spent, self._clock())

    # -- requests -------------------------------------------------------------------------------

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    async def admit(self, path: str) -> access.Refusal | None:
        """Count a request and let it in, or say why not. The first one starts the wall clock, and waits until
        that is stored."""
        if not self.phase.is_over and self._started_at is None:
            async with self._lock:
                await self._settle()
                if self._started_at is None:
                    now = self._clock()
                    await self._store.write({"phase": str(Phase.RUNNING), "startedAt": rfc3339(now)})
                    self._started_at = now
                    self._phase = Phase.RUNNING
                    self._wake.set()
        if path not in audit.FREE_PATHS and not self.phase.is_over:
            self._requests += 1
        phase = self.phase
        if not phase.is_over:
            return None
        if not self._phase.is_over:
            self._wake.set()
        text = f"the attempt is over: {self._explain(phase)}"
        if phase in (Phase.TURNS_EXHAUSTED, Phase.LOOP_STOPPED):
            return access.Refusal(429, "TooManyRequests", text)
        return access.Refusal(401, "Unauthorized", text)

    def record(self, entry: audit.Entry) -> None:
        """Write the line of a request. An agent cannot make the trail grow without end: what costs nothing
        does so only so often, and of what comes after the end only so much is recorded. Raises OSError."""
        if self.phase.is_over:
            if self._late > MAX_LATE:
                return
            if self._late == MAX_LATE:
                self.trail.close_to_late_requests(MAX_LATE)
            else:
                self.trail.write(entry)
            self._late += 1
            return
        if entry.path in audit.FREE_PATHS:
            self._free += 1
            self._requests += self._free > audit.MAX_FREE
        self.trail.write(entry)

    def report(self, said: Usage) -> None:
        """Take in what a harness says that it has used. What it says after the end changes nothing."""
        if not self.phase.is_over:
            self._meter.report(said)
            if self.phase.is_over:
                self._wake.set()

    def note_call(self, key: str) -> str:
        """Count a call that is about to be made; a warning when the same one has come too often in a row, ""
        otherwise. Too many of them end the attempt: `admit`, called after this, says so."""
        if self.phase.is_over:
            return ""
        return self._meter.note_call(key, self.attempt.limits.loop)

    def note_denied(self) -> None:
        """Count a refusal. What comes after the end is in the audit trail only."""
        if not self._phase.is_over:
            self._denied += 1

    async def submit(self, entities: Iterable[str]) -> access.Refusal | None:
        """Store the submission, once. None when it is stored. Raises Unreachable when it could not be."""
        try:
            return await self._submit(list(entities))
        finally:
            # Also when the agent hung up halfway: what became of it is found out by run().
            self._wake.set()

    async def _submit(self, entities: list[str]) -> access.Refusal | None:
        async with self._lock:
            await self._settle()
            phase = self.phase
            if self._phase is Phase.SUBMITTED or self._store.stored.get("submission"):
                return access.Refusal(409, "Conflict", "a submission was accepted before; it stands")
            if phase.is_over:
                return access.Refusal(410, "Gone", f"too late: {self._explain(phase)}")
            now = rfc3339(self._clock())
            await self._store.write(
                {
                    "phase": str(Phase.SUBMITTED),
                    "submittedAt": now,
                    "endedAt": now,
                    "submission": {"entities": entities},
                    "message": self._explain(Phase.SUBMITTED),
                    **self._counters(),
                }
            )
            self._phase, self._ended_at = Phase.SUBMITTED, now
            return None

    async def end(self, phase: Phase, message: str) -> access.Refusal | None:
        """End the attempt as its harness reports. None when that is stored, a refusal when it was over
        already. Raises Unreachable when it could not be stored."""
        try:
            async with self._lock:
                await self._settle()
                if self.phase.is_over:
                    text = f"the attempt is over already: {self._explain(self.phase)}"
                    return access.Refusal(409, "Conflict", text)
                said = budget.explain(phase, self.attempt.limits, self._spent)
                text = f"{said}: {message}" if message else said
                now = rfc3339(self._clock())
                fields = {"phase": str(phase), "endedAt": now, "message": text, **self._counters()}
                await self._store.write(fields)
                self._phase, self._ended_at, self._message = phase, now, text
                return None
        finally:
            self._wake.set()

    async def _settle(self) -> None:
        """Take over what a write of ours has done whose answer never came."""
        await self._store.settle()
        self._adopt(self._store.stored)

    def _adopt(self, stored: Mapping[str, Any]) -> None:
        """A stored beginning or end is never taken back."""
        phase = Phase(stored.get("phase") or Phase.PENDING)
        if phase.is_over and not self._phase.is_over:
            self._phase, self._ended_at = phase, stored.get("endedAt", "")
            self._message = stored.get("message", "")
        if self._started_at is None and (started := redaction.parse_time(stored.get("startedAt"))):
            self._started_at = started

    # -- streams --------------------------------------------------------------------------------

    def add_stream(self) -> None:
        """Make the running task end with the attempt."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only called from request handlers
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    # -- life -----------------------------------------------------------------------------------

    def update(self, attempt: attempts.Attempt) -> None:
        """A newer version of the object. Mostly our own write; else the operator has decided, or another
        gateway (one that runs beside us for development) has been at work, and what it did stands."""
        decided = attempt.verdict is not self.attempt.verdict
        was_over = self._phase.is_over
        self.attempt = attempt
        self._adopt(attempt.status)
        if decided or was_over != self._phase.is_over:
            self._wake.set()

    async def run(self) -> None:
        """Keep the status true: deadlines, the verdict, the counters. Ends when the attempt is over and its
        last status is stored. Retries while the API server does not answer."""
        while True:
            self._wake.clear()
            phase = self.phase
            stored = False
            try:
                async with self._lock:
                    await self._settle()
                    await self._persist(self.phase)
                stored = True
            except errors.NotFound:
                return
            except errors.RepriseError as exc:
                log.warning("status of attempt %s: %s; trying again", self.attempt.uid, exc)
            if phase.is_over:
                for task in self._streams:
                    task.cancel()
                if stored and self.attempt.verdict is not None:
                    return
            delay = self._delay(phase) if stored else 1.0
            try:
                await asyncio.wait_for(self._wake.wait(), delay)
            except TimeoutError:
                continue
            # A busy agent wakes us for nothing but its end: what is only counted waits for the next round.

    def close(self) -> None:
        for task in self._streams:
            task.cancel()
        self.trail.close()

    def _delay(self, phase: Phase) -> float | None:
        """Seconds until there may be something to write; None to wait for an event."""
        if phase.is_over:
            return None
        end = budget.deadline(self.attempt.limits, self._spent, self.attempt.start_by)
        delay = None if end is None else max(0.01, (end - self._clock()).total_seconds())
        if self._started_at is None:
            return delay
        return PERSIST_SECONDS if delay is None else min(PERSIST_SECONDS, delay)

    def _counters(self) -> dict[str, Any]:
        """What has moved of the counters and of the trail since they were stored."""
        found = {"requests": self._requests, "denied": self._denied, **self._meter.status()}
        if self.trail.lines:
            found["audit"] = {"lines": self.trail.lines, "head": self.trail.head}
        return {key: value for key, value in found.items() if self._written.get(key) != value}

    async def _persist(self, phase: Phase) -> None:
        if phase is Phase.PENDING:
            await self._store.mark_pending(self.attempt.resource_version)
            return
        fields: dict[str, Any] = {"phase": str(phase)}
        counted = self._counters() if self._started_at is not None else {}
        fields |= counted
        if phase.is_over:
            self._ended_at = self._ended_at or rfc3339(self._clock())
            fields["endedAt"] = self._ended_at
            fields["message"] = self.attempt.verdict_reason or self._explain(phase)
        await self._store.write(fields)
        self._phase, self._written = phase, {**self._written, **counted}
