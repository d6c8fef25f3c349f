"""What docs/catalogue.md says of the yardstick."""

import dataclasses

from tests.unit.proof.test_results import ONE

from reprise.domain import proof
from reprise.domain.scenario import Difficulty, Scenario, TruthPolicy
from reprise.proof import catalogue


def scenario(name: str) -> Scenario:
    return Scenario(
        name, "a", "b", Difficulty.EASY, (), "otel-demo", (), (), truth_policy=TruthPolicy(owned=True)
    )


def proven(name: str, score: float | None) -> proof.Proof:
    return dataclasses.replace(ONE, scenario=name, yardstick=proof.Yardstick(score, (), 20, 1.5))


def page(*proofs: proof.Proof) -> str:
    return catalogue.markdown([scenario(one.scenario) for one in proofs], {p.scenario: p for p in proofs}, "")


def test_a_yardstick_counts_what_was_proven_and_scored() -> None:
    failed = dataclasses.replace(proven("d", 1.0), verdict=proof.Verdict.FAILED)
    text = page(proven("a", 1.0), proven("b", 0.5), proven("c", None), failed)
    assert "95 % bootstrap interval | 0.750 [0.500, 1.000], n 2 |" in text
    assert "exactly, 95 % Wilson interval | 1 [0.095, 0.905] |" in text
    assert "| its requests and seconds, medians | 20, 1.5 s |" in text
    rows = [line for line in text.splitlines() if line.startswith("| `b`")]
    assert rows[0].endswith("| 0.50 |")


def test_results_from_before_there_was_one_leave_the_figures_out() -> None:
    text = page(dataclasses.replace(ONE, yardstick=None))
    assert "score of `triage`" not in text
    assert text.rstrip().endswith("|  |")
