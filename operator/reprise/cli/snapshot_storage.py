"""`reprise snapshot pack | unpack | push | pull | list`: snapshots as archives and in stores."""

import json
from pathlib import Path

import click

from reprise.snapshot import archive, storage

_MAX_BYTES = click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=archive.LIMIT_BYTES,
    show_default=True,
    help="Refuse what unpacks to more.",
)


@click.command(
    epilog="""Example:

\b
  reprise snapshot pack snapshots/6f0c1d2e
  reprise snapshot pack snapshots/6f0c1d2e -o incident.tar.zst

Exit codes: 0 done, 1 not (nothing is left), 2 usage."""
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The archive; PATH.tar.zst by default.")
def pack(path: Path, output: Path | None) -> None:
    """Write a snapshot as one .tar.zst: the same snapshot gives the same bytes."""
    out = output or path.resolve().with_name(path.resolve().name + archive.SUFFIX)
    archive.pack(path, out)
    click.echo(f"{out}: {out.stat().st_size} bytes")


@click.command(
    epilog="""Example:

\b
  reprise snapshot unpack incident.tar.zst snapshots/incident

Exit codes: 0 done, 1 not (nothing is left), 2 usage."""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_MAX_BYTES
def unpack(file: Path, folder: Path, max_bytes: int) -> None:
    """Read an archive into the new folder DIR; every digest is checked."""
    click.echo(archive.unpack(file, folder, max_bytes))


@click.command(
    epilog="""Example:

\b
  reprise snapshot push snapshots/6f0c1d2e s3://incidents/runs
  reprise snapshot push snapshots/6f0c1d2e /mnt/share --archive

URL is a directory, s3://bucket/prefix (pip install 'reprise[s3]'), or any URL that fsspec knows; the snapshot
gets its folder's name there. Exit codes: 0 there (or it was), 1 not (nothing that can be pulled), 2 usage."""
)
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("url")
@click.option("--archive", "archived", is_flag=True, help="As one .tar.zst instead of a folder.")
@click.option(
    "--with-private",
    is_flag=True,
    help="Also the operator's part, which has the answer: `mode: replay` needs it for the score.",
)
def push(path: Path, url: str, archived: bool, with_private: bool) -> None:
    """Copy a snapshot into a store and print its address there."""
    click.echo(storage.put(path, url, archived, with_private))


@click.command(
    epilog="""Example:

\b
  reprise snapshot pull s3://incidents/runs/6f0c1d2e snapshots
  reprise snapshot pull /mnt/share/6f0c1d2e.tar.zst snapshots

Exit codes: 0 there and whole, 1 not (nothing is left), 2 usage."""
)
@click.argument("url")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_MAX_BYTES
def pull(url: str, folder: Path, max_bytes: int) -> None:
    """Copy a snapshot from a store to DIR/<its name> and print that folder; every digest is checked."""
    click.echo(storage.fetch(url, folder, max_bytes))


@click.command("list", epilog="Exit codes: 0 listed, 1 the store does not answer, 2 usage.")
@click.argument("url")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def listed(url: str, output: str) -> None:
    """List the snapshots of a store (a directory or a URL)."""
    found = storage.listing(url)
    if output == "json":
        click.echo(json.dumps([vars(item) for item in found], indent=2))
        return
    for item in found:
        form = "archive" if item.archived else "folder"
        click.echo(f"{item.name}  {form}  {item.recorded_at or item.problem or 'half-written'}")
