"""`reprise prove`: the lifecycle gate. Every scenario is run for real and judged."""

import asyncio
import dataclasses
import hashlib
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import rich.box
import rich.console
import rich.table

from reprise.adapters import scenario_files
from reprise.adapters.scenario_store import ScenarioStore
from reprise.cli.run import connect
from reprise.cluster import paths
from reprise.cluster.progress import Progress
from reprise.domain import errors
from reprise.domain.proof import Proof, Verdict, p90
from reprise.domain.scenario import Scenario
from reprise.faults import registry
from reprise.proof import copies, results, suite
from reprise.proof.drive import Driver


@dataclasses.dataclass(frozen=True)
class Selection:
    """What to prove: names and files as given, then only what has every tag and one of the mechanisms."""

    names: Sequence[str]
    files: Sequence[Path]
    tags: Sequence[str]
    mechanisms: Sequence[str]


@click.command()
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A scenario file of your own, or a folder of them.",
)
@click.option("--tag", "tags", multiple=True, help="Only scenarios with this tag; all of several.")
@click.option("--mechanism", "mechanisms", multiple=True, help="Only scenarios with one of these.")
@click.option(
    "--parallel",
    default=1,
    show_default=True,
    type=click.IntRange(1, 6),
    help="Copies of the application, each in a namespace of its own.",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 4294967295))
