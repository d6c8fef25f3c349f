"""The scenarios that come with the product, against the pinned release and our alert rules."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.faults.test_planners import FAULTS, UNSUPPORTED

from reprise.adapters import scenario_files
from reprise.domain.scenario import Scenario
from reprise.domain.symptoms import AlertSymptom
from reprise.faults import registry

ROOT = Path(__file__).parents[2]
RELEASE: dict[str, Any] = json.loads((ROOT / "tests/data/otel-demo-2.2.0.json").read_text())
SCENARIOS = scenario_files.load_all(ROOT / "scenarios")
INCIDENTS = {name: scenario for name, scenario in SCENARIOS.items() if not scenario.control}
RULES = {
    rule["alert"]
    for path in (ROOT / "manifests/observability/rules").glob("*.yaml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def exists(kind: str, name: str) -> bool:
    match kind:
        case "Deployment":
            return name in RELEASE["workloads"] and RELEASE["workloads"][name]["kind"] == kind
        case "Service":
            return name in RELEASE["services"]
        case "ConfigMap":
            return name in RELEASE["configMaps"]
        case "Secret":
            return any(
                f"name: {name}\n" in path.read_text()
                for path in (ROOT / "manifests/otel-demo").glob("*.yaml")
            )
        case _:
            return False


@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_targets_are_of_the_release(name: str) -> None:
    for fault in INCIDENTS[name].faults:
        if fault.mechanism in UNSUPPORTED:
            continue  # this release lacks its target, and the mechanism says so
        assert exists(fault.kind, fault.name), f"{fault.kind}/{fault.name} is not in the release"
        if fault.mechanism == "environment-variable-wrong":
            (container,) = [
                c for c in RELEASE["workloads"][fault.name]["containers"] if c["name"] == fault.name
            ]
            assert isinstance(container["env"][fault.params["variable"]], str)
        if fault.mechanism == "feature-flag":
            flag = RELEASE["flags"][fault.params["flag"]]
            assert fault.params["variant"] in flag["variants"]
            assert fault.params["variant"] != flag["defaultVariant"]
            assert flag["targeting"] is None


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_alerts_are_rules_of_ours_about_things_of_the_release(name: str) -> None:
    for symptom in SCENARIOS[name].symptoms:
        if isinstance(symptom, AlertSymptom):
            assert symptom.alert in RULES
            service = symptom.labels.get("service_name") or symptom.labels.get("deployment")
            assert service is None or service in RELEASE["workloads"]


@pytest.mark.parametrize("mechanism", sorted(n for n, m in registry.MECHANISMS.items() if not m.harmless))
def test_default_symptoms_are_rules_of_ours(mechanism: str) -> None:
    symptoms = registry.default_symptoms(FAULTS[mechanism])
    assert symptoms
    assert {s.alert for s in symptoms if isinstance(s, AlertSymptom)} <= RULES


def test_every_mechanism_has_an_incident_and_there_is_a_control() -> None:
    used = {fault.mechanism for s in SCENARIOS.values() for fault in (*s.faults, *s.decoys)}
    assert used == set(registry.MECHANISMS)
    assert any(scenario.control for scenario in SCENARIOS.values())


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_file_and_name_agree(name: str) -> None:
    scenario: Scenario = SCENARIOS[name]
    assert (ROOT / "scenarios" / scenario.application / f"{name}.yaml").is_file()
