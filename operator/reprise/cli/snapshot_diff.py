"""`reprise snapshot diff`: what differs between two incidents, or before and after the fault."""

import json
import sys
from pathlib import Path

import click

from reprise.domain import errors


@click.command(
    epilog="""Example:

\b
  reprise snapshot diff snapshots/6f0c1d2e                    before the fault against the end
  reprise snapshot diff snapshots/6f0c1d2e --at +150s         ... against 150 s after the window opened
  reprise snapshot diff snapshots/6f0c1d2e snapshots/77aa01bc two incidents
  reprise snapshot diff A B -o json

Exit codes, as those of diff: 0 no difference, 1 differences, 2 usage or trouble."""
)
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="[B]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--at", default="", metavar="TIME", help="RFC 3339, or +SECONDS after the window opened.")
def diff(first: Path, second: Path | None, output: str, at: str) -> None:
    """Compare objects, alerts, services and topology; what was changed in specs comes first."""
    from reprise.snapshot import diff as diffing
    from reprise.snapshot import reader

    try:
        other = reader.open_snapshot(second) if second is not None else None
        report = diffing.compare(reader.open_snapshot(first), other, at)
    except errors.RepriseError as exc:
        click.echo(f"reprise: {exc}", err=True)
        sys.exit(2)
    click.echo(json.dumps(diffing.to_json(report), indent=2) if output == "json" else diffing.text(report))
    sys.exit(1 if report.differs else 0)
