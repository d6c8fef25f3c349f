"""`reprise catalogue`: docs/catalogue.md from the results of a proof."""

from pathlib import Path

import click

from reprise.cli.prove import shipped
from reprise.cluster import paths
from reprise.domain import errors
from reprise.proof import catalogue as pages
from reprise.proof import results


@click.command()
@click.option(
    "--results",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Results of `reprise prove` (default: proof.jsonl in reprise's state folder).",
)
@click.option("--about", default="", help="On what the proof ran, in a sentence.")
def catalogue(path: Path | None, about: str) -> None:
    """Print docs/catalogue.md: every scenario with what came of it in the last proof.

    \b
    Example:
      reprise catalogue --results docs/proof.jsonl > docs/catalogue.md
    """
    kept = path or paths.state_dir() / "proof.jsonl"
    if not kept.exists():
        raise errors.NotFound(f"expected results at {kept}, found none; run `reprise prove`")
    click.echo(pages.markdown(shipped().values(), results.load(kept), about), nl=False)