@click.option(
    "--results",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where results are kept (default: proof.jsonl in reprise's state folder).",
)
@click.option("--again", is_flag=True, help="Prove also what is proven already.")
@click.option("--keep", is_flag=True, help="Keep the runs and the copies of the application.")
@click.option(
    "--snapshots", is_flag=True, help="Record a snapshot of each incident; it stays when its run goes."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def prove(
    names: Sequence[str],
    files: Sequence[Path],
    tags: Sequence[str],
    mechanisms: Sequence[str],
    parallel: int,
    seed: int,
    path: Path | None,
    again: bool,
    keep: bool,
    snapshots: bool,
    output: str,
) -> None:
    """Prove scenarios on the live cluster; without SCENARIO all that come with the product.

    For each: the application is quiet; the fault is injected; every required symptom shows; the truth can be
    found through the agent's door, and neither the answer itself nor any name of ours; the right answer
    scores 1.0, the empty one 0, naming everything less than 0.2, naming only where it hurts 0; the fault is
    taken back; nothing has changed. The rules-only agent `triage` tries its hand first, which is part of the
    result and not of the verdict. A result counts until its scenario's file changes, so that a broken-off
    proof goes on where it stopped. It stops when three in a row find no healthy, quiet application.

    \b
    Examples:
      reprise prove
      reprise prove shipping-gone payment-declined
      reprise prove --tag network --parallel 3 --snapshots
      reprise prove -f my-scenario.yaml -o json

    Exit codes: 0 proven or unsupported here, 1 at least one failed, 2 wrong usage.
    """
    registry.check_names(mechanisms)
    wanted = Selection(names, files, tags, mechanisms)
    kept = path or paths.state_dir() / "proof.jsonl"
    proofs = asyncio.run(_prove(wanted, parallel, seed, kept, again, keep, snapshots))
    if output == "json":
        click.echo(json.dumps([results.to_json(one) for one in proofs], indent=1))
    else:
        _show(proofs)
    sys.exit(any(one.verdict is Verdict.FAILED for one in proofs))


async def _prove(
    wanted: Selection, parallel: int, seed: int, path: Path, again: bool, keep: bool, snapshots: bool
) -> list[Proof]:
    known = results.load(path)
    progress = Progress()
    async with connect() as kube:
        tasks = await select(wanted, ScenarioStore(kube, shipped()))
        fresh = [
            task
            for task in tasks
            if again
            or not (old := known.get(task.scenario.name))
            or old.digest != task.digest
            or old.verdict is Verdict.FAILED
        ]
        done: dict[str, Proof] = {
            task.scenario.name: known[task.scenario.name] for task in tasks if task not in fresh
        }
        if done:
            progress.say(f"{len(done)} of {len(tasks)} are proven already; --again proves them anew")

        def finished(result: Proof) -> None:
            results.append(path, result)
            done[result.scenario] = result
            progress.say(f"[{len(done)}/{len(tasks)}] {line(result)}")

        namespaces = copies.names(min(parallel, max(1, len(fresh))))
        try:
            for namespace in namespaces:
                await copies.ensure(kube, namespace)
            driver = Driver(kube, seed, keep, snapshots, lambda name, text: progress.say(f"  {name}: {text}"))
            left_out = await suite.prove(driver.prove, fresh, namespaces, finished)
            if left_out:
                progress.say(
                    f"stopped: {suite.MOST_UNQUIET} runs in a row found no healthy, quiet application; "
                    f"{len(left_out)} scenario(s) not tried. Is too much running on this machine? "
                    "The same command without --again goes on from here"
                )
        finally:
            if not keep:
                for namespace in namespaces:
                    await copies.remove(kube, namespace)
    return [done[task.scenario.name] for task in tasks if task.scenario.name in done]


def shipped() -> dict[str, Scenario]:
    """The scenarios that come with the product, by name."""
    return dict(scenario_files.load_all(scenario_files.default_directory()))


async def select(wanted: Selection, store: ScenarioStore) -> list[suite.Task]:
    """What to prove, by name; files are stored in the cluster. Raises InvalidInput and NotFound."""
    found = {path.stem: path for path in scenario_files.default_directory().rglob("*.yaml")}
    own = scenario_files.expand(wanted.files)
    if unknown := sorted(set(wanted.names) - set(found)):
        raise errors.NotFound(
            f"expected scenarios that come with the product, found none called {', '.join(unknown)}; "
            "`reprise scenarios list` shows them, -f takes files"
        )
    scenario_files.load_files(own)  # all mistakes of all files before anything is stored
    chosen = list(wanted.names) or ([] if own else sorted(found))
    tasks = [suite.Task(scenario_files.load(found[name]), _digest(found[name])) for name in chosen]
    tasks += [suite.Task(await store.save(file.read_text(), file), _digest(file)) for file in own]
    tasks = [task for task in tasks if task.scenario.matches(wanted.tags, wanted.mechanisms)]
    if not tasks:
        raise errors.NotFound("expected at least one scenario with these tags and mechanisms, found none")
    return tasks


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def line(result: Proof) -> str:
    """One result in one line."""
    took = "" if result.to_symptom_seconds is None else f", symptom after {result.to_symptom_seconds:.0f} s"
    back = "" if result.to_recover_seconds is None else f", quiet {result.to_recover_seconds:.0f} s after"
    why = f": {result.reason}" if result.reason else ""
    return f"{result.scenario}: {result.verdict}{took}{back}{why}"


def _show(proofs: Sequence[Proof]) -> None:
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("SCENARIO", "VERDICT", "SYMPTOM S", "RECOVER S", "TRIAGE", "REASON"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "SCENARIO")
    for one in proofs:
        times = ("" if t is None else f"{t:.0f}" for t in (one.to_symptom_seconds, one.to_recover_seconds))
        score = "" if one.yardstick_score is None else f"{one.yardstick_score:.2f}"
        table.add_row(one.scenario, one.verdict.value, *times, score, one.reason)
    rich.console.Console(width=None if sys.stdout.isatty() else 200).print(table)
    click.echo(summary(proofs))


def summary(proofs: Sequence[Proof]) -> str:
    """Counts, and the medians of what was proven."""
    counts = {verdict: sum(one.verdict is verdict for one in proofs) for verdict in Verdict}
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    proven = [one for one in proofs if one.verdict is Verdict.PROVEN]
    for label, values in (
        ("to symptom", [one.to_symptom_seconds for one in proven]),
        ("to recover", [one.to_recover_seconds for one in proven]),
        ("whole", [one.whole_seconds for one in proven]),
    ):
        if known := [value for value in values if value is not None]:
            text += f"; {label}: median {statistics.median(known):.0f} s, p90 {p90(known):.0f} s"
    if scores := [one.yardstick_score for one in proven if one.yardstick_score is not None]:
        text += f"; triage: mean {statistics.fmean(scores):.3f}, n {len(scores)}"
    return text
