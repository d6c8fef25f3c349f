"""`reprise snapshot prune`: drops old snapshots of a folder or a store."""

import datetime as dt

import click

from reprise.domain import retention
from reprise.snapshot import reader, storage


@click.command(
    epilog="""Example:

\b
  reprise snapshot prune snapshots --keep-last 20 --dry-run
  reprise snapshot prune s3://incidents/runs --keep-last 20 --keep-days 30

What either rule keeps stays. A snapshot goes with its .private part. Exit codes: 0 done, 1 not, 2 usage."""
)
@click.argument("url", metavar="DIR")
@click.option("--keep-last", type=click.IntRange(min=0), help="Keep the newest N.")
@click.option("--keep-days", type=click.FloatRange(min=0), help="Keep what was recorded in the last D days.")
@click.option("--in-use", multiple=True, metavar="NAME", help="Never drop this one; may be repeated.")
@click.option("--half-written", is_flag=True, help="Also remove what an upload that died has left.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(
    url: str,
    keep_last: int | None,
    keep_days: float | None,
    in_use: tuple[str, ...],
    half_written: bool,
    dry_run: bool,
) -> None:
    """Drop snapshots of DIR (a directory or a URL) that a retention policy does not keep."""
    if keep_last is None and keep_days is None and not half_written:
        raise click.UsageError("expected --keep-last, --keep-days or --half-written; found none of them")
    listed = storage.listing(url)
    # NB: one name may be there as a folder and as an archive: they are one snapshot.
    times = {item.name: reader.parse_time(item.recorded_at) for item in listed if item.whole}
    there = [retention.Recorded(name, time, name in in_use) for name, time in times.items()]
    policy = retention.Policy(keep_last, keep_days)
    broken = sorted({item.name for item in listed if not item.whole and not item.problem} - times.keys())
    broken = [name for name in broken if half_written and name not in in_use]
    dropped = [item.name for item in retention.to_drop(policy, there, dt.datetime.now(dt.UTC))]
    for name in [*dropped, *broken]:
        if not dry_run:
            storage.remove(url, name)
        click.echo(f"{'would remove' if dry_run else 'removed'} {name}")
    click.echo(f"{len(dropped) + len(broken)} of {len({item.name for item in listed})}")
