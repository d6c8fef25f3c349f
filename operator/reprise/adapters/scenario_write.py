"""Scenarios as the text of scenario files; `scenario_files` reads it back to the same scenario."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from reprise.domain import errors
from reprise.domain.scenario import Fault, Injector, Scenario, TruthPolicy
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Symptom

_WIDTH = 110
_USUAL_SECONDS = 120


def document(scenario: Scenario) -> dict[str, Any]:
    """The scenario as plain data: fields in the order of the documentation, defaults left out."""
    made: dict[str, Any] = {
        "name": scenario.name,
        "title": scenario.title,
        "symptom": scenario.symptom,
        "difficulty": scenario.difficulty.value,
        "tags": list(scenario.tags),
        "application": scenario.application,
    }
    if scenario.expected_seconds != _USUAL_SECONDS:
        made["expectedSeconds"] = scenario.expected_seconds
    made["faults"] = [_fault(fault) for fault in scenario.faults]
    if scenario.decoys:
        made["decoys"] = [_fault(decoy) for decoy in scenario.decoys]
    if scenario.noise.restarts:
        made["noise"] = {"restarts": scenario.noise.restarts}
    if scenario.symptoms:
        made["symptoms"] = [_symptom(symptom) for symptom in scenario.symptoms]
    policy, usual = dataclasses.asdict(scenario.truth_policy), dataclasses.asdict(TruthPolicy())
    if changed := {key: value for key, value in policy.items() if value != usual[key]}:
        made["truth"] = changed
    if scenario.injector is not Injector.HIDDEN:
        made["injector"] = scenario.injector.value
    return made


def dump(scenario: Scenario) -> str:
    """The scenario's file."""
    # Small maps on one line, as in files that people write.
    return yaml.safe_dump(
        document(scenario), sort_keys=False, default_flow_style=None, width=_WIDTH, allow_unicode=True
    )


def write(scenarios: tuple[Scenario, ...], directory: Path) -> tuple[Path, ...]:
    """A file each, called like the scenario. Raises InvalidInput, before anything is written, where another
    file of a name is there."""
    texts = {directory / f"{scenario.name}.yaml": dump(scenario) for scenario in scenarios}
    problems = [
        f"{path}: expected none or the same file, found another; choose another folder or remove it"
        for path, text in texts.items()
        if path.exists() and path.read_text() != text
    ]
    if problems:
        raise errors.InvalidInput(problems)
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text)
    return tuple(texts)


def _fault(fault: Fault) -> dict[str, Any]:
    out: dict[str, Any] = {
        "mechanism": fault.mechanism,
        "target": {"kind": fault.kind, "name": fault.name},
    }
    if fault.params:
        out["params"] = _plain(fault.params)
    if fault.equivalents:
        out["equivalents"] = list(fault.equivalents)
    return out


def _plain(value: Any) -> Any:
    return {key: _plain(item) for key, item in value.items()} if hasattr(value, "items") else value


def _symptom(symptom: Symptom) -> dict[str, Any]:
    out: dict[str, Any] = {"name": symptom.name}
    if not symptom.required:
        out["required"] = False
    match symptom:
        case AlertSymptom():
            out["alert"] = {"name": symptom.alert}
            if symptom.labels:
                out["alert"]["labels"] = dict(symptom.labels)
        case MetricSymptom():
            out["metric"] = {"query": symptom.query}
        case EventSymptom():
            event = {
                "reason": symptom.reason,
                "kind": symptom.kind,
                "namePrefix": symptom.name_prefix,
                "message": symptom.message,
            }
            out["event"] = {key: text for key, text in event.items() if text}
    return out
