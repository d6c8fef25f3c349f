"""`reprise snapshot`: what can be done with a recorded incident."""

import json
import sys
from pathlib import Path

import click

from reprise.cli import snapshot_diff, snapshot_export, snapshot_prune, snapshot_storage
from reprise.snapshot import scan as scanning
from reprise.snapshot import verify as verifying


@click.group()
def snapshot() -> None:
    """Verify, scan, store, export and compare recorded snapshots."""


@snapshot.command(
    epilog="""Example:

\b
  reprise snapshot verify snapshots/6f0c1d2e
  reprise snapshot verify snapshots/6f0c1d2e -o json

Exit codes: 0 whole, 1 not (every problem is listed), 2 usage."""
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(path: Path, output: str) -> None:
    """Check a snapshot's manifest, timeline, files, digests, row counts and the shapes of its documents."""
    report = verifying.verify_all(path)
    if output == "json":
        document = {
            "path": report.path,
            "ok": report.ok,
            "digest": report.digest,
            "files": report.files,
            "rows": report.rows,
            "problems": list(report.problems),
        }
        click.echo(json.dumps(document, indent=2))
    elif report.ok:
        click.echo(f"whole: {report.files} files, {report.rows} rows, {report.digest}")
    else:
        for problem in report.problems:
            click.echo(problem)
        click.echo(f"{len(report.problems)} problems in {report.path}")
    # NB: click hands ctx.exit() back as a value when it runs inside another program, as `main` does.
    sys.exit(0 if report.ok else 1)


@snapshot.command(
    epilog="""Example:

\b
  reprise snapshot scan snapshots/6f0c1d2e

The operator's part is expected beside the snapshot, in snapshots/6f0c1d2e.private.

Exit codes: 0 nothing found, 1 something of the answer is in the snapshot (every place is listed), 2 usage."""
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def scan(path: Path, output: str) -> None:
    """Prove that nothing of the run, its scenario and its injector is in a snapshot."""
    report = scanning.scan(path)
    if output == "json":
        found = [
            {"file": one.file, "token": one.token, "kind": one.kind, "offset": one.offset}
            for one in report.findings
        ]
        document = {
            "path": report.path,
            "ok": report.ok,
            "tokens": report.tokens,
            "files": report.files,
            "findings": found,
        }
        click.echo(json.dumps(document, indent=2))
    elif report.ok:
        click.echo(f"nothing found: {report.tokens} tokens, {report.files} files")
    else:
        for finding in report.findings:
            click.echo(str(finding))
        click.echo(f"{len(report.findings)} findings in {report.path}")
    sys.exit(0 if report.ok else 1)


for _command in (
    snapshot_storage.pack,
    snapshot_storage.unpack,
    snapshot_storage.push,
    snapshot_storage.pull,
    snapshot_storage.listed,
    snapshot_export.export,
    snapshot_diff.diff,
    snapshot_prune.prune,
):
    snapshot.add_command(_command)
