"""`reprise scenarios generate` and `families`: incidents from a seed, and how many there are. No cluster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reprise.adapters import scenario_write
from reprise.domain.scenario import Scenario
from reprise.faults.families import generate as families
from reprise.faults.families import table
from reprise.faults.families.family import RULE, Family

_OPTIONS = (
    click.option("--tag", "tags", multiple=True, help="Only with this tag; all of several."),
    click.option("--mechanism", "mechanisms", multiple=True, help="Only of this mechanism; any of several."),
    click.option(
        "--include-unsupported",
        is_flag=True,
        help="Also what needs netem, tproxy, toda, byteman or Istio, which few clusters have.",
    ),
    click.option(
        "--include-cluster-wide",
        is_flag=True,
        help="Also what is felt outside of the application's namespace (nodes, DNS, admission).",
    ),
)


def _wanted(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("generate")
@click.option("--seed", type=int, required=True, help="Decides which incidents, and their decoys.")
@click.option("--count", type=int, required=True, help="How many.")
@_wanted
@click.option(
    "--faults",
    type=click.Choice(["1", "2"]),
    default="1",
    show_default=True,
    help="How many independent faults each incident has.",
)
@click.option("--no-decoys", is_flag=True, help="No harmless changes beside the faults.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for a file each; else printed."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of what was generated.")
def generate(
    seed: int,
    count: int,
    tags: tuple[str, ...],
    mechanisms: tuple[str, ...],
    include_unsupported: bool,
    include_cluster_wide: bool,
    faults: str,
    no_decoys: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Generate distinct incidents, spread over mechanisms and workloads.

    The same seed, count and options give the same bytes, and a larger count the same first incidents.

    \b
    Examples:
      reprise scenarios generate --seed 7 --count 20 --out my-incidents/
      reprise scenarios generate --seed 7 --count 5 --tag network
      reprise scenarios generate --seed 7 --count 5 --faults 2 --json | jq -r '.[].title'
      reprise prove -f my-incidents/

    Exit codes: 0 fine, 1 there are not so many, or an unknown tag or mechanism, 2 wrong usage.
    """
    wanted = table.Wanted(tags, mechanisms, include_unsupported, include_cluster_wide)
    made = families.scenarios(families.Request(seed, count, wanted, int(faults), not no_decoys))
    written = scenario_write.write(made, out) if out else ()
    if as_json:
        files: list[str | None] = [str(path) for path in written]
        files = files or [None] * len(made)
        click.echo(json.dumps([_entry(*pair) for pair in zip(made, files, strict=True)], indent=2))
    elif out:
        click.echo(f"{len(written)} scenarios written to {out}")
    else:
        click.echo("---\n".join(scenario_write.dump(scenario) for scenario in made), nl=False)


def _entry(scenario: Scenario, file: str | None) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "difficulty": scenario.difficulty.value,
        "tags": list(scenario.tags),
        "faults": [
            {"mechanism": f.mechanism, "target": f"{f.kind}/{f.name}", "params": dict(f.params)}
            for f in scenario.faults
        ],
        "decoys": [f"{d.mechanism} on {d.kind}/{d.name}" for d in scenario.decoys],
        "file": file,
    }


@click.command("families")
@_wanted
@click.option(
    "-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True
)
def list_families(
    tags: tuple[str, ...],
    mechanisms: tuple[str, ...],
    include_unsupported: bool,
    include_cluster_wide: bool,
    output: str,
) -> None:
    """List the families of incidents: how many each holds, and all together.

    \b
    Examples:
      reprise scenarios families
      reprise scenarios families --include-unsupported --include-cluster-wide
      reprise scenarios families -o json | jq .incidents

    Exit codes: 0 fine, 1 unknown tag or mechanism, 2 wrong usage.
    """
    chosen = table.choose(table.Wanted(tags, mechanisms, include_unsupported, include_cluster_wide))
    sizes = table.sizes(chosen)
    if output == "json":
        result = {
            "rule": RULE,
            "families": [_row(one) for one in chosen],
            "incidents": sizes.single,
            "incidentsOfTwoFaults": sizes.double,
        }
        click.echo(json.dumps(result, indent=2))
    elif output == "markdown":
        click.echo(markdown(chosen))
    else:
        for one in chosen:
            held = f"{one.targets():>3} workloads {len(one.points):>4} incidents"
            click.echo(f"{one.mechanism:<42}{held}  needs {', '.join(_needs(one)) or 'nothing'}")
        click.echo(
            f"{len(chosen)} families: {sizes.single} distinct incidents, and {sizes.double} of two "
            f"independent faults\n{RULE}"
        )


def markdown(chosen: tuple[Family, ...]) -> str:
    """The table of docs/families.md."""
    lines = ["| family | difficulty | workloads | incidents | needs |", "|---|---|---|---|---|"]
    lines += [
        f"| `{one.mechanism}` | {one.difficulty.value} | {one.targets()} | {len(one.points)} | "
        f"{', '.join(_needs(one)) or '–'} |"
        for one in chosen
    ]
    return "\n".join([*lines, f"| {len(chosen)} families | | | {sum(len(one.points) for one in chosen)} | |"])


def _needs(one: Family) -> list[str]:
    return sorted(r.value for r in one.requires) + (["the cluster to itself"] if one.cluster_wide else [])


def _row(one: Family) -> dict[str, Any]:
    return {
        "mechanism": one.mechanism,
        "title": one.title,
        "difficulty": one.difficulty.value,
        "tags": list(one.tags),
        "workloads": one.targets(),
        "incidents": len(one.points),
        "needs": _needs(one),
    }
