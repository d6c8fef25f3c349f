"""One look at one run: observe, decide, write the status, perform, until there is nothing to do for now."""

import dataclasses
import logging
from typing import Any

from reprise.adapters.kube import Json
from reprise.adapters.wire import benchmark_run, model
from reprise.domain import errors, lifecycle
from reprise.domain.entities import ObjectRef
from reprise.domain.observed import Observed
from reprise.domain.run import Run, RunRef
from reprise.domain.run_status import RunStatus
from reprise.handlers import effects
from reprise.handlers.observe import observe, problem
from reprise.handlers.runtime import Runtime

logger = logging.getLogger(__name__)

# One look never goes further: a decision that asks for the same thing for ever would otherwise hold the lock.
MAX_STEPS = 100


async def look(runtime: Runtime, ref: RunRef) -> bool:
    """Bring the run as far as it goes now. True when its deletion may go on, or when it is gone.

    Raises nothing of ours: what fails is logged and tried again at the next look.
    """
    async with runtime.lock(ref.uid):
        try:
            return await _look(runtime, ref)
        except errors.RepriseError as exc:
            level = logging.WARNING if exc.retryable else logging.ERROR
            logger.log(level, "%s: cannot go on now: %s", ref, exc)
            return False


async def _look(runtime: Runtime, ref: RunRef) -> bool:
    run = await read(runtime, ref)
    if run is None:
        await runtime.history.forget(ref.uid)
        return True
    seen: Observed | None = None
    for _ in range(MAX_STEPS):
        if seen is None:
            seen = await observe(runtime, run)
        decision = lifecycle.decide(run, seen, runtime.clock())
        written = await write(runtime, run, decision.status)
        moved = written.status.phase is not run.status.phase
        run = written
        await _follow(runtime, run)
        for action in decision.actions:
            try:
                seen = await effects.perform(runtime, run, action, seen)
            except errors.RepriseError as exc:
                logger.warning("%s: %s failed: %s", ref, type(action).__name__, exc)
                seen = dataclasses.replace(seen, problem=problem(exc))
                break
        if decision.finished:
            return True
        if moved or decision.again:
            seen = None
        elif not decision.actions:
            return False
    raise errors.Conflict(f"{ref}: {MAX_STEPS} steps in one look; goes on at the next one")


async def _follow(runtime: Runtime, run: Run) -> None:
    """A run goes on without its history: the snapshot says that it is missing."""
    try:
        await runtime.history.follow(run)
    except (errors.RepriseError, OSError) as exc:
        logger.warning("%s: cannot watch the cluster's objects: %s", run.ref, exc)


async def read(runtime: Runtime, ref: RunRef) -> Run | None:
    """The run as it is now; None when it, and not just its name, is gone."""
    found = await runtime.kube.get(object_ref(ref))
    if found is None or found["metadata"]["uid"] != ref.uid:
        return None
    return benchmark_run.from_object(found)


def object_ref(ref: RunRef) -> ObjectRef:
    return ObjectRef(model.API_VERSION, benchmark_run.KIND, ref.namespace, ref.name)


async def write(runtime: Runtime, run: Run, status: RunStatus) -> Run:
    """Write the status if it differs and tell the listeners of a new phase. Returns the run as stored.

    Raises Conflict when the run changed since it was read: the next look starts afresh.
    """
    # NB: a run without a status reads as Pending; compared with that, the phase would never be written.
    fresh = run.status.phase_started_at is None
    before = {} if fresh else benchmark_run.status_to_wire(run.status)
    patch = difference(before, benchmark_run.status_to_wire(status))
    if not patch:
        return run
    body: Json = {"metadata": {"uid": run.ref.uid}, "status": patch}
    stored = benchmark_run.from_object(await runtime.kube.patch(object_ref(run.ref), body, "status"))
    if stored.status.phase is not run.status.phase or fresh:
        logger.info("%s: %s -> %s %s", run.ref, run.status.phase, stored.status.phase, stored.status.reason)
        for listener in runtime.listeners:
            await listener.phase_changed(run, stored)
    return stored


def difference(before: Json, after: Json) -> dict[str, Any]:
    """The merge patch from one status to the other: changed parts as a whole, vanished ones as null.

    Merge patches merge maps: a map that lost a key needs that key as null, too.
    """
    patch: dict[str, Any] = {}
    for key in {*before, *after}:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            patch[key] = {**{lost: None for lost in old if lost not in new}, **new}
        else:
            patch[key] = new
    return patch
