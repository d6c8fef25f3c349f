"""`reprise up`, `reprise down`, `reprise status`."""

import json
import shutil
from pathlib import Path

import click

from reprise.cluster import bring_up, engine, images, kind, nodes, paths, report, rootfs, state, tear_down
from reprise.cluster.alert_profile import AlertProfile
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools

_NAME = click.option(
    "--name", default=paths.DEFAULT_NAME, show_default=True, help="Which of several clusters."
)
_VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Show the tools' own output.")


def _tools(name: str, progress: Progress) -> Tools:
    echo = progress.tool_line if progress.verbose else None
    return Tools(paths.logs_dir(name), engine.environment(paths.cache_dir()), echo)


@click.command()
@_NAME
@_VERBOSE
@click.option("--profile", type=click.Choice(["auto", "pull", "build"]), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(0, 8), default=1, show_default=True)
@click.option("--app", type=click.Choice(["lite", "upstream"]), default="lite", show_default=True)
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Use this cluster."
)
@click.option("--context", help="The context of the kubeconfig.")
@click.option(
    "--alert-profile",
    type=click.Choice([one.value for one in AlertProfile]),
    help="How long alerts wait; kept from the last `up` when not given, short at first.",
)
@click.option("--bare", is_flag=True, help="Only the cluster, nothing installed in it.")
def up(
    name: str,
    verbose: bool,
    profile: str,
    workers: int,
    app: str,
    kubeconfig: Path | None,
    context: str | None,
    alert_profile: str | None,
    bare: bool,
) -> None:
    """Make a cluster with everything in it, or finish a half-made one."""
    progress = Progress(verbose, paths.logs_dir(name) / "steps.log")
    alerts = AlertProfile(alert_profile) if alert_profile else None
    wanted = bring_up.Wanted(name, profile, workers, app, kubeconfig, context, bare, alerts)
    store = Store(paths.cache_dir())
    builder = bring_up.Builder(wanted, paths.repository_root(), store, _tools(name, progress), progress)
    builder.up()
    progress.say(f"up after {progress.elapsed():.1f} s; logs in {paths.logs_dir(name)}")
    if kubeconfig is None and context is None:
        click.echo(f"export KUBECONFIG={paths.kubeconfig_path(name)}")


@click.command()
@_NAME
@_VERBOSE
@click.option("--cache", is_flag=True, help="Remove what was built, too; the next `up` starts from nothing.")
def down(name: str, verbose: bool, cache: bool) -> None:
    """Remove everything that `up` made, and nothing else. Recorded snapshots and logs stay."""
    progress = Progress(verbose, paths.logs_dir(name) / "steps.log")
    tools = _tools(name, progress)
    tear_down.down(tools, name, progress)
    if cache:
        names = images.catalogue(paths.repository_root(), rootfs.tag(), None)
        tear_down.remove_cache(tools, Store(paths.cache_dir()), names, progress)
    if any(path.is_file() for path in paths.data_dir(name).rglob("*")):
        progress.say(f"snapshots and audit trails stay in {paths.data_dir(name)}")


@click.command()
@_NAME
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(name: str, output: str) -> None:
    """Say what runs and what is missing."""
    progress = Progress()
    tools = _tools(name, progress)
    remembered = state.load(name)
    engine = "docker" if remembered and remembered.profile == "pull" else "podman"
    containers = nodes.Nodes(tools, engine, kind.cluster_name(name)).all() if shutil.which(engine) else []
    found = report.gather(tools, name, remembered, containers)
    click.echo(json.dumps(report.as_json(found), indent=2) if output == "json" else report.as_text(found))
