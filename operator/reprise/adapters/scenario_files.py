"""Scenario files: `<name>.yaml` below `scenarios/<application>/`. Mistakes come with file and line."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic

from reprise.adapters import scenario_model, yaml_lines
from reprise.domain import errors
from reprise.domain import scenario as scenarios
from reprise.domain.scenario import Fault, Scenario
from reprise.faults import registry


def default_directory() -> Path:
    """REPRISE_SCENARIOS (the operator's image sets it), else the checkout's folder."""
    named = os.environ.get("REPRISE_SCENARIOS")
    return Path(named) if named else Path(__file__).parents[3] / "scenarios"


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths stand for: a folder for all scenario files below it, in order."""
    return [file for path in paths for file in (sorted(path.rglob("*.yaml")) if path.is_dir() else [path])]


def load_all(directory: Path) -> Mapping[str, Scenario]:
    """Every scenario below the directory by name. Raises InvalidInput with every problem of every file."""
    if not directory.is_dir():
        raise errors.InvalidInput(
            f"expected a folder with scenarios at {directory}, found none; set REPRISE_SCENARIOS"
        )
    return load_files(expand([directory]))


def load_files(paths: Iterable[Path]) -> Mapping[str, Scenario]:
    """The scenarios of these files by name. Raises InvalidInput with every problem of every file."""
    problems: list[str] = []
    found: dict[str, Scenario] = {}
    places: dict[str, str] = {}
    for path in paths:
        document, made = None, None
        try:
            document = yaml_lines.read(path)
            made = _check(path, document)
        except errors.InvalidInput as exc:
            problems += exc.problems
        # A name taken twice is found out also when the rest of a file is wrong.
        name = document.value.get("name") if document and isinstance(document.value, dict) else None
        if document and isinstance(name, str):
            place = f"{path}:{document.line(('name',))}"
            if name in places:
                problems.append(
                    f"{place}: expected a name of its own, found {name!r} of {places[name]} again"
                )
            places.setdefault(name, place)
        if made is not None:
            found[made.name] = made
    if problems:
        raise errors.InvalidInput(problems)
    return found


def load(path: Path) -> Scenario:
    """One scenario. Raises InvalidInput with every problem as `file:line: problem`."""
    return next(iter(load_files([path]).values()))


def parse(text: str, place: Path) -> Scenario:
    """One scenario from text; `place` is the file that it is, or stands for. Raises InvalidInput."""
    return _check(place, yaml_lines.parse(text, str(place)))


def _check(path: Path, document: yaml_lines.Document) -> Scenario:
    found = list(document.problems)
    if document.value is None:
        raise errors.InvalidInput(f"{path}:1: expected a scenario, found an empty file")
    model = None
    try:
        model = scenario_model.ScenarioModel.model_validate(document.value)
    except pydantic.ValidationError as exc:
        found += [_translate(document, error) for error in exc.errors()]
    if isinstance(document.value, dict):
        found += _beyond_shape(path, document)
    if found or model is None:
        raise errors.InvalidInput([f"{path}:{line}: {text}" for line, text in sorted(set(found))])
    return scenario_model.scenario(model)


def _translate(document: yaml_lines.Document, error: Any) -> tuple[int, str]:
    location = tuple(part for part in error["loc"])
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in location).lstrip(".")
    match error["type"]:
        case "missing":
            text = "expected a value, found nothing"
        case "extra_forbidden":
            known = _known_keys(location[:-1])
            text = f"expected one of: {known}; found an unknown field"
        case "value_error":
            text = str(error["ctx"]["error"])
        case _:
            shown = error["input"] if isinstance(error["input"], str | int | float | bool) else "other data"
            text = f"{error['msg'][0].lower()}{error['msg'][1:]}, found {shown!r}"
    return document.line(location), f"{where}: {text}" if where else text


def _known_keys(location: tuple[Any, ...]) -> str:
    """The fields that the wire form has at a location."""
    model: Any = scenario_model.ScenarioModel
    by_key = {
        "faults": scenario_model.FaultModel,
        "target": scenario_model.Target,
        "symptoms": scenario_model.SymptomModel,
        "alert": scenario_model.Alert,
        "metric": scenario_model.Metric,
        "event": scenario_model.Event,
        "truth": scenario_model.TruthModel,
        "decoys": scenario_model.DecoyModel,
        "noise": scenario_model.NoiseModel,
    }
    for part in location:
        model = by_key.get(part, model)
    return ", ".join(model.model_fields)


def _beyond_shape(path: Path, document: yaml_lines.Document) -> list[tuple[int, str]]:
    """What the wire form cannot say: mechanisms and their parameters, names used twice, the file's name.

    Works on the raw value, so that these are reported together with mistakes of the shape.
    """
    value: dict[str, Any] = document.value
    found: list[tuple[int, str]] = []
    name = value.get("name")
    if isinstance(name, str) and name != path.stem:
        found.append(
            (document.line(("name",)), f"name: expected {path.stem!r}, the file's name, found {name!r}")
        )
    faults = value.get("faults")
    for field in ("faults", "decoys"):
        entries = value.get(field)
        for index, fault in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(fault, dict):
                found += _fault(document, field, index, fault)
    seen: set[str] = set()
    symptoms = value.get("symptoms")
    for index, symptom in enumerate(symptoms if isinstance(symptoms, list) else ()):
        label = symptom.get("name") if isinstance(symptom, dict) else None
        if isinstance(label, str) and label in seen:
            line = document.line(("symptoms", index, "name"))
            found.append((line, f"symptoms[{index}].name: expected a name of its own, found {label!r} again"))
        seen.add(str(label))
    required = [s for s in symptoms or () if isinstance(s, dict) and s.get("required", True) is not False]
    if faults == [] and symptoms:
        found.append((document.line(("symptoms",)), "symptoms: expected none without faults, found some"))
    elif symptoms and not required:
        found.append((document.line(("symptoms",)), "symptoms: expected at least one required symptom"))
    truth = value.get("truth")
    if isinstance(truth, dict) and truth.get("experiments") is True and value.get("injector") != "visible":
        line = document.line(("truth", "experiments"))
        found.append((line, "truth.experiments: expected false, because the injector is hidden, found true"))
    return found


def _fault(
    document: yaml_lines.Document, field: str, index: int, raw: dict[str, Any]
) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    target = raw.get("target")
    params = raw.get("params") or {}
    mechanism = raw.get("mechanism")
    if isinstance(mechanism, str) and isinstance(target, dict) and isinstance(params, dict):
        fault = Fault(mechanism, str(target.get("kind")), str(target.get("name")), params)
        for problem in registry.check(fault, decoy=field == "decoys"):
            place = tuple(problem.split(":", 1)[0].split("."))
            found.append((document.line((field, index, *place)), f"{field}[{index}].{problem}"))
    equivalents = raw.get("equivalents")
    for number, text in enumerate(equivalents if isinstance(equivalents, list) else ()):
        where = (field, index, "equivalents", number)
        try:
            scenarios.entity(str(text), "application")
        except errors.InvalidInput as exc:
            found.append((document.line(where), f"{field}[{index}].equivalents[{number}]: {exc}"))
    return found
