"""What a run that is over does about older snapshots: every state, and every way of dying between two."""

import dataclasses
from typing import Any

import pytest
from tests.unit.domain.lifecycle_runs import BROKEN, NOW, RETRY, a_run

from reprise.domain import lifecycle, observed, retention, run_status
from reprise.domain.observed import Observed
from reprise.domain.run import Run
from reprise.domain.run_status import ConditionType, Phase

KIND = ConditionType.RETENTION_APPLIED
SNAPSHOT = run_status.Snapshot("/data/snapshots/x", "sha256:0", 12)


def over(phase: Phase = Phase.COMPLETED, condition: tuple[bool, str] | None = None, **changes: Any) -> Run:
    made = a_run(phase)
    status = dataclasses.replace(made.status, snapshot=changes.get("snapshot", SNAPSHOT))
    if condition:
        status = status.with_condition(KIND, *condition, "2 snapshots: a, b", NOW)
    spec = dataclasses.replace(made.spec, retention=changes.get("policy", retention.Policy(keep_last=1)))
    return dataclasses.replace(made, spec=spec, status=status)


DROPPING = (False, "Dropping")
ROWS = {
    "not asked": (over(), Observed(), [observed.CondemnSnapshots], None),
    "nothing to drop": (over(), Observed(condemned=()), [], (True, "NothingToDrop")),
    "taken away": (over(), Observed(condemned=("a", "b")), [observed.DiscardSnapshots], DROPPING),
    "died after that": (over(condition=DROPPING), Observed(), [observed.DiscardSnapshots], DROPPING),
    "removed": (over(condition=DROPPING), Observed(discarded=True), [], (True, "Dropped")),
    "done": (over(condition=(True, "Dropped")), Observed(), [], (True, "Dropped")),
    "given up": (over(condition=(False, "Refused")), Observed(), [], (False, "Refused")),
    "API server away": (over(), Observed(problem=RETRY), [], None),
    "away later": (over(condition=DROPPING), Observed(problem=RETRY), [], DROPPING),
    "volume refuses": (over(condition=DROPPING), Observed(problem=BROKEN), [], (False, "Unsupported")),
    "no policy": (over(policy=None), Observed(), [], None),
    "nothing recorded": (over(snapshot=None), Observed(), [], None),
    "invalid": (over(Phase.INVALID), Observed(), [], None),
    "failed": (over(Phase.FAILED), Observed(), [], None),
}


@pytest.mark.parametrize(("run", "seen", "actions", "condition"), ROWS.values(), ids=ROWS.keys())
def test_rows(run: Run, seen: Observed, actions: list[type], condition: tuple[bool, str] | None) -> None:
    decision = lifecycle.decide(run, seen, NOW)
    assert [type(action) for action in decision.actions] == actions
    assert decision.status.phase is run.status.phase
    found = decision.status.condition(KIND)
    assert (found and (found.status, found.reason)) == condition
    if found and found.reason in ("Dropping", "Dropped"):
        assert found.message == "2 snapshots: a, b", "what goes is never forgotten"
