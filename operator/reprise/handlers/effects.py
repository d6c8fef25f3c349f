"""Perform the actions that were decided on, and fold their outcome into what is known.

Every action may run twice and may be the last thing that this process does.
"""

import dataclasses
import logging
from typing import assert_never

from reprise.adapters import engine as engines
from reprise.adapters.wire import benchmark_run, model
from reprise.domain import errors, observed, plan
from reprise.domain.entities import ObjectRef
from reprise.domain.observed import Observed
from reprise.domain.run import Mode, Run
from reprise.faults import registry
from reprise.handlers import (
    agent_snapshot,
    application,
    attempts,
    keeping,
    lease,
    replay_source,
    replays,
)
from reprise.handlers.runtime import AGENTS_NAMESPACE, RUN_LABEL, Runtime

logger = logging.getLogger(__name__)


async def perform(runtime: Runtime, run: Run, action: observed.Action, seen: Observed) -> Observed:
    """Perform one action. Raises RepriseError; what was known stays valid then."""
    replace = dataclasses.replace
    match action:
        case observed.AcquireLock():
            return replace(seen, lock_holder=await lease.acquire(runtime.kube, run))
        case observed.ReleaseLock():
            await lease.release(runtime.kube, run)
            return seen
        case observed.ApplyApplication():
            source = await application.manifests(runtime.kube, run.spec.application)
            if source is None:
                raise errors.Conflict("the application's manifests vanished between two looks; tried again")
            await application.apply(runtime.kube, run.spec.application, source)
            return replace(seen, applied_digest=source.digest)
        case observed.SaveBaseline():
            fingerprint = await runtime.engine.fingerprint(run.spec.application.namespace)
            await runtime.store.save_baseline(run.ref.uid, fingerprint)
            return replace(seen, baseline_saved=True)
        case observed.SavePlan() | observed.ApplyFaults() | observed.SaveTruth():
            return await _inject(runtime, run, action, seen)
        case observed.RecordSnapshot():
            return replace(seen, snapshot=await runtime.recorder.record(run))
        case observed.LoadSnapshot() | observed.ServeSnapshot() | observed.WithdrawSnapshot():
            return await _replay(runtime, run, action, seen)
        case observed.EnsureAttempt():
            await attempts.ensure(runtime, run, action.index)
            return replace(seen, attempts=await attempts.read(runtime, run))
        case observed.ScoreAttempt() | observed.SetVerdict():
            return await _judge(runtime, run, action, seen)
        case observed.Summarise():
            return replace(seen, score=await attempts.summarise(run, action.values, action.unscored))
        case observed.RevertFaults() | observed.CheckDrift():
            return await _recover(runtime, run, action, seen)
        case observed.CleanUp():
            await _clean_up(runtime, run)
            return replace(seen, cleaned=True)
        case observed.CondemnSnapshots():
            return replace(seen, condemned=await keeping.condemn(runtime, run))
        case observed.DiscardSnapshots():
            await keeping.discard(runtime, run)
            return replace(seen, discarded=True)
        case _:
            assert_never(action)


async def _stored_plan(runtime: Runtime, run: Run) -> plan.Plan:
    stored = await runtime.store.load_plan(run.ref.uid)
    if stored is None:
        raise errors.Corrupt(f"run {run.ref.uid}: expected its stored plan, found none")
    return stored


async def _inject(
    runtime: Runtime,
    run: Run,
    action: observed.SavePlan | observed.ApplyFaults | observed.SaveTruth,
    seen: Observed,
) -> Observed:
    match action:
        case observed.SavePlan():
            wanted = await runtime.scenario(run)
            made = await runtime.engine.plan(wanted, run.spec.application.namespace, run.spec.seed)
            await runtime.store.save_plan(run.ref.uid, made)
            return dataclasses.replace(seen, plan_saved=True)
        case observed.ApplyFaults():
            # NB: what the run's status says may be stale by now; a run that is being deleted must not be
            # given a fault that its deletion has already recovered.
            await _check_still_wanted(runtime, run)
            progress = await runtime.engine.apply(await _stored_plan(runtime, run))
            return dataclasses.replace(seen, changes=_changes(progress))
        case observed.SaveTruth():
            truth = await runtime.engine.truth(await _stored_plan(runtime, run))
            await runtime.store.save_truth(run.ref.uid, truth)
            return dataclasses.replace(seen, truth_saved=True)
        case _:
            assert_never(action)


