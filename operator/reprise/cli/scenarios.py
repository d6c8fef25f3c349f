"""`reprise scenarios`: list, show and validate, without a cluster; what a cluster supports; one's own."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import rich.box
import rich.console
import rich.table

from reprise.adapters import scenario_files, scenario_store
from reprise.adapters import support as support_of
from reprise.cli import generate, run
from reprise.domain import errors
from reprise.domain.scenario import Difficulty, Fault, Scenario
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Symptom
from reprise.faults import reference, registry

_DIRECTORY = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Folder with scenarios (default: REPRISE_SCENARIOS, else the checkout's).",
)


@click.group()
def scenarios() -> None:
    """List, show and validate scenarios; bring your own into a cluster.

    \b
    Examples:
      reprise scenarios list --tag network --difficulty hard
      reprise scenarios show frontend-unreachable
      reprise scenarios mechanisms
      reprise scenarios validate my-scenarios/*.yaml

    Exit codes: 0 fine, 1 problems found or no such scenario, 2 wrong usage.
    """


scenarios.add_command(generate.generate)
scenarios.add_command(generate.list_families)


@scenarios.command("list")
@_DIRECTORY
@click.option("--tag", "tags", multiple=True, help="Only with this tag; all of several.")
@click.option("--mechanism", "mechanisms", multiple=True, help="Only with one of these mechanisms.")
@click.option(
    "--difficulty", type=click.Choice([d.value for d in Difficulty]), help="Only of this difficulty."
)
@click.option("--support", is_flag=True, help="Ask the cluster which ones it can host, and why not.")
@click.option("--supported", is_flag=True, help="Only those that the cluster can host.")
@click.option("-n", "--namespace", default="otel-demo", show_default=True, help="The application's.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(
    directory: Path | None,
    tags: Sequence[str],
    mechanisms: Sequence[str],
    difficulty: str | None,
    support: bool,
    supported: bool,
    namespace: str,
    as_json: bool,
) -> None:
    """List the scenarios. Needs a cluster only for --support and --supported.

    \b
    Examples:
      reprise scenarios list
      reprise scenarios list --tag network --difficulty hard
      reprise scenarios list --mechanism network-chaos-delay --support
      reprise scenarios list --supported --json | jq -r '.[].name'
    """
    registry.check_names(mechanisms)
    found = [
        scenario
        for _, scenario in sorted(_load(directory).items())
        if scenario.matches(tags, mechanisms) and difficulty in (None, scenario.difficulty.value)
    ]
    reasons = asyncio.run(_reasons(found, namespace)) if support or supported else {}
    if supported:
        found = [scenario for scenario in found if not reasons[scenario.name]]
    if as_json:
        entries = [_summary(s) | ({"unsupported": reasons[s.name]} if reasons else {}) for s in found]
        click.echo(json.dumps(entries, indent=2))
        return
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    headings = ["NAME", "DIFFICULTY", "MECHANISMS", "TITLE", *(["SUPPORT"] if reasons else [])]
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == "NAME")
    for scenario in found:
        used = ", ".join(fault.mechanism for fault in scenario.faults) or "none (control)"
        row = [scenario.name, scenario.difficulty.value, used, scenario.title]
        if reasons:
            row.append(f"Unsupported: {reasons[scenario.name]}" if reasons[scenario.name] else "yes")
        table.add_row(*row)
    # A pipe gets whole lines: only a terminal has a width to keep to.
    rich.console.Console(width=None if sys.stdout.isatty() else 200).print(table)


async def _reasons(found: Sequence[Scenario], namespace: str) -> Mapping[str, str]:
    async with run.connect() as kube:
        return await support_of.reasons(kube, found, namespace)


@scenarios.command()
@click.option("--markdown", is_flag=True, help="Print docs/mechanisms.md.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def mechanisms(markdown: bool, as_json: bool) -> None:
    """List the mechanisms: what each does, to what, with which parameters, and what it needs.

    \b
    Examples:
      reprise scenarios mechanisms
      reprise scenarios mechanisms --markdown > docs/mechanisms.md
    """
    if markdown:
        click.echo(reference.markdown(registry.MECHANISMS.values()), nl=False)
        return
    if as_json:
        entries = [dataclasses.asdict(e) for e in reference.entries(registry.MECHANISMS.values())]
        click.echo(json.dumps(entries, indent=2))
        return
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("NAME", "TARGETS", "SUMMARY"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "NAME")
    for entry in reference.entries(registry.MECHANISMS.values()):
        table.add_row(entry.name, ", ".join(entry.targets), entry.summary)
    rich.console.Console(width=None if sys.stdout.isatty() else 200).print(table)


@scenarios.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def add(files: Sequence[Path]) -> None:
    """Bring scenarios of your own into the cluster, so that a BenchmarkRun can name them.

    \b
    Example:
      reprise scenarios add my-scenario.yaml
      reprise run --scenario my-scenario --follow
    """
    scenario_files.load_files(files)  # all mistakes of all files before anything is stored
    for name in asyncio.run(_add(files)):
        click.echo(f"scenario {name} stored")


async def _add(files: Sequence[Path]) -> list[str]:
    async with run.connect() as kube:
        store = scenario_store.ScenarioStore(kube, _load(None))
        return [(await store.save(file.read_text(), file)).name for file in files]


@scenarios.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def remove(names: Sequence[str]) -> None:
    """Remove scenarios of your own from the cluster.

    \b
    Example:
      reprise scenarios remove my-scenario
    """
    missing = asyncio.run(_remove(names))
    if missing:
        raise errors.NotFound(f"expected stored scenarios, found none called {', '.join(missing)}")


async def _remove(names: Sequence[str]) -> list[str]:
    async with run.connect() as kube:
        store = scenario_store.ScenarioStore(kube, {})
        return [name for name in names if not await store.delete(name)]


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
    files = scenario_files.expand(paths or [scenario_files.default_directory()])
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
