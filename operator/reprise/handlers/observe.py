"""Gather what a run's phase is decided from. Reads only; what it cannot read becomes a `Problem`."""

import asyncio
import dataclasses
import logging

from reprise.adapters import preflight
from reprise.adapters.kube import Json
from reprise.domain import errors, observed
from reprise.domain.observed import Observed
from reprise.domain.run import Mode, Run
from reprise.domain.run_status import Phase
from reprise.faults import registry
from reprise.handlers import agent_secrets, agent_snapshot, application, attempts, lease
from reprise.handlers.runtime import Runtime

logger = logging.getLogger(__name__)


def problem(exc: errors.RepriseError) -> observed.Problem:
    """An error of ours as something to decide on."""
    return observed.Problem(type(exc).__name__, str(exc), exc.retryable)


async def observe(runtime: Runtime, run: Run) -> Observed:
    """What is known now. Never raises RepriseError."""
    if run.deleting and run.status.phase is not Phase.RECOVERING:
        # Nothing decides on it, and a deletion must not wait for, say, Prometheus.
        return Observed()
    try:
        return await _observe(runtime, run)
    except errors.RepriseError as exc:
        logger.warning("%s in %s: cannot observe: %s", run.ref, run.status.phase, exc)
        return Observed(problem=problem(exc))


async def _observe(runtime: Runtime, run: Run) -> Observed:
    if run.spec.mode is Mode.REPLAY:
        working = run.status.phase in (Phase.ATTEMPTING, Phase.RECOVERING)
        return Observed(attempts=await attempts.read(runtime, run)) if working else Observed()
    match run.status.phase:
        case Phase.PENDING:
            return await _pending(runtime, run)
        case Phase.DEPLOYING:
            source = await application.manifests(runtime.kube, run.spec.application)
            return Observed(
                manifests_digest=source.digest if source else None,
                application=await application.look(runtime.kube, run.spec.application.namespace),
            )
        case Phase.BASELINE:
            wanted = await runtime.scenario(run)
            health = await _health(runtime, run, run.spec.gates.baseline_window_seconds)
            return dataclasses.replace(health, history=await runtime.gates.history(wanted.symptoms))
        case Phase.INJECTING:
            return Observed(plan_saved=await runtime.store.load_plan(run.ref.uid) is not None)
        case Phase.MANIFESTING:
            return await _symptoms(runtime, run)
        case Phase.ATTEMPTING:
            return Observed(attempts=await attempts.read(runtime, run))
        case Phase.RECOVERING:
            return await _recovering(runtime, run)
        case Phase.RECORDING | Phase.COMPLETED | Phase.INVALID | Phase.FAILED:
            return Observed()


async def _pending(runtime: Runtime, run: Run) -> Observed:
    runs = await lease.all_runs(runtime.kube)
    wanted = await runtime.scenarios.get(run.spec.scenario)
    if wanted is None:
        return Observed(scenario_known=False, scenarios=await runtime.scenarios.names())
    ahead = lease.ahead(run, runs, await _cluster_wide(runtime, runs))
    if not ahead:
        # What the cluster lacks is said before anything is deployed.
        await preflight.check(runtime.kube, registry.requirements(wanted))
        await agent_secrets.check(runtime, run)
        await agent_snapshot.check(runtime, run)
    return Observed(scenario_known=True, ahead=ahead)


async def _cluster_wide(runtime: Runtime, runs: list[Json]) -> frozenset[str]:
    """Which of the runs' scenarios are felt in the whole cluster, by name."""
    active = [item for item in runs if not lease.phase_of(item).terminal and not lease.is_replay(item)]
    names = {lease.scenario_of(item) for item in active}
    wide = set()
    for name in names:
        try:
            found = await runtime.scenarios.get(name)
        except errors.InvalidInput:
            continue  # such a run becomes Invalid before it changes anything
        if found is not None and registry.cluster_wide(found):
            wide.add(name)
    return frozenset(wide)


async def _health(runtime: Runtime, run: Run, window_seconds: int) -> Observed:
    namespace = run.spec.application.namespace
    workloads, load, baseline = await asyncio.gather(
        application.look(runtime.kube, namespace),
        runtime.gates.load(namespace, window_seconds),
        runtime.store.load_baseline(run.ref.uid),
    )
    return Observed(application=workloads, load=load, baseline_saved=baseline is not None)


async def _symptoms(runtime: Runtime, run: Run) -> Observed:
    wanted = await runtime.scenario(run)
    since = run.status.timeline.injected_at or runtime.clock()
    readings = await runtime.gates.readings(wanted.symptoms, run.spec.application.namespace, since)
    return Observed(readings=readings)


async def _recovering(runtime: Runtime, run: Run) -> Observed:
    """Plan and attempts first: without Prometheus a fault is still taken back, only its proof waits."""
    plan = await runtime.store.load_plan(run.ref.uid)
    seen = Observed(plan_saved=plan is not None, attempts=await attempts.read(runtime, run))
    try:
        health = await _health(runtime, run, 0)
    except errors.RepriseError as exc:
        logger.warning("%s: cannot see whether the application is healthy: %s", run.ref, exc)
        baseline = await runtime.store.load_baseline(run.ref.uid)
        unknown = observed.Load(False, detail=f"health unknown: {type(exc).__name__}")
        return dataclasses.replace(
            seen, application=observed.Application(0), load=unknown, baseline_saved=baseline is not None
        )
    return dataclasses.replace(
        seen, application=health.application, load=health.load, baseline_saved=health.baseline_saved
    )
