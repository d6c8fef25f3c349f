"""`reprise import`: answers that were written for other benchmarks. Needs no cluster."""

import json
import sys
from pathlib import Path

import click

from reprise.adapters import itbench_files
from reprise.domain.itbench_notes import Outcome


@click.group("import")
def import_() -> None:
    """Import what was written for other benchmarks.

    \b
    Example:
      reprise import itbench groundtruth.yaml --out imported/
    """


@import_.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="FILE|DIR")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to: NAME.truth.yaml and NAME.report.json for each file, in the folders of DIR.",
)
@click.option(
    "--keep-unknown",
    is_flag=True,
    help="Take objects that the pinned application does not have as they are written.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def itbench(path: Path, out: Path | None, keep_unknown: bool, output: str) -> None:
    """Translate ITBench's ground truths (v1 and v2) into truths for `reprise score`.

    Reports every repair and everything that cannot be carried over, with file and line. Of a DIR, files
    called like groundtruth*.yaml are read. Without --out nothing is written. A file gets a truth only when
    every root cause of it could be carried over.

    \b
    Examples:
      reprise import itbench groundtruth_v1.yaml
      reprise import itbench scenarios/ --out imported/
      reprise import itbench scenarios/ -o json | jq '.files[] | select(.truth == null)'
      reprise score --truth imported/31/groundtruth_v1.truth.yaml --submission agent_output.json

    Exit codes: 0 every file has a truth, 1 problems, 2 wrong usage.
    """
    paths = itbench_files.find(path)
    places = itbench_files.targets(path, paths, out) if out else {}
    files = [itbench_files.read(file, keep_unknown) for file in paths]
    written = itbench_files.write(files, places) if out else []
    failed = sum(file.truth is None for file in files)
    if output == "json":
        result = {
            "files": [file.to_json() for file in files],
            "imported": len(files) - failed,
            "failed": failed,
            "written": [str(place) for place in written],
        }
        click.echo(json.dumps(result, indent=2))
    else:
        for file in files:
            click.echo(render(file))
        click.echo(f"{len(files) - failed} of {len(files)} files have a truth, {len(written)} files written")
    if failed:
        sys.exit(1)


def render(file: itbench_files.File) -> str:
    """The report about a file for a person; every line that has a place begins with it."""
    lines = [f"{file.path}: {file.version or 'no ground truth'}"]
    for cause in file.truth.root_causes if file.truth else ():
        others = f" (or {', '.join(map(str, cause.equivalents))})" if cause.equivalents else ""
        lines.append(f"  root cause {cause.entity}{others}")
    # Problems first: they are what there is to do.
    for outcome in (Outcome.PROBLEM, Outcome.REPAIRED, Outcome.UNCHECKED, Outcome.LEFT_OUT):
        for remark in file.remarks:
            if remark.note.outcome is outcome:
                line = f":{remark.line}" if remark.line else ""
                place = f"{remark.note.place}: " if remark.note.place else ""
                lines.append(f"  {outcome.value:<10} {file.path.name}{line}: {place}{remark.note.text}")
    return "\n".join(lines)
