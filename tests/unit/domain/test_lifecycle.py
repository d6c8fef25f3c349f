"""Every phase of a run against every situation, as a table: what is written, what is done."""

import dataclasses
import datetime as dt

import pytest
from tests.unit.domain import lifecycle_rows_after, lifecycle_rows_before
from tests.unit.domain.lifecycle_runs import BROKEN, FLOWING, INJECTED, LONG_AGO, NOW, OK, RETRY, a_run, seen

from reprise.domain import lifecycle, observed, run_status
from reprise.domain.lifecycle import Decision
from reprise.domain.observed import Observed
from reprise.domain.run_status import ConditionType, Phase, RunStatus

ROWS = {**lifecycle_rows_before.ROWS, **lifecycle_rows_after.ROWS}


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    row = ROWS[name]
    decision = lifecycle.decide(row.run, row.seen, NOW)
    assert decision.status.phase is row.phase
    assert tuple(type(action) for action in decision.actions) == row.actions
    assert decision.status.reason == row.reason
    ending = decision.status.ending
    assert (ending.reason if ending and row.phase is Phase.RECOVERING else "") == row.ending
    assert decision.finished is False


@pytest.mark.parametrize("name", ROWS)
def test_deciding_again_changes_no_status(name: str) -> None:
    """A status that differs at every look would be written for ever."""
    row = ROWS[name]
    first = lifecycle.decide(row.run, row.seen, NOW)
    if first.again or first.status.phase is not row.run.status.phase:
        return
    again = lifecycle.decide(dataclasses.replace(row.run, status=first.status), row.seen, NOW)
    assert again.status == first.status


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("problem", [None, RETRY, BROKEN])
@pytest.mark.parametrize("since", [NOW, LONG_AGO])
def test_total(phase: Phase, deleting: bool, problem: observed.Problem | None, since: dt.datetime) -> None:
    """Knowing nothing is a situation, too: nothing is injected then, and no fault is let go of."""
    decision = lifecycle.decide(a_run(phase, since, deleting=deleting), Observed(problem=problem), NOW)
    assert isinstance(decision, Decision)
    assert observed.ApplyFaults not in {type(action) for action in decision.actions}
    assert not decision.finished


def test_a_new_run_begins() -> None:
    fresh = dataclasses.replace(a_run(Phase.PENDING), status=RunStatus())
    decision = lifecycle.decide(fresh, Observed(), NOW)
    assert decision.status.phase_started_at == NOW == decision.status.started_at
    assert decision.status.observed_generation == 1
    assert decision.again


def test_deletion_ends_after_cleaning() -> None:
    decision = lifecycle.decide(a_run(Phase.COMPLETED, deleting=True), Observed(cleaned=True), NOW)
    assert decision.finished


@pytest.mark.parametrize(
    ("phase", "gate"), [(phase, gate) for phase, gate in lifecycle.GATE_OF.items()], ids=str
)
def test_failing_in_a_phase_says_which_gate(phase: Phase, gate: ConditionType) -> None:
    decision = lifecycle.decide(a_run(phase, LONG_AGO), Observed(problem=BROKEN, plan_saved=True), NOW)
    condition = decision.status.condition(gate)
    assert condition is not None
    assert condition.status is False


@pytest.mark.parametrize(
    ("ending", "holds"), [(Phase.COMPLETED, True), (Phase.INVALID, False)], ids=["completed", "invalid"]
)
def test_completed_condition(ending: Phase, holds: bool) -> None:
    status = {"ending": run_status.Ending(ending, "R", "m")}
    healthy = Observed(application=OK, load=FLOWING)
    decision = lifecycle.decide(a_run(Phase.RECOVERING, status=status), healthy, NOW)
    condition = decision.status.condition(ConditionType.COMPLETED)
    assert decision.status.completed_at == NOW
    assert condition is not None
    assert condition.status is holds


def test_errors_stay_out_of_the_status_while_agents_may_come() -> None:
    """An error's text names objects."""
    for phase in (Phase.INJECTING, Phase.MANIFESTING, Phase.RECORDING, Phase.ATTEMPTING):
        decision = lifecycle.decide(a_run(phase), Observed(problem=RETRY, plan_saved=True), NOW)
        assert decision.status.phase is phase
        assert "secret-name" not in repr(decision.status)


def test_progress_names_no_object() -> None:
    changes = observed.Changes(1, 2, False, ("Deployment/secret-name",))
    decision = lifecycle.decide(a_run(Phase.INJECTING), dataclasses.replace(INJECTED, changes=changes), NOW)
    assert "secret-name" not in repr(decision.status)


def test_unread_attempts_do_not_wipe_what_is_known() -> None:
    known_attempts = (run_status.AttemptSummary(1, "first-1", "u", "Scored", score=1.0),)
    before = a_run(Phase.RECOVERING, status={"attempts": known_attempts})
    decision = lifecycle.decide(before, Observed(problem=RETRY), NOW)
    assert decision.status.attempts == known_attempts


def test_a_failed_recovery_says_what_is_left_and_how_to_undo_it() -> None:
    seen_now = Observed(plan_saved=True, changes=observed.Changes(1, 2, False, ("Deployment/cart",)))
    message = lifecycle.decide(a_run(Phase.RECOVERING, LONG_AGO), seen_now, NOW).status.message
    assert "Deployment/cart" in message
    assert "docs/operations.md" in message


def test_evidence_is_kept_when_the_symptom_goes_away() -> None:
    first = lifecycle.decide(
        a_run(Phase.MANIFESTING), Observed(readings=(seen("a", True), seen("b", False))), NOW
    )
    later = dataclasses.replace(a_run(Phase.MANIFESTING), status=first.status)
    second = lifecycle.decide(
        later, Observed(readings=(seen("a", False), seen("b", True))), NOW + dt.timedelta(seconds=5)
    )
    assert second.status.phase is Phase.RECORDING
    assert [item.symptom for item in second.status.evidence] == ["a", "b"]
