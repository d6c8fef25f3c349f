"""`reprise snapshot export`: a snapshot in another program's format."""

from pathlib import Path

import click

FORMATS = ("itbench", "parquet", "otlp")


@click.command(
    epilog="""Example:

\b
  reprise snapshot export snapshots/6f0c1d2e --format parquet --out /tmp/incident

itbench: the flat layout of ITBench's offline tools. parquet: one file a signal (pip install
'reprise[parquet]'; see examples/three_queries.py). otlp: traces.jsonl and logs.jsonl as the OpenTelemetry
collector's file exporter writes them. Exit codes: 0 done, 1 not (nothing is left), 2 usage."""
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new folder.")
def export(path: Path, form: str, out: Path) -> None:
    """Write a snapshot in another format into a new folder."""
    from reprise.snapshot import export as exporting  # csv, pyarrow: not for the other subcommands

    for name in exporting.export(path, form, out):
        click.echo(out / name)
