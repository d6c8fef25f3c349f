"""What proves a scenario, as a table of finished runs."""

import dataclasses
import datetime as dt

import pytest

from reprise.domain import proof
from reprise.domain.entities import EntityId
from reprise.domain.proof import Answer, Findings, Verdict
from reprise.domain.run_status import Drift, Evidence, Phase, PhaseStart, RunStatus, Timeline
from reprise.domain.truth import RootCause, Truth

T = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CAUSE = EntityId("shop", "Service", "cart")
TRUTH = Truth((RootCause(CAUSE, (EntityId("shop", "Pod", "cart-1"),)),))
GOOD = Findings(
    TRUTH,
    (),
    120,
    {Answer.REFERENCE: 1.0, Answer.EMPTY: 0.0, Answer.EVERYTHING: 1 / 120, Answer.SYMPTOMS: 0.0},
)
DONE = RunStatus(
    phase=Phase.COMPLETED,
    started_at=T,
    completed_at=T + dt.timedelta(seconds=95),
    phases=(PhaseStart(Phase.RECOVERING, T + dt.timedelta(seconds=40)),),
    timeline=Timeline(
        injected_at=T + dt.timedelta(seconds=5),
        symptom_at=T + dt.timedelta(seconds=29.5),
        recovered_at=T + dt.timedelta(seconds=94),
    ),
    evidence=(Evidence("errors", T + dt.timedelta(seconds=29.5), 'alert X{service_name="frontend"} fires'),),
    drift=Drift(T, ()),
)


def scores(**changed: float | None) -> Findings:
    return dataclasses.replace(GOOD, scores={**GOOD.scores, **{Answer(k): v for k, v in changed.items()}})


def replaced(**changed: object) -> RunStatus:
    return dataclasses.replace(DONE, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "found", "wrong"),
    [
        pytest.param(DONE, GOOD, "", id="proven"),
        pytest.param(replaced(evidence=()), GOOD, "symptoms observed", id="no symptom"),
        pytest.param(
            DONE,
            dataclasses.replace(GOOD, unreachable=("shop/Service/cart",)),
            "truth reachable",
            id="hidden",
        ),
        pytest.param(DONE, scores(reference=0.5), "reference answer", id="reference too low"),
        pytest.param(DONE, scores(reference=None), "reference answer", id="reference unscored"),
        pytest.param(DONE, scores(empty=1.0), "empty answer", id="empty pays"),
        pytest.param(DONE, scores(everything=0.2), "everything answer", id="everything pays"),
        pytest.param(DONE, scores(symptoms=0.5), "symptoms answer", id="symptoms pay"),
        pytest.param(
            replaced(drift=Drift(T, ("shop/Service/cart: spec",))), GOOD, "no drift", id="left behind"
        ),
        pytest.param(replaced(drift=None), GOOD, "no drift", id="never compared"),
        pytest.param(replaced(phase=Phase.FAILED), GOOD, "recovered", id="not recovered"),
    ],
)
def test_judge(status: RunStatus, found: Findings, wrong: str) -> None:
    verdict, reason, checks = proof.judge("s", status, found, control=False, attempted=True)
    assert [check.name for check in checks if not check.passed] == ([wrong] if wrong else [])
    assert verdict is (Verdict.FAILED if wrong else Verdict.PROVEN)
    assert reason.startswith(wrong)


def test_what_the_cluster_lacks_is_no_failure() -> None:
    status = replaced(phase=Phase.INVALID, reason="Unsupported", message="expected Chaos Mesh")
    judged = proof.judge("s", status, Findings(), control=False, attempted=False)
    assert judged == (Verdict.UNSUPPORTED, "expected Chaos Mesh", ())


def test_a_run_that_never_reached_its_agents_failed() -> None:
    status = replaced(phase=Phase.INVALID, reason="SymptomNotSeen", message="0 of 1")
    verdict, reason, _ = proof.judge("s", status, Findings(), control=False, attempted=False)
    assert (verdict, reason) == (Verdict.FAILED, "Invalid SymptomNotSeen: 0 of 1")


def test_a_control_shows_nothing_and_nothing_is_the_answer() -> None:
    found = Findings(Truth(), (), 90, {Answer.REFERENCE: 1.0, Answer.EVERYTHING: 0.0})
    verdict, reason, checks = proof.judge("s", replaced(evidence=()), found, control=True, attempted=True)
    assert (verdict, reason) == (Verdict.PROVEN, "")
    assert "empty answer" not in {check.name for check in checks}


def test_services_that_name_the_cause_are_no_symptoms() -> None:
    named = proof.symptomatic(["cart", "frontend", "frontend"], "shop", TRUTH)
    assert named == (EntityId("shop", "Service", "frontend"),)


def test_times() -> None:
    assert proof.timed(DONE) == (24.5, 54.0, 95.0)
    assert proof.timed(RunStatus()) == (None, None, None)
    assert proof.seen(DONE)[0].seconds == 24.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [([7.0], 7), ([2.0, 1.0], 2), (list(range(10, 0, -1)), 10), (list(range(20)), 18)],
)
def test_p90(values: list[float], expected: float) -> None:
    assert proof.p90(values) == expected
