"""The main job: some of the first incidents, one after another, unattended, through stock kubectl."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tests.live import daily, first
from tests.live.conftest import Kubectl, state_dir, wait_finished

SCENARIOS = {
    document["name"]: document for document in (yaml.safe_load(path.read_text()) for path in first.PATHS)
}
CONTROLS = {name for name, document in SCENARIOS.items() if not document.get("faults")}
TODAY = daily.some(set(SCENARIOS) - CONTROLS, 3)
# The baseline agent must find the cause in at least half of the incidents.
TRIAGE_MUST_FIND = len(TODAY) / 2


@pytest.fixture(scope="module")
def scores() -> dict[str, float]:
    return {}


@pytest.mark.parametrize(
    "scenario", [pytest.param(TODAY[0], marks=pytest.mark.essential), *TODAY[1:], *sorted(CONTROLS)]
)
def test_scenario_end_to_end(
    scenario: str,
    start_run: Callable[..., str],
    kubectl: Kubectl,
    reprise: Callable[..., Any],
    scores: dict[str, float],
) -> None:
    name = start_run(
        f"e2e-{scenario}"[:50].rstrip("-"), scenario=scenario, repeats=1, agent={"kind": "triage"}
    )
    status = wait_finished(kubectl, name)
    assert status["phase"] == "Completed", f"{status.get('reason')}: {status.get('message')}"

    assert status["drift"]["differences"] == []
    injection = status.get("injection", {})
    if scenario not in CONTROLS:
        assert injection["planned"] > 0
        assert injection["applied"] == injection["inverted"] == injection["planned"]
        assert {row["symptom"] for row in status["evidence"]} == {
            symptom["name"] for symptom in SCENARIOS[scenario]["symptoms"]
        }

    uid = kubectl("get", "brun", name, "-n", "default", "-o", "jsonpath={.metadata.uid}")
    verified = reprise("snapshot", "verify", str(state_dir() / "data/snapshots" / uid))
    assert verified.returncode == 0, verified.stdout + verified.stderr

    (attempt,) = status["attempts"]
    assert attempt["phase"] == "Scored", attempt
    scores[scenario] = attempt["score"]


def test_baseline_agent_is_a_real_baseline(scores: dict[str, float]) -> None:
    incidents = {name: score for name, score in scores.items() if name not in CONTROLS}
    assert set(incidents) == set(TODAY), "run together with the scenarios above"
    found = [name for name, score in incidents.items() if score > 0]
    assert len(found) >= TRIAGE_MUST_FIND, scores
    assert all(scores[name] == 1.0 for name in CONTROLS), scores
