"""Situations until the fault is in: what is written, what is done."""

import dataclasses
import datetime as dt

from tests.unit.domain.lifecycle_runs import (
    BROKEN,
    FLOWING,
    INJECTED,
    KNOWN,
    LATE,
    LONG_AGO,
    NOW,
    OK,
    RETRY,
    UID,
    Row,
    a_run,
)

from reprise.domain import observed
from reprise.domain.observed import Observed
from reprise.domain.run_status import Phase

ROWS = {
    # Pending
    "pending: no such scenario": Row(
        a_run(Phase.PENDING), Observed(scenario_known=False), Phase.INVALID,
        (observed.ReleaseLock,), "UnknownScenario",
    ),
    "pending: in the application's namespace": Row(
        a_run(Phase.PENDING, namespace="otel-demo"), KNOWN, Phase.INVALID,
        (observed.ReleaseLock,), "NamespaceNotAllowed",
    ),
    "pending: another run is ahead": Row(
        a_run(Phase.PENDING), dataclasses.replace(KNOWN, ahead="default/a (Attempting)"),
        Phase.PENDING, (), "Queued",
    ),
    "pending: nobody ahead": Row(a_run(Phase.PENDING), KNOWN, Phase.PENDING, (observed.AcquireLock,)),
    "pending: the lock is somebody else's": Row(
        a_run(Phase.PENDING), dataclasses.replace(KNOWN, lock_holder="other"), Phase.PENDING, (), "Queued"
    ),
    "pending: the lock is ours": Row(
        a_run(Phase.PENDING), dataclasses.replace(KNOWN, lock_holder=UID), Phase.DEPLOYING
    ),
    "pending: the API server is away, for hours": Row(
        a_run(Phase.PENDING, LONG_AGO), Observed(problem=RETRY), Phase.PENDING, (), "Unreachable"
    ),
    # Deploying
    "deploying: manifests not applied": Row(
        a_run(Phase.DEPLOYING), Observed(manifests_digest="d", application=OK), Phase.DEPLOYING,
        (observed.ApplyApplication,),
    ),
    "deploying: just applied": Row(
        a_run(Phase.DEPLOYING), Observed(manifests_digest="d", applied_digest="d", application=OK),
        Phase.DEPLOYING,
    ),
    "deploying: rolling out": Row(
        a_run(Phase.DEPLOYING, status={"application_digest": "d"}),
        Observed(manifests_digest="d", application=LATE), Phase.DEPLOYING, (), "WaitingForWorkloads",
    ),
    "deploying: available": Row(
        a_run(Phase.DEPLOYING, status={"application_digest": "d"}),
        Observed(manifests_digest="d", application=OK), Phase.BASELINE,
    ),
    "deploying: no manifests, but the application is there": Row(
        a_run(Phase.DEPLOYING), Observed(application=OK), Phase.BASELINE
    ),
    "deploying: not deployable": Row(
        a_run(Phase.DEPLOYING, LONG_AGO), Observed(application=LATE), Phase.INVALID,
        (observed.ReleaseLock,), "ApplicationNotAvailable",
    ),
    "deploying: nothing there at all": Row(
        a_run(Phase.DEPLOYING, LONG_AGO), Observed(application=observed.Application(0)), Phase.INVALID,
        (observed.ReleaseLock,), "ApplicationNotAvailable",
    ),
    "deploying: manifests refused": Row(
        a_run(Phase.DEPLOYING), Observed(problem=BROKEN), Phase.INVALID, (observed.ReleaseLock,),
        "Unsupported"
    ),
    # Baseline
    "baseline: unhealthy": Row(
        a_run(Phase.BASELINE), Observed(application=LATE, load=FLOWING), Phase.BASELINE, (),
        "ApplicationNotAvailable",
    ),
    "baseline: deleted pods are not gone": Row(
        a_run(Phase.BASELINE),
        Observed(application=observed.Application(22, ending=("cart-7d9f-x2x4z",)), load=FLOWING),
        Phase.BASELINE, (), "PodsEnding",
    ),
    "baseline: deleted pods that never go": Row(
        a_run(Phase.BASELINE, LONG_AGO),
        Observed(application=observed.Application(22, ending=("cart-7d9f-x2x4z",)), load=FLOWING),
        Phase.INVALID, (observed.ReleaseLock,), "PodsEnding",
    ),
    "baseline: an alert fired": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=observed.Load(True, ("A",))), Phase.BASELINE,
        (), "AlertsFiring",
    ),
    "baseline: no load": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=observed.Load(False)), Phase.BASELINE, (),
        "NoLoad"
    ),
    "baseline: pods too young for alerts to tell": Row(
        a_run(Phase.BASELINE),
        Observed(application=observed.Application(22, (), NOW - dt.timedelta(seconds=59)), load=FLOWING),
        Phase.BASELINE, (), "Settling",
    ),
    "baseline: too young for what an alert compares with": Row(
        a_run(Phase.BASELINE),
        Observed(application=observed.Application(22, (), NOW - dt.timedelta(seconds=179)), load=FLOWING,
                 history=observed.History(180, ("HighCpuUsage",))),
        Phase.BASELINE, (), "Settling",
    ),
    "baseline: old enough for what an alert compares with": Row(
        a_run(Phase.BASELINE),
        Observed(application=observed.Application(22, (), NOW - dt.timedelta(seconds=180)), load=FLOWING,
                 history=observed.History(180, ("HighCpuUsage",))),
        Phase.BASELINE, (observed.SaveBaseline,),
    ),
    "baseline: an alert that compares with little is no reason to hurry": Row(
        a_run(Phase.BASELINE),
        Observed(application=observed.Application(22, (), NOW - dt.timedelta(seconds=59)), load=FLOWING,
                 history=observed.History(10, ("HighCpuUsage",))),
        Phase.BASELINE, (), "Settling",
    ),
    "baseline: quiet, not yet stored": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=FLOWING), Phase.BASELINE,
        (observed.SaveBaseline,)
    ),
    "baseline: quiet and stored": Row(
        a_run(Phase.BASELINE), Observed(application=OK, load=FLOWING, baseline_saved=True), Phase.INJECTING
    ),
    "baseline: never quiet": Row(
        a_run(Phase.BASELINE, LONG_AGO), Observed(application=OK, load=observed.Load(True, ("A",))),
        Phase.INVALID, (observed.ReleaseLock,), "AlertsFiring",
    ),
    "baseline: Prometheus away": Row(
        a_run(Phase.BASELINE), Observed(problem=RETRY), Phase.BASELINE, (), "Unreachable"
    ),
    "baseline: Prometheus away too long": Row(
        a_run(Phase.BASELINE, LONG_AGO), Observed(problem=RETRY), Phase.INVALID,
        (observed.ReleaseLock,), "Unreachable",
    ),
    # Injecting
    "injecting: no finalizer yet": Row(
        a_run(Phase.INJECTING, guarded=False), Observed(), Phase.INJECTING, (), "WaitingForFinalizer"
    ),
    "injecting: the lock is looked at again": Row(
        a_run(Phase.INJECTING), Observed(), Phase.INJECTING, (observed.AcquireLock,)
    ),
    "injecting: the lock is lost before anything was planned": Row(
        a_run(Phase.INJECTING), Observed(lock_holder="other"), Phase.INVALID, (observed.ReleaseLock,),
        "LockLost"
    ),
    "injecting: the lock is lost with a plan": Row(
        a_run(Phase.INJECTING), Observed(lock_holder="other", plan_saved=True), Phase.RECOVERING,
        ending="LockLost",
    ),
    "injecting: no plan": Row(
        a_run(Phase.INJECTING), Observed(lock_holder=UID), Phase.INJECTING, (observed.SavePlan,)
    ),
    "injecting: cannot be planned here": Row(
        a_run(Phase.INJECTING), Observed(lock_holder=UID, problem=BROKEN), Phase.INVALID,
        (observed.ReleaseLock,), "Unsupported",
    ),
    "injecting: planned": Row(a_run(Phase.INJECTING), INJECTED, Phase.INJECTING, (observed.ApplyFaults,)),
    "injecting: half applied": Row(
        a_run(Phase.INJECTING), dataclasses.replace(INJECTED, changes=observed.Changes(1, 2, False)),
        Phase.INJECTING, (), "Applying",
    ),
    "injecting: applied, truth not read back": Row(
        a_run(Phase.INJECTING), dataclasses.replace(INJECTED, changes=observed.Changes(2, 2, True)),
        Phase.INJECTING, (observed.SaveTruth,),
    ),
    "injecting: applied and truth stored": Row(
        a_run(Phase.INJECTING),
        dataclasses.replace(INJECTED, changes=observed.Changes(2, 2, True), truth_saved=True),
        Phase.MANIFESTING,
    ),
    "injecting: a control without decoys": Row(
        a_run(Phase.INJECTING),
        dataclasses.replace(INJECTED, changes=observed.Changes(0, 0, True), truth_saved=True),
        Phase.MANIFESTING,
    ),
    "injecting: the noise of a control goes on": Row(
        a_run(Phase.INJECTING), dataclasses.replace(INJECTED, changes=observed.Changes(0, 0, False)),
        Phase.INJECTING, (), "Applying",
    ),
    "injecting: never settles": Row(
        a_run(Phase.INJECTING, LONG_AGO),
        dataclasses.replace(INJECTED, changes=observed.Changes(1, 2, False)), Phase.RECOVERING,
        ending="InjectionIncomplete",
    ),
    "injecting: refused half way": Row(
        a_run(Phase.INJECTING), dataclasses.replace(INJECTED, problem=BROKEN), Phase.RECOVERING,
        ending="Unsupported",
    ),
    "injecting: API server away": Row(
        a_run(Phase.INJECTING), dataclasses.replace(INJECTED, problem=RETRY), Phase.INJECTING, (),
        "Unreachable"
    ),
}  # fmt: skip
