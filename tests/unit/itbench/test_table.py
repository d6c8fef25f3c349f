"""Every incident of ITBench has its row, and what the row says of our scenarios is so."""

import json
import re

import pytest
from tests.unit.itbench import table

from reprise.adapters import scenario_files

SCENARIOS = scenario_files.load_all(table.ROOT / "scenarios")
OURS = table.ours()
THEIRS = {entry["id"]: entry for entry in table.theirs()}
# Flags whose change nothing shows that a symptom could be made of.
WITHOUT_INCIDENT = {
    # No workload of the release has a readiness probe.
    "failedReadinessProbe",
    # The answers are wrong, but neither fewer, nor slower, nor errors.
    "llmInaccurateResponse",
}


def test_every_entry_has_a_row() -> None:
    assert len(THEIRS) == 67
    assert sorted(OURS) == sorted(THEIRS)


def test_the_page_holds_the_table() -> None:
    expected = table.page_with(table.table())
    assert table.PAGE.read_text() == expected, "run: python -m tests.unit.itbench.table"


@pytest.mark.parametrize("number", sorted(OURS))
def test_a_row(number: int) -> None:
    row = OURS[number]
    assert set(row) == {"scenario", "mechanisms", "repaired", "note"}
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in row["mechanisms"])
    if row["scenario"] is not None:
        scenario = SCENARIOS[row["scenario"]]
        assert sorted(fault.mechanism for fault in scenario.faults) == sorted(row["mechanisms"])


@pytest.mark.parametrize("number", sorted(number for number, entry in THEIRS.items() if entry["injections"]))
def test_a_scenario_has_the_target_of_its_entry(number: int) -> None:
    """Where ours has another target, the row says so."""
    name = OURS[number]["scenario"]
    if name is None:
        return
    scenario, entry = SCENARIOS[name], THEIRS[number]
    flags = sorted(
        f"{fault.params['flag']}={fault.params['variant']}"
        for fault in scenario.faults
        if fault.mechanism == "feature-flag"
    )
    wanted = [one for one in entry["injections"] if one["mechanism"] == "opentelemetry-demo-feature-flag"]
    assert flags == sorted(one["detail"] for one in wanted)
    targets = {f"{fault.kind}/{fault.name}" for fault in scenario.faults}
    named = {
        f"{one['target']['kind']}/{one['target']['name']}"
        for one in entry["injections"]
        if one["target"]["kind"] != "Schedule"
    }
    assert named <= targets or OURS[number]["note"]


def test_every_flag_of_the_release_has_an_incident_of_its_own() -> None:
    release = json.loads((table.ROOT / "tests/data/otel-demo-2.2.0.json").read_text())
    alone = {
        scenario.faults[0].params["flag"]
        for scenario in SCENARIOS.values()
        if len(scenario.faults) == 1 and scenario.faults[0].mechanism == "feature-flag"
    }
    assert alone == set(release["flags"]) - WITHOUT_INCIDENT
