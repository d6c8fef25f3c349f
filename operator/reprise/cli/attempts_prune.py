"""`reprise attempts prune`: drops audit trails and records of attempts that the cluster has no more."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import click

from reprise.adapters.wire import agent_attempt, model
from reprise.cli.run import connect
from reprise.cluster import paths
from reprise.domain import errors

# Where they lie beneath the data folder, and how they end; the rest of the name is the attempt's uid.
FOLDERS = {"audit": ".jsonl", "records": ".log"}


@click.command(
    epilog="""Examples:

\b
  reprise attempts prune --keep-days 30 --dry-run
  reprise attempts prune --keep-days 0

Files of attempts that the cluster (of KUBECONFIG, if set) still has stay, whatever their age: delete the run
first. Exit codes: 0 done, 1 the cluster or a file cannot be reached, 2 usage."""
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    required=True,
    help="Keep what was written in the last D days.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder with `audit` and `records`; default: that of the cluster that `reprise up` made.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(keep_days: float, data: Path | None, dry_run: bool) -> None:
    """Drop audit trails and records of attempts whose run was deleted."""
    # Before the cluster is asked: what an attempt writes that begins after the answer is younger.
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=keep_days)
    alive = asyncio.run(_uids())
    there = list(files(data or paths.data_dir()))
    old = [path for path in there if path.stem not in alive and _written(path) < before]
    for path in old:
        if not dry_run:
            try:
                path.unlink(missing_ok=True)
            except OSError as exc:
                raise errors.InvalidInput(f"{path}: cannot be removed: {exc}") from exc
        click.echo(f"{'would remove' if dry_run else 'removed'} {path.parent.name}/{path.name}")
    click.echo(f"{len(old)} of {len(there)}")


def files(folder: Path) -> Iterator[Path]:
    """The trails and records of a data folder, by name."""
    for name, suffix in FOLDERS.items():
        yield from sorted((folder / name).glob(f"*{suffix}"))


def _written(path: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)


async def _uids() -> frozenset[str]:
    """The attempts that the cluster has, in all namespaces."""
    async with connect() as kube:
        found = await kube.list_objects(model.API_VERSION, agent_attempt.KIND)
    return frozenset(str(item["metadata"]["uid"]) for item in found)