async def _replay(
    runtime: Runtime,
    run: Run,
    action: observed.LoadSnapshot | observed.ServeSnapshot | observed.WithdrawSnapshot,
    seen: Observed,
) -> Observed:
    match action:
        case observed.LoadSnapshot():
            return dataclasses.replace(seen, replay=await replays.load(runtime, run))
        case observed.ServeSnapshot():
            return dataclasses.replace(seen, served=await replays.serve(runtime, run))
        case observed.WithdrawSnapshot():
            await replays.withdraw(runtime, run)
            return dataclasses.replace(seen, withdrawn=True)
        case _:
            assert_never(action)


async def _check_still_wanted(runtime: Runtime, run: Run) -> None:
    ref = ObjectRef(model.API_VERSION, benchmark_run.KIND, run.ref.namespace, run.ref.name)
    found = await runtime.kube.get(ref)
    if (
        found is None
        or found["metadata"]["uid"] != run.ref.uid
        or "deletionTimestamp" in found["metadata"]
        or benchmark_run.FINALIZER not in (found["metadata"].get("finalizers") or ())
    ):
        raise errors.Conflict(f"{run.ref} changed since it was read; looked at again")


async def _judge(
    runtime: Runtime, run: Run, action: observed.ScoreAttempt | observed.SetVerdict, seen: Observed
) -> Observed:
    judged = next((item for item in seen.attempts or () if item.name == action.name), None)
    if judged is not None:
        match action:
            case observed.ScoreAttempt():
                verdict = await attempts.score(runtime, run, judged)
            case observed.SetVerdict():
                verdict = action.verdict
            case _:
                assert_never(action)
        await attempts.set_verdict(runtime, run, judged, verdict)
    return dataclasses.replace(seen, attempts=await attempts.read(runtime, run))


async def _recover(
    runtime: Runtime, run: Run, action: observed.RevertFaults | observed.CheckDrift, seen: Observed
) -> Observed:
    match action:
        case observed.RevertFaults():
            progress = await runtime.engine.revert(await _stored_plan(runtime, run))
            return dataclasses.replace(seen, changes=_changes(progress))
        case observed.CheckDrift():
            expected = await runtime.store.load_baseline(run.ref.uid)
            if expected is None:
                return dataclasses.replace(seen, drift=())
            found = await runtime.engine.drift(
                run.spec.application.namespace, expected, await _touched(runtime, run)
            )
            return dataclasses.replace(seen, drift=tuple(str(item) for item in found))
        case _:
            assert_never(action)


async def _touched(runtime: Runtime, run: Run) -> frozenset[str] | None:
    """What the run changed; None for a run that had the whole cluster to itself."""
    stored = await runtime.store.load_plan(run.ref.uid)
    wanted = await runtime.scenarios.get(run.spec.scenario)
    if stored is None or wanted is None or registry.cluster_wide(wanted):
        return None
    return frozenset(str(planned.ref) for planned in stored.mutations)


def _changes(progress: engines.Progress) -> observed.Changes:
    return observed.Changes(
        progress.done, progress.total, progress.settled, progress.waiting_for, progress.conflicts
    )


async def _clean_up(runtime: Runtime, run: Run) -> None:
    """Owner references do not cross namespaces: what lies elsewhere is found by its label."""
    selector = f"{RUN_LABEL}={run.ref.uid}"
    kinds = (("batch/v1", "Job"), ("v1", "Secret"), ("networking.k8s.io/v1", "NetworkPolicy"))
    for api_version, kind in kinds:
        for item in await runtime.kube.list_objects(
            api_version, kind, AGENTS_NAMESPACE, label_selector=selector
        ):
            meta = item["metadata"]
            await runtime.kube.delete(ObjectRef(api_version, kind, AGENTS_NAMESPACE, meta["name"]))
    if run.spec.agent.mount_snapshot:
        await agent_snapshot.remove(runtime, run.ref.uid)
    await runtime.store.delete(run.ref.uid)
    if run.spec.mode is Mode.REPLAY:
        await replay_source.forget(runtime, run)
    if run.spec.retention is not None:
        await keeping.discard(runtime, run)  # deleted between taking away and removing
