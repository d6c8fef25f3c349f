"""`reprise scenarios`: list, show and validate. Needs no cluster."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import rich.box
import rich.console
import rich.table

from reprise.adapters import scenario_files
from reprise.domain import errors
from reprise.domain.scenario import Fault, Scenario
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Symptom
from reprise.faults import registry

_DIRECTORY = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Folder with scenarios (default: REPRISE_SCENARIOS, else the checkout's).",
)


@click.group()
def scenarios() -> None:
    """List, show and validate scenarios.

    \b
    Examples:
      reprise scenarios list
      reprise scenarios show frontend-unreachable
      reprise scenarios validate my-scenarios/*.yaml

    Exit codes: 0 fine, 1 problems found or no such scenario, 2 wrong usage.
    """


@scenarios.command("list")
@_DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(directory: Path | None, as_json: bool) -> None:
    """List the scenarios.

    \b
    Examples:
      reprise scenarios list
      reprise scenarios list --json | jq -r '.[].name'
    """
    found = [scenario for _, scenario in sorted(_load(directory).items())]
    if as_json:
        click.echo(json.dumps([_summary(scenario) for scenario in found], indent=2))
        return
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("NAME", "DIFFICULTY", "MECHANISMS", "TITLE"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "NAME")
    for scenario in found:
        mechanisms = ", ".join(fault.mechanism for fault in scenario.faults) or "none (control)"
        table.add_row(scenario.name, scenario.difficulty.value, mechanisms, scenario.title)
    # A pipe gets whole lines: only a terminal has a width to keep to.
    rich.console.Console(width=None if sys.stdout.isatty() else 200).print(table)


@scenarios.command()
@click.argument("name")
@_DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, directory: Path | None, as_json: bool) -> None:
    """Show one scenario: what it does, what must be seen, what the cluster must have.

    \b
    Example:
      reprise scenarios show payment-declined
    """
    found = _load(directory)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise errors.NotFound(f"expected a scenario, one of: {known}; found {name!r}")
    scenario = found[name]
    if as_json:
        click.echo(json.dumps(_details(scenario), indent=2))
        return
    click.echo(f"{scenario.name}: {scenario.title}\n  {scenario.symptom}\n")
    rows = [
        ("application", scenario.application),
        ("difficulty", scenario.difficulty.value),
        ("tags", ", ".join(scenario.tags) or "none"),
        ("injector", scenario.injector.value),
        ("requires", ", ".join(sorted(r.value for r in registry.requirements(scenario))) or "nothing"),
    ]
    for label, text in rows:
        click.echo(f"  {label:<12}{text}")
    click.echo("\n  faults" + ("" if scenario.faults else ": none, this is a control"))
    for fault in scenario.faults:
        click.echo(f"    {fault.mechanism} on {fault.kind}/{fault.name}{_params(fault)}")
        click.echo(f"      {registry.MECHANISMS[fault.mechanism].summary}")
    click.echo("\n  symptoms" + ("" if scenario.symptoms else ": none"))
    for symptom in scenario.symptoms:
        click.echo(f"    {symptom.name}{'' if symptom.required else ' (optional)'}: {_evidence(symptom)}")


@scenarios.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
def validate(paths: Sequence[Path]) -> None:
    """Check scenario files; every mistake at once, as file:line: problem.

    Without PATH the scenarios that come with the product are checked; a folder stands for all files below it.

    \b
    Examples:
      reprise scenarios validate
      reprise scenarios validate my-scenario.yaml other-scenarios/
    """
    files = [
        file
        for path in (paths or [scenario_files.default_directory()])
        for file in (sorted(path.rglob("*.yaml")) if path.is_dir() else [path])
    ]
    if not files:
        raise errors.InvalidInput(
            f"expected scenario files (*.yaml), found none in {', '.join(map(str, paths))}"
        )
    try:
        found = scenario_files.load_files(files)
    except errors.InvalidInput as exc:
        for problem in exc.problems:
            click.echo(problem, err=True)
        click.echo(f"{len(exc.problems)} problems in {len(files)} files", err=True)
        sys.exit(1)
    click.echo(f"{len(found)} scenarios are fine")


def _load(directory: Path | None) -> dict[str, Scenario]:
    return dict(scenario_files.load_all(directory or scenario_files.default_directory()))


def _summary(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "difficulty": scenario.difficulty.value,
        "application": scenario.application,
        "tags": list(scenario.tags),
        "mechanisms": [fault.mechanism for fault in scenario.faults],
    }


def _details(scenario: Scenario) -> dict[str, Any]:
    return {
        **_summary(scenario),
        "symptom": scenario.symptom,
        "injector": scenario.injector.value,
        "requires": sorted(r.value for r in registry.requirements(scenario)),
        "faults": [dataclasses.asdict(fault) for fault in scenario.faults],
        "symptoms": [
            {"type": type(symptom).__name__, **dataclasses.asdict(symptom)} for symptom in scenario.symptoms
        ],
    }


def _params(fault: Fault) -> str:
    return f" with {json.dumps(dict(fault.params))}" if fault.params else ""


def _evidence(symptom: Symptom) -> str:
    match symptom:
        case AlertSymptom():
            return f"alert {symptom.alert} {json.dumps(dict(symptom.labels))}"
        case MetricSymptom():
            return f"query {symptom.query}"
        case EventSymptom():
            return f"Event {symptom.reason} about {symptom.kind}/{symptom.name_prefix}*"
